"""Tools that need a person's word, in a real kernel: the cell asks, and where nobody is there it means no."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.frontends.kernel import AT_ONCE, Cell, Kernel


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernel")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    kernel = Kernel(folder)
    assert kernel.run("%load_ext hector_nb").status == "ok"
    yield kernel
    kernel.close()


@pytest.fixture(autouse=True)
def written(folder: Path) -> Iterator[Path]:
    file = folder / "a.txt"
    file.unlink(missing_ok=True)
    yield file
    for name in ("a.txt", "b.txt"):
        (folder / name).unlink(missing_ok=True)


def _answers(*lines: str) -> tuple[list[str], Callable[[str], str]]:
    """A person who types these lines, and what they were asked."""
    asked: list[str] = []
    left = iter(lines)

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return next(left)

    return asked, answer


def _cards(cell: Cell) -> list[str]:
    """Every form that the shown calls had, as plain text."""
    shown = [
        each["data"].get("text/plain", "")
        for each in (message["content"] for message in cell.outputs)
        if "data" in each
    ]
    return [text for text in shown if "write_file\n" in text or "execute_command\n" in text]


def test_the_whole_call_is_shown_and_a_yes_makes_it(kernel: Kernel, written: Path) -> None:
    asked, person = _answers("", "maybe", "Y")
    cell = kernel.run("%%hector writer --new\nWrite", on_question=person)
    assert cell.markdown[-1] == "It is done."
    assert written.read_text() == "hi \u202e there"
    first, last = _cards(cell)
    call = "write_file\n  path: a.txt\n  content: hi \\u202e there"
    choices = "y yes · n no · a always for this session · e edit — no answer in "
    assert first.startswith(f"Write this file?\n{call}\n{choices}")
    assert last == f"Approved\n{call}"
    assert asked == ["y/n/a/e: "] * 3


def test_a_no_is_told_to_the_model(kernel: Kernel, written: Path) -> None:
    cell = kernel.run("%%hector writer --new\nWrite", on_question=_answers("n")[1])
    assert (cell.status, cell.markdown[-1]) == ("ok", "It is done.")
    assert not written.exists()
    assert _cards(cell)[-1].startswith("Denied\n")
    told = kernel.run(
        "m = %hector history -s {_hector.session_id}\nprint([each.content for each in m if each.role == 'tool'])"
    ).stdout
    assert "did not allow" in told


def test_always_holds_for_this_tool_in_this_session(kernel: Kernel, written: Path) -> None:
    asked, person = _answers("a")
    kernel.run("%%hector writer --new\nWrite", on_question=person)
    written.unlink()
    cell = kernel.run("%%hector writer\nWrite again", on_question=person)
    assert written.exists()
    assert len(asked) == 1
    assert _cards(cell)[-1].startswith("Approved, as always in this session\n")
    cell = kernel.run("%%hector writer --new\nWrite again", on_question=_answers("n")[1])
    assert _cards(cell)[-1].startswith("Denied\n")


def test_arguments_can_be_changed_and_are_checked(kernel: Kernel, folder: Path, written: Path) -> None:
    _, person = _answers(
        *(
            "e",
            "{not json",
            "[1]",
            json.dumps({"path": 1}),
            "e",
            "",
            "e",
            json.dumps({"path": "b.txt", "content": "ho"}),
        )
    )
    cell = kernel.run("%%hector writer --new\nWrite", on_question=person)
    assert (folder / "b.txt").read_text() == "ho"
    assert not written.exists()
    assert "This is not JSON" in cell.stdout
    assert "one JSON object" in cell.stdout
    assert "do not fit" in cell.stdout
    assert 'Now: {"path": "a.txt", "content": "hi \\u202e there"}' in cell.stdout
    assert _cards(cell)[-1].startswith("Approved with other arguments\n")


def test_two_calls_are_asked_about_one_after_the_other(kernel: Kernel) -> None:
    cell = kernel.run("%%hector runner --new\nRun", on_question=_answers("y", "n")[1])
    assert cell.markdown[-1] == "Both ran."
    assert [card.split("\n")[0] for card in _cards(cell)] == [
        *("Run this command?", "Approved", "Run this command?", "Denied")
    ]
    beside = [each["data"]["text/plain"] for each in cell.of("update_display_data") if "Tool:" in str(each["data"])]
    assert beside[-1] == 'One, then the other.\n[Tool: execute_command("echo one")]\nOutput: one'


def test_without_a_keyboard_it_means_no_and_the_output_says_so(kernel: Kernel, written: Path) -> None:
    cell = kernel.run("%%hector writer --new\nWrite")
    assert (cell.status, cell.markdown[-1]) == ("ok", "It is done.")
    assert not written.exists()
    [card] = _cards(cell)
    assert card.startswith("Denied: nobody to ask\nwrite_file\n")
    assert "set require_approval to never" in card


def test_an_interrupt_while_it_asks_stops_the_turn(kernel: Kernel, written: Path) -> None:
    def interrupt(_: str) -> None:
        kernel.interrupt()

    started = time.monotonic()
    cell = kernel.run("%%hector writer --new\nWrite", on_question=interrupt)
    assert cell.of("error")[0]["ename"] == "KeyboardInterrupt"
    assert _cards(cell)[-1].startswith("Stopped\n")
    assert time.monotonic() - started < AT_ONCE
    assert not written.exists()
    assert kernel.run("%%hector writer\nWrite", on_question=_answers("y")[1]).markdown[-1] == "It is done."


_ELSEWHERE = """
import asyncio, pathlib
from hector_nb.frontends.connect import LoopThread, open_service
async def decide():
    async with open_service() as service:
        while not pathlib.Path("asked").exists():
            await asyncio.sleep(0.01)
        sessions = (await service.list_sessions("writer", limit=1)).items
        for approval in await service.list_approvals("writer", sessions[0].session_id):
            await service.decide_approval("writer", sessions[0].session_id, approval.call_id, "approve")
"""


def test_an_answer_from_elsewhere_takes_the_question_back(kernel: Kernel, folder: Path, written: Path) -> None:
    """The cell goes on by itself, and what is typed too late is nobody's answer."""
    kernel.run(_ELSEWHERE)
    kernel.run("deciding = LoopThread.shared().submit(decide())")
    cell = kernel.run("%%hector writer --new\nWrite", on_question=lambda _: (folder / "asked").touch())
    assert (cell.status, cell.markdown[-1]) == ("ok", "It is done.")
    assert _cards(cell)[-1].startswith("Approved elsewhere\n")
    assert written.exists()
    assert kernel.run("print('next')").stdout == "next\n"


@pytest.mark.parametrize(
    "part", ["<img src=x onerror=window.ran=1>", "\x1b[2J\x1b]0;title\x07", "$\\href{javascript:1}{a}$"]
)
def test_nothing_in_a_call_reaches_the_page_as_markup(part: str) -> None:
    from hector_nb.frontends.asking import call_text
    from hector_nb.frontends.cell_approvals import CardOutput

    shown: list[dict[str, Any]] = []
    card = CardOutput(call_text("act", {"what": part, part: 1}), lambda bundle, *_: shown.append(dict(bundle)))
    card.ask("Let it?", "y yes")
    [bundle] = shown
    assert "<img" not in bundle["text/html"]
    assert "\x1b" not in str(bundle.values())
    assert "$\\href" not in bundle["text/html"]
