"""How long the notebook's functions can be called by the agent of a chat."""

import asyncio

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


def test_a_chat_that_is_closed_in_mid_answer_holds_the_main_thread_no_more(world: World) -> None:
    world.agent("assistant", ["Half", asyncio.Event()])
    view = world.chat()
    view.ask("send", text="Hi")
    view.until_status("writing")
    assert held(view)
    view._controller.close()
    assert held(view) == set()
