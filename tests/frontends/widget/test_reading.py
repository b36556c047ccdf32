"""Events become state."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hector_nb.events import (
    ApprovalAsked,
    ApprovalDecided,
    Event,
    ModelUsed,
    NestedDelta,
    TextDelta,
    ThinkingDelta,
    ToolCalled,
    ToolReturned,
    TurnDone,
    TurnFailed,
    TurnReset,
    TurnStarted,
)
from hector_nb.frontends.widget.pace import INTERVAL, Pace
from hector_nb.frontends.widget.reading import TurnReader
from hector_nb.frontends.widget.state import Recorder, apply, empty_state
from hector_nb.frontends.widget.turns import new_turn
from hector_nb.messages import Usage
from hector_nb.service import AgentInfo

INFO = AgentInfo(name="assistant", description="", model="m", provider="scripted", host=None)
STARTED = TurnStarted(session_id="s", turn_id="t", message_id="msg_q", message_number=1, memory_tokens=1)
DEADLINE = "2030-01-01T00:00:00.000Z"


def read(*events: Event) -> dict[str, Any]:
    """The turn after these events; each step is told by ops alone, too."""
    record = Recorder(empty_state())
    told = record.snapshot()["state"]
    record.push(["turns"], new_turn("t", text="Q", at=datetime.now(UTC)))
    clock = iter(range(1000))
    reader = TurnReader(record, "t", INFO, clock=lambda: float(next(clock)))
    for event in events:
        reader.take(event)
        for message in record.take():
            for op in message["ops"]:
                apply(told, op)
        assert told == record.get()
    return dict(record.get("turns", 0))


def done(reason: Any = "stop") -> TurnDone:
    return TurnDone(turn_id="t", message_id="msg_a", finish_reason=reason, usage=Usage(completion_tokens=7))


def test_text_around_a_call_is_in_two_parts_without_the_gap_between() -> None:
    turn = read(
        STARTED,
        TextDelta(text="Let me look."),
        ToolCalled(call_id="c", name="search", arguments={"query": "sales"}),
        ToolReturned(call_id="c", name="search", output="a\n\nb"),
        TextDelta(text="\n\n"),
        TextDelta(text="Found."),
        done(),
    )
    assert [part.get("text") for part in turn["parts"]] == ["Let me look.", None, "Found."]
    call = turn["parts"][1]
    assert (call["verb"], call["subject"], call["result"], call["status"]) == (
        "Searched for",
        "sales",
        "2 hits",
        "done",
    )
    assert (turn["tokens"], turn["estimated"], turn["message_id"]) == (7, False, "msg_a")


def test_a_called_agent_speaks_under_its_call_and_its_question_is_shown() -> None:
    asked = ApprovalAsked(call_id="n", name="execute_command", arguments={"command": "ls"}, deadline=DEADLINE)
    events: list[Event] = [
        STARTED,
        ToolCalled(call_id="c", name="agent_call", arguments={"agent": "helper", "message": "do"}),
        NestedDelta(call_id="c", agent="helper", session_id="s2", turn_id="t2", text="I "),
        NestedDelta(call_id="c", agent="helper", session_id="s2", turn_id="t2", text="do"),
        asked,
    ]
    turn = read(*events)
    assert turn["parts"][0]["nested"] == {"agent": "helper", "text": "I do"}
    assert (turn["status"], turn["parts"][1]["status"]) == ("approval", "waiting")
    turn = read(*events, ApprovalDecided(call_id="n", decision="approve"))
    assert (turn["status"], turn["parts"][1]["status"], turn["parts"][1]["verb"]) == ("tool", "done", "Ran")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        (ApprovalDecided(call_id="c", decision="deny"), "denied"),
        (ApprovalDecided(call_id="c", decision="deny", expired=True), "expired"),
    ],
)
def test_a_call_that_nobody_allowed_says_so(word: ApprovalDecided, status: str) -> None:
    asked = ApprovalAsked(call_id="c", name="write_file", arguments={"path": "a", "content": "b"}, deadline=DEADLINE)
    turn = read(STARTED, asked, word, TextDelta(text="Well."), done())
    assert (turn["parts"][0]["status"], turn["parts"][0]["approval"]) == (status, None)


def test_edited_arguments_are_shown_in_place_of_the_models() -> None:
    asked = ApprovalAsked(call_id="c", name="execute_command", arguments={"command": "rm x"}, deadline=DEADLINE)
    word = ApprovalDecided(call_id="c", decision="approve", edited={"command": "ls x"})
    assert read(STARTED, asked, word)["parts"][0]["subject"] == "ls x"


def test_what_runs_when_a_turn_is_stopped_is_cancelled() -> None:
    turn = read(STARTED, ToolCalled(call_id="c", name="act", arguments={"what": "it"}), done("cancelled"))
    assert (turn["status"], turn["parts"][0]["status"], turn["parts"][0]["verb"]) == (
        "stopped",
        "cancelled",
        "Used act",
    )


def test_a_reset_replaces_the_answer() -> None:
    turn = read(STARTED, TextDelta(text="lost"), TurnReset(turn_id="t", text="kept"), done())
    assert [part["text"] for part in turn["parts"]] == ["kept"]


def test_a_process_that_died_leaves_an_interrupted_turn() -> None:
    turn = read(STARTED, TextDelta(text="Half"), TurnFailed(code="interrupted", message="The server stopped."))
    assert (turn["status"], turn["problem"]["title"], turn["problem"]["retryable"]) == (
        "interrupted",
        "The answer was cut short.",
        True,
    )


def test_tokens_are_estimated_until_they_are_known() -> None:
    turn = read(STARTED, ThinkingDelta(text="x" * 40), TextDelta(text="y" * 40))
    assert (turn["tokens"], turn["estimated"]) == (20, True)
    turn = read(STARTED, TextDelta(text="y" * 40), ModelUsed(usage=Usage(completion_tokens=3)))
    assert (turn["tokens"], turn["estimated"]) == (3, False)


def test_what_json_and_utf_8_cannot_hold_does_not_get_into_the_state() -> None:
    turn = read(
        STARTED,
        TextDelta(text="a\ud800b"),
        ToolCalled(call_id="c", name="act", arguments={"x": float("nan"), "y\udc00": ["\ud800"]}),
    )
    assert turn["parts"][0]["text"] == "a\ufffdb"
    assert turn["parts"][1]["arguments"] == {"x": "nan", "y\ufffd": ["\ufffd"]}


def test_ops_that_add_text_to_one_place_become_one() -> None:
    record = Recorder({"text": "", "list": [{"a": 1}]})
    for text in ("a", "b", "c"):
        record.add(["text"], text)
    record.set(["list", 0, "a"], 2)
    record.set(["list", 0, "a"], 3)
    record.set(["list", 0, "a"], 3)
    [message] = record.take()
    assert message == {"t": "ops", "n": 1, "ops": [["add", ["text"], "abc"], ["set", ["list", 0, "a"], 3]]}
    assert record.take() == []


def test_a_snapshot_contains_what_is_on_its_way() -> None:
    record = Recorder({"text": ""})
    record.add(["text"], "a")
    snapshot = record.snapshot()
    record.add(["text"], "b")
    assert (snapshot["n"], snapshot["state"]) == (1, {"text": "a"})
    assert [message["n"] for message in record.take()] == [1, 2]
    assert record.snapshot()["n"] == 2


@pytest.mark.parametrize("speed", [20, 50, 200, 1000])
def test_an_answer_of_2000_tokens_takes_100_kb_at_most(speed: int) -> None:
    pace = Pace()
    pace.begin()
    now, messages, waiting = 0.0, 0, 0
    for number in range(2000):
        now = number / speed
        pace.grow("token")
        waiting += 1
        if pace.wait(now, only_text=True) == 0:
            pace.sent(now)
            messages, waiting = messages + 1, 0
    assert messages * 520 + 2000 * 5 <= 100_000
    assert messages <= now / INTERVAL + 2
    assert messages >= min(now * 5, 60)
