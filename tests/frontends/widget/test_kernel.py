"""The chat in a real kernel: who runs what on which thread, and what goes over the wire."""

import json
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hector_nb.frontends.widget.state import apply
from tests.frontends.kernel import PATIENCE, Kernel

MAKE = """
import hector_nb
from pathlib import Path
from hector_nb.frontends.widget import bundle
bundle.PLACE = Path("chat.js")
bundle.PLACE.write_text("export default {{}}")
chat = hector_nb.chat({agent!r}, frontend="full")
chat
"""


class Page:
    """A front end of one chat in a kernel, on the wire."""

    opened: ClassVar[list[str]] = []

    def __init__(self, kernel: Kernel, agent: str) -> None:
        self.client = kernel._client
        self.kernel = kernel
        self.bytes = 0
        self.patience = PATIENCE
        self.replies: dict[str, Any] = {}
        self.foreign: list[dict[str, Any]] = []
        self.parents: set[str] = set()
        self.behind = False  # others took messages that were for it: it waits for a snapshot
        cell = kernel.run(MAKE.format(agent=agent))
        assert cell.status == "ok", cell.traceback
        [opened] = [each for each in cell.of("comm_open") if "_esm" in each["data"]["state"]]
        self.comm_id = opened["comm_id"]
        self.earlier = tuple(self.opened)
        self.opened.append(self.comm_id)
        snapshot = opened["data"]["state"]["snapshot"]
        self.n, self.state = snapshot["n"], snapshot["state"]
        [shown] = cell.of("display_data")
        self.shown = shown["data"]
        self.catch_up()

    def catch_up(self) -> None:
        """Take all of the state, where others took messages that were for this page."""
        self.behind = True
        self.do("sync")

    def begin(self, t: str, **fields: Any) -> str:
        command_id = f"{t}-{time.monotonic_ns()}"
        content = {
            "comm_id": self.comm_id,
            "data": {"method": "custom", "content": {"t": t, "id": command_id, **fields}},
        }
        self.client.shell_channel.send(self.client.session.msg("comm_msg", content))
        return command_id

    def do(self, t: str, **fields: Any) -> Any:
        command_id = self.begin(t, **fields)
        self.until(lambda: command_id in self.replies)
        return self.replies[command_id]

    def until(self, true: Callable[[], Any]) -> None:
        until = time.monotonic() + self.patience
        while not true():
            assert time.monotonic() < until, f"It did not happen. The state is {self.state}"
            self.until_change()

    def until_change(self) -> None:
        """Take the next message."""
        try:
            self.take(self.client.get_iopub_msg(timeout=PATIENCE))
        except queue.Empty:
            raise AssertionError(f"Nothing comes. The state is {self.state}") from None

    def take(self, message: dict[str, Any]) -> None:
        if message["msg_type"] != "comm_msg" or message["content"]["comm_id"] != self.comm_id:
            if message["content"].get("comm_id") not in self.earlier:  # chats of earlier tests are still followed
                self.foreign.append(message)
            return
        told = message["content"]["data"]["content"]
        self.bytes += _size(message)
        if told["t"] == "ops":
            if self.behind or told["n"] <= self.n:  # the snapshot had it already
                return
            assert told["n"] == self.n + 1
            self.n += 1
            for op in told["ops"]:
                apply(self.state, op)
            self.parents.add(message["parent_header"].get("msg_id", ""))
        elif told["t"] == "snapshot":
            self.behind = False
            self.n, self.state = told["snapshot"]["n"], told["snapshot"]["state"]
        elif told["t"] == "reply":
            self.replies[told["id"]] = told

    @property
    def last(self) -> dict[str, Any]:
        return dict(self.state["turns"][-1])

    @property
    def text(self) -> str:
        turns = self.state["turns"]
        return "".join(part["text"] for part in turns[-1]["parts"] if part["kind"] == "text") if turns else ""

    def until_over(self) -> dict[str, Any]:
        self.until(lambda: self.state["turns"] and self.last["status"] in {"done", "stopped", "failed", "interrupted"})
        return self.last


def _size(message: dict[str, Any]) -> int:
    """Bytes of a message on the server's websocket."""
    parts = ("header", "parent_header", "metadata", "content")
    return sum(len(json.dumps(message[part], default=str, ensure_ascii=False).encode()) for part in parts) + 80


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    yield kernel
    kernel.close()


def test_the_output_says_what_it_is_where_there_are_no_widgets(kernel: Kernel) -> None:
    page = Page(kernel, "assistant")
    assert page.shown["text/plain"] == "Chat with assistant · run this cell to open it"
    assert "application/vnd.jupyter.widget-view+json" in page.shown
    assert "text/markdown" not in page.shown
    page.do("send", text="Hi")
    page.until_over()
    again = kernel.run("chat").of("display_data")[0]["data"]
    assert "**You**\n\nHi\n\n**assistant**\n\nHello **there**." in again["text/markdown"]


def test_an_idle_kernel_answers_and_its_messages_belong_to_no_cell(kernel: Kernel) -> None:
    page = Page(kernel, "assistant")
    assert "error" not in page.do("send", text="Hi")
    page.until_over()
    assert page.text == "Hello **there**."
    assert page.parents == {""}
    assert [each["msg_type"] for each in page.foreign if each["msg_type"] not in {"status", "comm_open"}] == []


def test_commands_wait_for_a_busy_cell_and_are_done_in_their_order(kernel: Kernel) -> None:
    page = Page(kernel, "counter")
    page.behind = True  # what comes beside the cell is taken by who waits for it
    request = kernel.send("import time; time.sleep(0.5)")
    first, second = page.begin("send", text="one"), page.begin("send", text="two")
    kernel.wait(request)
    page.begin("sync")
    page.until(lambda: {first, second} <= set(page.replies))
    page.until(lambda: len(page.state["turns"]) == 2)
    page.until_over()
    assert [turn["question"]["text"] for turn in page.state["turns"]] == ["one", "two"]


def test_an_async_cell_lets_commands_through(kernel: Kernel, tmp_path: Path) -> None:
    page = Page(kernel, "halting")
    page.do("send", text="Hi")
    page.until(lambda: page.text == "Half of it")
    gate = tmp_path / "open"
    request = kernel.send(
        f"import asyncio, pathlib\nwhile not pathlib.Path({str(gate)!r}).exists(): await asyncio.sleep(0.01)"
    )
    page.do("stop", turn_id=page.last["turn_id"])
    assert page.until_over()["status"] == "stopped"
    gate.touch()
    assert kernel.wait(request).status == "ok"


def test_a_function_of_the_notebook_runs_on_the_main_thread_while_the_kernel_is_idle(kernel: Kernel) -> None:
    kernel.run(
        "import hector_nb, threading\nseen = []\n@hector_nb.tool\ndef act(what: str):\n"
        "    seen.append((what, threading.current_thread() is threading.main_thread()))"
    )
    page = Page(kernel, "actor")
    page.do("send", text="Do it")
    page.until_over()
    assert page.text == "It is done."
    assert kernel.run("print(seen)").stdout == "[('it', True)]\n"


def test_an_interrupt_stops_a_function_that_an_idle_kernel_runs(kernel: Kernel) -> None:
    kernel.run(
        "import hector_nb, time, pathlib\n@hector_nb.tool\ndef act(what: str):\n"
        "    print('asleep', flush=True)\n    time.sleep(60)"
    )
    page = Page(kernel, "actor")
    page.do("send", text="Do it")
    page.until(lambda: any("asleep" in str(each["content"]) for each in page.foreign))
    kernel.interrupt()
    page.until_over()
    assert page.last["parts"][0]["status"] == "failed"
    assert kernel.run("print(1)").stdout == "1\n"


def test_a_turn_begun_by_a_cell_is_shown(kernel: Kernel) -> None:
    page = Page(kernel, "assistant")
    page.do("send", text="Hi")
    page.until_over()
    page.behind = True
    kernel.run("%load_ext hector_nb")
    session = kernel.run("print(chat.session.session_id)").stdout.strip()
    cell = kernel.run(f"%%hector assistant --session {session}\nAnd from a cell")
    assert cell.status == "ok", cell.traceback
    page.do("sync")
    page.until(lambda: len(page.state["turns"]) == 2)
    assert page.last["question"]["text"] == "And from a cell"


def test_a_session_of_the_python_api_and_the_magic_show_the_same_chat(kernel: Kernel) -> None:
    kernel.run("%load_ext hector_nb")
    cell = kernel.run("hector = hector_nb.connect()\nhector.session('assistant', 'sess_shown', title='Mine')")
    shown = cell.of("display_data")[0]["data"]
    assert shown["text/plain"] == "Chat with assistant · sess_shown · 0 messages"
    assert "application/vnd.jupyter.widget-view+json" in shown
    cell = kernel.run("%hector chat -s sess_shown")
    assert cell.of("display_data")[0]["data"]["text/plain"] == shown["text/plain"]
    kernel.run("hector.close()")
