"""A database that refuses in mid-turn: readers are told at once, nothing blocks, and the session works when it recovers."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from hector_nb.errors import StoreFull
from hector_nb.events import Event, TurnFailed
from hector_nb.sessions import Turn
from hector_nb.stores.in_memory import InMemoryStore
from tests.runtime.test_turns import first_text, opened, text_of

pytestmark = pytest.mark.anyio


class RefusingStore(InMemoryStore):
    """Has no room for what turns write, until told otherwise."""

    full = False
    refused = 0

    async def write_turn(self, turn_id: str, *, events: Sequence[Event] = (), **more: Any) -> Turn | None:
        """Refuse, or write."""
        if self.full:
            self.refused += 1
            raise StoreFull
        return await super().write_turn(turn_id, events=events, **more)


async def test_readers_are_told_at_once_and_the_outcome_is_stored_when_there_is_room() -> None:
    store, gate = RefusingStore(), asyncio.Event()
    async with opened([["so ", gate, "far"], ["fine"]], store) as world:
        session = await world.session()
        stream = await world.send("go", session)
        await first_text(stream)
        store.full = True
        gate.set()
        async with stream:
            last = [each.event async for each in stream][-1]
        assert isinstance(last, TurnFailed)
        assert last.code == "store_full"
        run = world.runtime.runs[stream.turn_id]
        store.full = False
        await run.finished.wait()
        assert store.refused
        assert (await world.transcript(session))[-1] == ("assistant", "so far", "complete")
        assert await text_of(await world.send("again", session)) == "fine"


async def test_events_refused_for_a_moment_are_written_the_next_time() -> None:
    store, gate, rest = RefusingStore(), asyncio.Event(), asyncio.Event()
    async with opened([["a", gate, "b", rest, "c"]], store) as world:
        session = await world.session()
        stream = await world.send("go", session)
        await first_text(stream)
        store.full = True
        gate.set()
        async with asyncio.timeout(5):
            while not store.refused:
                await asyncio.sleep(0.01)
        store.full = False
        rest.set()
        whole = [each async for each in stream]
        await stream.__aexit__(None, None, None)
        again = await world.service.follow_turn("assistant", stream.turn_id)
        async with again:
            assert [each async for each in again][-len(whole) :] == whole
        assert (await world.transcript(session))[-1][1] == "abc"
