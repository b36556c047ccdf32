"""What the chat shows of a turn."""

import asyncio

from hector_nb.errors import ModelTimeout
from hector_nb.events import ThinkingDelta
from tests.frontends.widget.world import World


def test_an_answer_is_written_as_it_comes(world: World) -> None:
    gate = asyncio.Event()
    world.agent("assistant", ["Hello ", gate, "Ada"])
    view = world.chat()
    assert view.do("send", text="Hi") == view.replies["c1"][0]
    assert view.until(lambda: view.text == "Hello ")
    assert view.last["status"] == "writing"
    assert view.last["question"]["text"] == "Hi"
    world.release(gate)
    turn = view.until_over()
    assert (turn["status"], view.text) == ("done", "Hello Ada")
    assert turn["message_id"].startswith("msg_")
    assert turn["question"]["message_id"].startswith("msg_")
    assert turn["seconds"] is not None
    view.until(lambda: view.state["session"]["title"] == "Hi")
    assert view.state["meter"]["tokens"] > 0


def test_thinking_is_a_part_of_its_own(world: World) -> None:
    world.agent("assistant", [ThinkingDelta(text="Let me "), ThinkingDelta(text="see"), "Yes"])
    view = world.chat()
    view.ask("send", text="Hi")
    parts = view.until_over()["parts"]
    assert [(part["kind"], part["text"]) for part in parts] == [("thinking", "Let me see"), ("text", "Yes")]
    assert parts[0]["seconds"] is not None


def test_a_failure_keeps_what_was_said(world: World) -> None:
    world.agent("assistant", ["Half", ModelTimeout("No data for 60 s.")])
    view = world.chat()
    view.ask("send", text="Hi")
    turn = view.until_over()
    assert (turn["status"], view.text) == ("failed", "Half")
    assert turn["problem"]["title"] == "The model stopped answering."
    assert turn["problem"]["text"] == "No data for 60 s. What it had said is kept, and the session is intact."


def test_a_stop_keeps_what_was_said(world: World) -> None:
    world.agent("assistant", ["Half", asyncio.Event()])
    view = world.chat()
    view.ask("send", text="Hi")
    view.until(lambda: view.text == "Half")
    view.ask("stop", turn_id=view.last["turn_id"])
    assert view.until_over()["status"] == "stopped"
    assert view.text == "Half"


def test_a_second_message_waits_and_may_be_taken_back(world: World) -> None:
    gate = asyncio.Event()
    world.agent("assistant", [gate, "One"], ["Three"])
    view = world.chat()
    view.ask("send", text="first")
    view.ask("send", text="second")
    view.ask("send", text="third")
    assert [each["text"] for each in view.state["queue"]] == ["second", "third"]
    view.ask("unqueue", queued=view.state["queue"][0]["id"])
    world.release(gate)
    view.until_over(turns=2)
    assert view.text == "Three"
    assert [turn["question"]["text"] for turn in view.turns] == ["first", "third"]
