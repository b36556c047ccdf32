"""Calls that were refused, or that failed, as people see them: while they happen and after a reload, in the chat and elsewhere."""

import pytest

from hector_nb.events import ToolCalled, ToolReturned
from hector_nb.frontends import tool_words
from hector_nb.frontends.aside import Aside
from hector_nb.frontends.widget.transcript import as_markdown
from hector_nb.messages import INVALID_ARGUMENTS, ToolCall
from tests.frontends.widget.world import World

RAW = '{"path": "a.txt", "cont'
CALLS = (
    ToolCall(call_id="c1", name="write_fiel", arguments={"path": "a.txt"}),
    ToolCall(call_id="c2", name="write_file", arguments={INVALID_ARGUMENTS: RAW}),
    ToolCall(call_id="c3", name="read_file", arguments={"path": "../../secret"}),
    ToolCall(call_id="c4", name="execute_command", arguments={"command": "ls; rm x"}),
    ToolCall(call_id="c5", name="read_file", arguments={"file": "a.txt"}),
)
TOOLS = ["write_file", "read_file", "execute_command"]


def test_refused_calls_look_the_same_live_and_after_a_reload(world: World) -> None:
    world.agent("assistant", [CALLS[0], CALLS[1], CALLS[2], CALLS[3], CALLS[4]], ["Well"], tools=TOOLS)
    view = world.chat()
    view.do("send", text="Go")
    live = [{**part, "seconds": None} for part in view.until_over()["parts"] if part["kind"] == "tool"]
    session = view.state["session"]["session_id"]
    later = [part for part in world.chat(session_id=session).state["turns"][-1]["parts"] if part["kind"] == "tool"]
    assert live == later
    assert [(part["status"], f"{part['verb']} {part['subject']}".strip()) for part in live] == [
        ("failed", 'Could not use write_fiel path="a.txt"'),
        ("failed", f"Could not write {RAW}"),
        ("failed", "Could not read ../../secret"),
        ("failed", "Could not run ls; rm x"),
        ("failed", "Could not read"),
    ]
    assert all(part["result"] and part["output"].startswith(part["result"].rstrip("…")) for part in live)
    assert live[1]["arguments"] == {"as written": RAW}
    assert INVALID_ARGUMENTS not in str(view.state)
    shown = as_markdown(view.state)
    assert shown.count("Could not read ../../secret") == 1
    assert INVALID_ARGUMENTS not in shown.replace("\\", "")


def test_a_command_that_ran_and_failed_did_run() -> None:
    assert tool_words.verb_of("execute_command", "no such file\n[exit code 2]", is_error=True) == "Ran"
    assert tool_words.result("execute_command", "no such file\n[exit code 2]", is_error=True) == "exit code 2"
    assert tool_words.verb_of("execute_command", "rm is not allowed.", is_error=True) == "Could not run"
    assert tool_words.result("execute_command", "rm is not allowed.", is_error=True) == "rm is not allowed."


def test_arguments_that_are_nothing_at_all_are_shown_as_nothing() -> None:
    assert tool_words.shown_arguments({INVALID_ARGUMENTS: ""}) == {}
    assert tool_words.subject("act", {INVALID_ARGUMENTS: ""}) == ""


@pytest.mark.parametrize(
    ("failing", "title"), [((0, 1), "Could not use act × 2"), ((1,), "Used act × 2 · 1 failed"), ((), "Used act × 2")]
)
def test_a_cell_says_how_its_calls_went(failing: tuple[int, ...], title: str) -> None:
    aside = Aside(thinking=False, tools=True, debug=False)
    for number in range(2):
        aside.take(ToolCalled(call_id=str(number), name="act", arguments={INVALID_ARGUMENTS: "{what\n"}))
        aside.take(ToolReturned(call_id=str(number), name="act", output="Well.", is_error=number in failing))
    assert aside.title == title
    assert aside.text.count("[Tool: act({what)]\n") == 2
    assert aside.text.count("[act failed: Well.]\n") == len(failing)


def test_a_cell_does_not_call_a_refusal_the_output_of_a_command() -> None:
    aside = Aside(thinking=False, tools=True, debug=False)
    for output in ("rm is not allowed.", "oh\n[exit code 2]"):
        aside.take(ToolCalled(call_id="c", name="execute_command", arguments={"command": "rm x"}))
        aside.take(ToolReturned(call_id="c", name="execute_command", output=output, is_error=True))
    assert "[execute_command failed: rm is not allowed.]\n" in aside.text
    assert "Output: oh\n[exit code 2]\n" in aside.text
    assert aside.title == "Used execute_command × 2 · 1 failed"
