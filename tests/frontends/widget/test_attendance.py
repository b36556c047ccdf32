"""A chat that no front end draws becomes the plain one, and comes back when one does; in a real kernel whose front end is this test."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.frontends.kernel import PATIENCE, Kernel

START = """
import hector_nb
from pathlib import Path
from hector_nb.frontends.widget import attendance, bundle
bundle.PLACE = Path("chat.js")
bundle.PLACE.write_text("export default {}")
attendance.TICK, attendance.TICKS = 0.02, 5
"""
SHOW = "chat = hector_nb.chat('assistant')\nchat"
VIEW = "application/vnd.jupyter.widget-view+json"


class Page:
    """A page that shows one chat; whether it can draw it is up to the test."""

    def __init__(self, kernel: Kernel, code: str = SHOW) -> None:
        self.kernel, self.client = kernel, kernel._client
        cell = kernel.run(code)
        assert cell.status == "ok", cell.traceback
        self.comm_id = next(each["comm_id"] for each in cell.of("comm_open") if "_esm" in each["data"]["state"])
        [self.shown] = [each["data"] for each in cell.of("display_data")]

    def tell(self, t: str, **fields: Any) -> None:
        data = {"method": "custom", "content": {"t": t, "id": f"{t}-1", **fields}}
        self.client.shell_channel.send(self.client.session.msg("comm_msg", {"comm_id": self.comm_id, "data": data}))

    def next(self, *kinds: str, true: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The next message of these kinds."""
        end = time.monotonic() + PATIENCE
        while True:
            message = self.client.get_iopub_msg(timeout=end - time.monotonic())
            if message["msg_type"] in kinds and true(message["content"]):
                return dict(message["content"])

    @property
    def model(self) -> str:
        return str(self.shown[VIEW]["model_id"])


@pytest.fixture
def kernel(tmp_path: Any) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path, notebook="/home/ada/a.ipynb")
    assert kernel.run(START).status == "ok"
    yield kernel
    kernel.close()


def test_the_plain_chat_stands_in_until_a_front_end_comes(kernel: Kernel) -> None:
    page = Page(kernel)
    changed = page.next("update_display_data")["data"]
    assert changed[VIEW]["model_id"] != page.model
    assert changed["text/plain"] == page.shown["text/plain"]
    kernel.send("chat.send('Hi')")
    page.next("comm_open", "comm_msg", true=lambda content: "<strong>there</strong>" in json.dumps(content["data"]))
    page.tell("sync")
    back = page.next("update_display_data")["data"]
    assert back[VIEW]["model_id"] == page.model
    assert "Hello" in back["text/markdown"]
    page.tell("rename", title="Known")
    told = page.next("comm_msg", true=lambda content: content["data"].get("content", {}).get("id") == "rename-1")
    assert "error" not in told["data"]["content"]
    assert kernel.run("print(chat.session.title, chat.stood_in)").stdout == "Known False\n"


def test_a_front_end_that_is_there_keeps_its_chat(kernel: Kernel) -> None:
    page = Page(kernel)
    page.tell("sync")
    page.next("comm_msg", true=lambda content: content["data"].get("content", {}).get("t") == "reply")
    assert kernel.run("print(chat._attendance, chat.stood_in)").stdout == "None False\n"


def test_time_in_which_the_kernel_could_not_hear_does_not_count(kernel: Kernel) -> None:
    waiting = "chat._ipython_display_()\nimport time, asyncio\ntime.sleep(0.2)\nawait asyncio.sleep(0.3)\nprint(chat.stood_in)"
    cell = kernel.run(f"chat = hector_nb.chat('assistant')\n{waiting}")
    assert cell.stdout == "False\n"
    assert not cell.of("update_display_data")


def test_a_chat_that_is_wanted_as_it_is_stays(kernel: Kernel) -> None:
    Page(kernel, "chat = hector_nb.chat('assistant', frontend='full')\nchat")
    assert kernel.run("print(chat._attendance)").stdout == "None\n"


def test_a_chat_that_is_closed_waits_for_nobody(kernel: Kernel) -> None:
    Page(kernel)
    page = Page(kernel)
    page.next("update_display_data")
    assert kernel.run("chat.close()\nchat.close()").status == "ok"
