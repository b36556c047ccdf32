"""What the engine tells of its turns."""

import asyncio

import pytest

from hector_nb.errors import ModelError
from hector_nb.telemetry.base import ARRIVAL, Arrival
from hector_nb.telemetry.several import Several
from tests.runtime.fake_tools import FakeTool, call
from tests.runtime.world import first_text, opened, text_of
from tests.telemetry.told import Notes

pytestmark = pytest.mark.anyio


async def test_a_turn_is_told_in_its_order() -> None:
    notes = Notes()
    async with opened([["Hi", " there"]]) as world:
        world.runtime.telemetry = Several([notes])
        await text_of(await world.send("Hello", await world.session()))
    (turn,) = notes.turns
    assert turn.words == ["asked 1", "heard", "answered stop", "ended complete stop"]
    assert (turn.facts.agent, turn.facts.provider, turn.facts.host) == ("assistant", "scripted", None)
    assert turn.facts.queued_at <= turn.facts.began_at
    assert notes.stored_parts >= 1


async def test_calls_of_tools_are_told_with_what_came_of_them() -> None:
    notes = Notes()
    async with opened([[call()], ["4"]], tools=[FakeTool()]) as world:
        world.runtime.telemetry = notes
        await text_of(await world.send("Double 2", await world.session()))
    words = notes.turns[0].words
    assert words[:5] == ["asked 1", "heard", "answered tool_calls", "called act", "returned"]
    assert words[5:] == ["asked 2", "heard", "answered stop", "ended complete stop"]


async def test_a_model_that_fails_is_told_by_the_errors_code() -> None:
    notes = Notes()
    async with opened([["So", ModelError("no")]]) as world:
        world.runtime.telemetry = notes
        await text_of(await world.send("Hello", await world.session()))
    assert notes.turns[0].words == ["asked 1", "heard", "unanswered model_error", "ended failed model_error"]


async def test_a_cancelled_turn_is_told_as_such_even_while_it_waits_in_the_queue() -> None:
    notes = Notes()
    async with opened([["So", asyncio.Event()]]) as world:
        world.runtime.telemetry = notes
        session = await world.session()
        first = await world.send("one", session)
        await first_text(first)
        second = await world.send("two", session)
        await world.service.cancel_turn("assistant", session, turn_id=second.turn_id)
        await world.service.cancel_turn("assistant", session, turn_id=first.turn_id)
        for stream in (first, second):
            await text_of(stream)
    by_id = {turn.facts.turn_id: turn.words for turn in notes.turns}
    assert by_id[second.turn_id] == ["ended cancelled cancelled"]
    assert by_id[first.turn_id] == ["asked 1", "heard", "unanswered cancelled", "ended cancelled cancelled"]


async def test_a_request_that_is_repeated_or_refused_is_no_turn() -> None:
    notes = Notes()
    async with opened([["Hi"]]) as world:
        world.runtime.telemetry = notes
        session = await world.session()
        for _ in range(2):
            await text_of(await world.send("Hello", session, idempotency_key="one"))
        await world.service.end_session("assistant", session)
        with pytest.raises(Exception, match="ended"):
            await world.send("more", session)
    assert len(notes.turns) == 1


async def test_a_turn_knows_the_request_that_it_came_by() -> None:
    notes = Notes()
    arrival = Arrival(transport="sse", trace={"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"})
    async with opened([["Hi"]]) as world:
        world.runtime.telemetry = notes
        token = ARRIVAL.set(arrival)
        try:
            await text_of(await world.send("Hello", await world.session()))
        finally:
            ARRIVAL.reset(token)
    assert notes.turns[0].facts.arrival is arrival
