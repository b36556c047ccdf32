"""The memory inspector: ledgers, memories, setting them right."""

import asyncio
import time

import pytest

from hector_nb.runtime import forgotten
from tests.frontends.widget.test_commands import told
from tests.frontends.widget.world import View, World

KEEPS = {"memory": {"longterm": {"storage_scope": "conversational"}}}


def remembered(view: View, number: int = 1) -> list[dict[str, object]]:
    """The memories, once there are so many."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = view.ask("memories", query="", cursor=None)["memories"]
        if len(found) >= number:
            return list(found)
    raise AssertionError("Nothing was remembered.")


def test_the_ledger_of_a_turn_names_what_the_model_saw(world: World) -> None:
    world.agent("assistant", ["One"], ["Two"], instruction="Be brief.")
    view = world.chat()
    turns = [told(view, "first", 1), told(view, "second", 2)]
    ledger = view.ask("context", turn_id=turns[1])
    assert ledger["turns"] == turns
    shown = [(part["kind"], part["text"]) for part in ledger["parts"]]
    assert shown == [("system", "Be brief."), ("message", "first"), ("message", "One"), ("message", "second")]
    assert [part["turn_id"] for part in ledger["parts"][1:]] == [turns[0], turns[0], turns[1]]
    assert view.ask("context", turn_id=turns[0])["parts"][-1]["text"] == "first"
    assert view.ask("context", turn_id=None)["turn_id"] is None
    assert view.do("context", turn_id="turn_gone")["error"]["code"] == "turn_not_found"


def test_before_the_first_message_there_is_nothing_to_see(world: World) -> None:
    world.agent("assistant")
    view = world.chat()
    ledger = view.ask("context", turn_id=None)
    assert (ledger["parts"], ledger["tokens"], ledger["budget"]) == ([], 0, 4000)
    assert view.ask("memories", query="", cursor=None) == {
        "scope": None,
        "memories": [],
        "next_cursor": None,
        "pending": 0,
    }


def test_the_meter_is_that_of_the_ledger(world: World) -> None:
    world.agent("assistant", ["One"])
    view = world.chat()
    told(view, "first", 1)
    view.until(lambda: [part["items"] for part in view.state["meter"]["parts"] if part["part"] == "message"] == [2])
    ledger = view.ask("context", turn_id=None)
    assert view.state["meter"]["tokens"] == ledger["tokens"]
    assert view.state["meter"]["budget"] == ledger["budget"]


def test_memories_are_searched_and_corrected(world: World) -> None:
    world.agent("assistant", ["Noted."], repeat=True, **KEEPS)
    view = world.chat()
    told(view, "My dog is called Bello", 1)
    told(view, "I was born in Lyon", 2)
    remembered(view, 2)
    page = view.ask("memories", query="what is the name of my dog", cursor=None)
    assert "Bello" in page["memories"][0]["text"]
    assert page["memories"][0]["score"] > 0
    assert page["memories"][0]["session_title"] == "My dog is called Bello"
    assert page["memories"][0]["own"] is True
    memory = page["memories"][0]["memory_id"]
    assert view.ask("correct", memory_id=memory, text="The dog is called Rex")["corrected_at"] is not None
    assert view.ask("memories", query="dog", cursor=None)["memories"][0]["text"] == "The dog is called Rex"
    assert view.do("correct", memory_id=memory, text=" ")["error"]["code"] == "invalid_request"


def test_a_forgotten_memory_is_gone_at_once_and_can_be_put_back(world: World) -> None:
    world.agent("assistant", ["Noted."], repeat=True, **KEEPS)
    view = world.chat()
    told(view, "My dog is called Bello", 1)
    [memory] = remembered(view)
    view.ask("forget", memory_id=memory["memory_id"])
    assert view.ask("memories", query="", cursor=None)["memories"] == []
    back = view.ask("restore", memory_id=memory["memory_id"])
    assert back == memory
    [found] = view.ask("memories", query="dog", cursor=None)["memories"]
    assert (found["memory_id"], found["vector_score"] is not None) == (memory["memory_id"], True)
    assert view.do("restore", memory_id=memory["memory_id"])["error"]["code"] == "memory_not_found"


def test_what_was_forgotten_too_long_ago_stays_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgotten, "KEPT", 0.0)
    world.agent("assistant", ["Noted."], repeat=True, **KEEPS)
    view = world.chat()
    told(view, "My dog is called Bello", 1)
    [memory] = remembered(view)
    view.ask("forget", memory_id=memory["memory_id"])
    world.ask(lambda _: asyncio.sleep(0.01))
    assert view.do("restore", memory_id=memory["memory_id"])["error"]["code"] == "memory_not_found"


def test_a_turn_tells_how_many_memories_its_model_was_shown(world: World) -> None:
    world.agent("assistant", ["Noted."], repeat=True, **KEEPS)
    view = world.chat()
    told(view, "My dog is called Bello", 1)
    remembered(view)
    view.ask("new", agent=None)
    view.until(lambda: view.state["welcome"]["memories"] == 1)
    assert view.state["welcome"]["sessions"] == 1
    told(view, "What is my dog called?", 1)
    assert view.last["memories"] == 1
    view.ask("open", session_id=view.state["session"]["session_id"])
    view.until(lambda: view.last["memories"] == 1)


def test_the_window_line_stands_where_the_model_begins_to_see(world: World) -> None:
    world.agent(
        "assistant",
        ["answer " * 40],
        repeat=True,
        memory={"working": {"strategy": "buffer_window", "window_size": 4}},
    )
    view = world.chat()
    turns = [told(view, f"question {number}", number + 1) for number in range(4)]
    view.until(lambda: view.state["window"])
    assert view.state["window"]["folded"] is None
    assert view.state["window"]["turn_id"] in turns[1:]


def test_turns_that_are_folded_are_told_and_the_line_moves(world: World) -> None:
    world.agent(
        "assistant",
        ["answer " * 60],
        repeat=True,
        memory={"working": {"strategy": "summary_buffer", "budget": 300, "threshold": 0.8, "target": 0.5}},
    )
    view = world.chat()
    folding = []
    for number in range(5):
        told(view, f"question {number}", number + 1)
        folding.append((view.state["window"] or {}).get("folding"))
    view.until(lambda: (view.state["window"] or {}).get("folded"))
    line = view.state["window"]
    assert line["folded"]["from"] > line["folded"]["to"] > 0
    view.until(lambda: view.state["window"]["folding"] is None)
