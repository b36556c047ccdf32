"""A chat goes on where it was when its cell runs again or the kernel was restarted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.frontends.kernel import Cell, Kernel

PATH = "/home/ada/first steps.ipynb"
SAID = "print('|'.join(each['question']['text'] for each in {}._controller.state['turns']))"


class Notebook(Kernel):
    """A kernel in which chats are opened and spoken in."""

    def ok(self, code: str, cell: str | None = None) -> Cell:
        ran = self.run(code, cell=cell)
        assert ran.status == "ok", ran.traceback
        return ran

    def chat(self, cell: str = "a", arguments: str = "'assistant'", name: str = "chat") -> list[str]:
        """Run a cell with a chat; what was said in it."""
        self.shown = self.ok(f"{name} = hector_nb.chat({arguments})\n{name}", cell)
        return self.said(name)

    def said(self, name: str = "chat") -> list[str]:
        return self.ok(SAID.format(name)).stdout.strip().split("|")

    def say(self, text: str, name: str = "chat") -> None:
        """Say something and wait until it is answered."""
        self.ok(f"say({name}, {text!r})")

    def pick(self, name: str, **fields: Any) -> None:
        """Do what a click in a chat does."""
        self.ok(f"pick({name}, {fields!r})")


_TOOLS = """
import hector_nb, time
def until(true):
    end = time.monotonic() + 50
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
def say(chat, text):
    before = len(chat._controller.state["turns"])
    chat.send(text)
    until(lambda: len(t := chat._controller.state["turns"]) > before and t[-1]["status"] == "done")
def pick(chat, command):
    chat._controller._loop.run(chat._controller._commands.obey({"id": "x", **command}))
"""


@pytest.fixture
def start(tmp_path: Path) -> Any:
    @contextmanager
    def begin(notebook: str | None = PATH) -> Iterator[Notebook]:
        kernel = Notebook(tmp_path, notebook=notebook)
        try:
            kernel.ok(f"%load_ext hector_nb\n{_TOOLS}")
            yield kernel
        finally:
            kernel.close()

    return begin


def test_a_chat_goes_on_after_a_restart_and_when_its_cell_runs_again(start: Any) -> None:
    with start() as kernel:
        assert kernel.chat() == [""]
        kernel.say("one")
        assert kernel.chat() == ["one"]
        kernel.say("two")
    with start() as kernel:
        assert kernel.chat() == ["one", "two"]
        saved = kernel.shown.of("display_data")[0]["data"]
        assert "4 messages" in saved["text/plain"]
        assert "two" in saved["text/markdown"]
        kernel.say("three")
        assert kernel.said() == ["one", "two", "three"]
    with start("/home/ada/other.ipynb") as kernel:
        assert kernel.chat() == [""]


def test_each_chat_of_a_notebook_has_its_own_session(start: Any) -> None:
    both = "a, b = hector_nb.chat('assistant'), hector_nb.chat('assistant')"
    with start() as kernel:
        kernel.chat("first")
        kernel.say("one")
        kernel.chat("second")
        kernel.say("two")
        kernel.ok(both, "third")
        kernel.say("three", "a")
        kernel.say("four", "b")
        kernel.ok("%hector five", "fourth")
    with start() as kernel:
        assert kernel.chat("second") == ["two"]
        assert kernel.chat("first") == ["one"]
        kernel.ok(both, "third")
        assert (kernel.said("a"), kernel.said("b")) == (["three"], ["four"])
        assert kernel.chat("new") == [""]
        assert kernel.chat("first", "'keeper'") == [""]
        assert kernel.chat("first", "") == ["one"]


def test_a_chat_goes_on_in_the_session_in_which_was_spoken_last(start: Any) -> None:
    with start() as kernel:
        kernel.chat(arguments="")
        kernel.say("one")
        first = kernel.ok("print(chat.session.session_id)").stdout.strip()
        kernel.pick("chat", t="new", agent="keeper")
        kernel.say("two")
        assert kernel.chat(arguments="") == ["two"]
        kernel.pick("chat", t="open", session_id=first)
        assert kernel.chat(arguments="") == ["two"], "only looked at"
        kernel.pick("chat", t="open", session_id=first)
        kernel.pick("chat", t="fork", turn_id=None)
        kernel.say("three")
        assert kernel.chat(arguments="") == ["one", "three"]
        kernel.pick("chat", t="open", session_id=first)
        kernel.say("four")
        assert kernel.chat(arguments="") == ["one", "four"]
    with start() as kernel:
        assert kernel.chat(arguments="") == ["one", "four"]


def test_what_was_ended_or_deleted_is_not_gone_on_with(start: Any) -> None:
    with start() as kernel:
        for command in ({"t": "end"}, {"t": "delete", "forget": False}):
            kernel.chat()
            kernel.say("one")
            kernel.pick("chat", **command)
            assert kernel.chat() == [""]


def test_a_named_session_is_opened_whatever_the_chat_was_in(start: Any) -> None:
    with start() as kernel:
        kernel.ok("%hector -s mine hello")
        kernel.chat()
        kernel.say("one")
        assert kernel.chat(arguments="session='mine'") == ["hello"]
        kernel.say("there")
        assert kernel.chat() == ["one"]


def test_the_notebooks_chat_goes_on_with_the_cells_and_takes_them_along(start: Any) -> None:
    open_it = "nb = get_ipython().run_line_magic('hector', 'chat')"
    with start() as kernel:
        kernel.ok("%hector one", "a")
        kernel.ok(open_it, "b")
        assert kernel.said("nb") == ["one"]
        kernel.pick("nb", t="new", agent=None)
        kernel.say("two", "nb")
        kernel.ok("%hector three", "c")
        kernel.ok(open_it, "b")
        assert kernel.said("nb") == ["two", "three"]
    with start() as kernel:
        kernel.ok(open_it, "b")
        assert kernel.said("nb") == ["two", "three"]
        kernel.ok("%hector new")
        kernel.ok(open_it, "b")
        assert kernel.said("nb") == [""]
