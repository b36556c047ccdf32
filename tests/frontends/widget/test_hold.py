"""How long the notebook's functions can be called by the agent of a chat."""

import asyncio
from typing import Any

import pytest

from hector_nb.errors import ModelRateLimited
from hector_nb.runtime.sessions import UserSessions
from hector_nb.service import TurnStream
from tests.frontends.widget.world import View, World


def held(view: View) -> set[str]:
    """The turns for which the main thread is held."""
    return set(view._controller._hold._holders)


def test_the_main_thread_is_held_until_the_turn_is_over(world: World) -> None:
    gate = asyncio.Event()
    world.agent("assistant", ["Half", gate, " whole"])
    view = world.chat()
    view.ask("send", text="Hi")
    view.until_status("writing")
    assert held(view) == {view.last["turn_id"]}
    world.release(gate)
    view.until_over()
    assert held(view) == set()


def test_the_main_thread_is_held_for_a_turn_that_is_not_shown_any_more(world: World) -> None:
    gate = asyncio.Event()
    world.agent("assistant", ["Half", gate, " whole"])
    view = world.chat()
    view.ask("send", text="Hi")
    turn_id = view.until_status("writing")["turn_id"]
    view.ask("new", agent=None)
    assert held(view) == {turn_id}
    world.release(gate)
    view.until(lambda: not held(view))


def test_the_main_thread_is_not_held_for_a_turn_whose_end_comes_before_its_beginning_is_known(
    world: World, late_senders: asyncio.Event
) -> None:
    world.agent("assistant", ["Hello"])
    view = world.chat()
    sending = view.begin("send", text="Hi")
    view.until_over()
    assert sending not in view.replies
    world.release(late_senders)
    view.until(lambda: sending in view.replies)
    assert (held(view), view.text, len(view.turns)) == (set(), "Hello", 1)


def test_such_a_turn_is_tried_again_as_any_other(world: World, late_senders: asyncio.Event) -> None:
    world.agent("assistant", [ModelRateLimited("Slower.", hint="Try again in 1 s.")], ["Here"])
    view = world.chat()
    view.begin("send", text="Hi")
    view.until_over()
    assert view.last["problem"]["retry_at"] is None
    world.release(late_senders)
    view.until_status("done")
    assert (view.text, len(view.turns)) == ("Here", 1)


@pytest.fixture
def late_senders(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Until this is set, those who send a message do not hear that their turn has begun; followers do."""
    send, gate = UserSessions.stream_message, asyncio.Event()

    async def late(*request: Any) -> TurnStream:
        stream = await send(*request)
        await gate.wait()
        return stream

    monkeypatch.setattr(UserSessions, "stream_message", late)
    return gate


def test_a_chat_that_is_closed_in_mid_answer_holds_the_main_thread_no_more(world: World) -> None:
    world.agent("assistant", ["Half", asyncio.Event()])
    view = world.chat()
    view.ask("send", text="Hi")
    view.until_status("writing")
    assert held(view)
    view._controller.close()
    assert held(view) == set()
