"""Those who leave, and processes that stop, in the very moment in which something comes for them."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hector_nb.approvals import Approval
from hector_nb.errors import StoreError
from hector_nb.stores.base_turns import BegunTurn
from tests.runtime.test_recovery import NOW, calls, left_behind, message
from tests.runtime.world import opened
from tests.unheard import nothing_unheard

pytestmark = pytest.mark.anyio


async def test_nobody_mourns_a_message_that_was_refused_after_its_sender_had_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def refuse(*_: Any, **__: Any) -> None:
        asked.set()
        await left.wait()
        raise StoreError("The disk is full.")

    async with opened([]) as world:
        monkeypatch.setattr(world.runtime.store, "begin_turn", refuse)
        with nothing_unheard():
            sending = asyncio.create_task(world.send("go"))
            await asked.wait()
            [run] = world.runtime.runs.values()
            sending.cancel()
            await asyncio.wait([sending])
            left.set()
            await run.finished.wait()
            del run, sending


async def test_a_turn_that_comes_while_the_process_stops_is_left_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, stopped = asyncio.Event(), asyncio.Event()
    over = datetime.now(UTC) - timedelta(seconds=1)
    asking = message(1, "assistant", "Shall I?", tool_calls=calls("a"))
    async with opened([]) as world:
        store, session = world.runtime.store, await world.session()
        waiting = Approval(
            call_id="a",
            turn_id="turn_dead",
            session_id=session,
            name="act",
            arguments={},
            created_at=NOW,
            deadline=over,
        )
        resume = store.resume_turn

        async def take_slowly(*what: Any, **more: Any) -> BegunTurn | None:
            begun = await resume(*what, **more)
            taken.set()
            await stopped.wait()
            return begun

        monkeypatch.setattr(store, "resume_turn", take_slowly)
        await left_behind(world, session, [asking], [], approvals=[waiting])
        recovering = asyncio.create_task(world.runtime.recover())
        await taken.wait()
        await world.runtime.aclose()
        stopped.set()
        with suppress(StoreError):  # it is closed
            await recovering
        assert not world.runtime.runs
