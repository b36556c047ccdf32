"""A database that refuses in mid-turn: readers are told at once, nothing blocks, and the session works when it recovers."""

import asyncio
from typing import Any

import pytest

from hector_nb.errors import StoreFull
from hector_nb.events import TurnDone, TurnFailed, TurnReset
from hector_nb.sessions import Turn
from hector_nb.stores.base import Store
from tests.runtime.world import events_of, first_text, opened, text_of

pytestmark = pytest.mark.anyio


class Refusal:
    """Stands before a store's `write_turn` and, while `full`, says that there is no room."""

    def __init__(self, store: Store) -> None:
        self.full = False
        self.refused = 0
        self._write = store.write_turn
        store.write_turn = self._refuse  # type: ignore[method-assign]

    async def _refuse(self, turn_id: str, **what: Any) -> Turn | None:
        if self.full:
            self.refused += 1
            raise StoreFull
        return await self._write(turn_id, **what)


async def test_readers_are_told_at_once_and_the_outcome_is_stored_when_there_is_room() -> None:
    gate = asyncio.Event()
    async with opened([["so ", gate, "far"], ["fine"]]) as world:
        store = Refusal(world.runtime.store)
        session = await world.session()
        stream = await world.send("go", session)
        await first_text(stream)
        store.full = True
        gate.set()
        async with stream:
            last = [each.event async for each in stream][-1]
        assert isinstance(last, TurnFailed)
        assert last.code == "store_full"
        assert last.hint
        assert "resume the turn to see how it ended" in last.hint
        run = world.runtime.runs[stream.turn_id]
        store.full = False
        await run.finished.wait()
        assert store.refused
        assert (await world.transcript(session))[-1] == ("assistant", "so far", "complete")
        assert await text_of(await world.send("again", session)) == "fine"


async def test_a_resume_shows_what_was_stored_in_the_end_and_never_the_refusal() -> None:
    gate = asyncio.Event()
    async with opened([["so ", gate, "far"]]) as world:
        store = Refusal(world.runtime.store)
        session = await world.session()
        stream = await world.send("go", session)
        await first_text(stream)
        store.full = True
        gate.set()
        async with stream:
            *_, known, told = [each async for each in stream]
        again = await events_of(
            await world.service.follow_turn("assistant", stream.turn_id, session_id=session, after=told.seq)
        )
        assert [type(each.event) for each in again] == [TurnFailed], "as long as nothing is stored"
        run = world.runtime.runs[stream.turn_id]
        store.full = False
        await run.finished.wait()
        for after in (told.seq, again[-1].seq):
            found = await events_of(await world.service.follow_turn("assistant", stream.turn_id, after=after))
            text, done = [each.event for each in found]
            assert isinstance(text, TurnReset)
            assert isinstance(done, TurnDone)
            assert (text.text, done.finish_reason) == ("so far", "stop")
        for after in (0, known.seq):
            found = await events_of(await world.service.follow_turn("assistant", stream.turn_id, after=after))
            assert not any(isinstance(each.event, TurnFailed | TurnReset) for each in found)
            assert isinstance(found[-1].event, TurnDone)
        assert (await world.transcript(session))[-1] == ("assistant", "so far", "complete")


async def test_events_refused_for_a_moment_are_written_the_next_time() -> None:
    gate, rest = asyncio.Event(), asyncio.Event()
    async with opened([["a", gate, "b", rest, "c"]]) as world:
        store = Refusal(world.runtime.store)
        session = await world.session()
        stream = await world.send("go", session)
        await first_text(stream)
        store.full = True
        gate.set()
        async with asyncio.timeout(30):
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


async def test_nobody_waits_for_an_end_that_cannot_be_stored_for_a_reason_that_is_ours(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("hector_nb.runtime.run.TurnRun._outcome", fail)
    async with opened([["so far"]]) as world:
        async with asyncio.timeout(30):
            *_, last = await events_of(await world.send("go"))
        assert isinstance(last.event, TurnFailed)
        assert last.event.code == "internal_error"
    assert "a mistake" in caplog.text
