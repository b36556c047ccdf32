"""From its creation to its end: ending, expiring, forking, rewinding, importing."""

import asyncio
from datetime import timedelta

import pytest

from hector_nb.errors import InvalidRequest, MessageNotFound, SessionBusy, SessionEnded
from hector_nb.runtime.lifecycle import Lifecycle
from hector_nb.service import SendMessage
from tests.runtime.world import first_text, opened, short_lived, text_of

pytestmark = pytest.mark.anyio


async def test_an_ended_session_is_readable_and_takes_no_more_messages() -> None:
    async with opened([["hi"]]) as world:
        session = await world.session()
        await text_of(await world.send("hello", session))
        assert (await world.service.end_session("assistant", session)).status == "ended"
        assert (await world.service.end_session("assistant", session)).status == "ended"
        with pytest.raises(SessionEnded):
            await world.send("more", session)
        with pytest.raises(SessionEnded):
            await world.service.follow_session("assistant", session)
        assert len(await world.transcript(session)) == 2


async def test_ending_stops_what_runs_and_what_waits() -> None:
    never = asyncio.Event()
    async with opened([["half", never]]) as world:
        session = await world.session()
        first, second = await world.send("1", session), await world.send("2", session)
        await first_text(first)
        await world.service.end_session("assistant", session)
        assert world.runtime.runs == {}
        assert ("assistant", "half", "cancelled") in await world.transcript(session)
        assert ("user", "2", "complete") in await world.transcript(session)
        for stream in (first, second):
            await stream.__aexit__(None, None, None)


async def test_a_session_expires_by_inactivity_and_reading_does_not_keep_it_alive() -> None:
    async with opened([["hi"]], sessions={"max_duration": 3600}) as world:
        session = await world.session()
        short_lived(world, timeout=1)
        await text_of(await world.send("hello", session))
        found = await world.service.get_session("assistant", session)
        assert found.expires_at == found.last_active_at + timedelta(seconds=1)
        async with asyncio.timeout(30):
            while found.status == "active":
                await asyncio.sleep(0.02)
                await world.transcript(session)
                found = await world.service.get_session("assistant", session)
        assert found.status == "expired"
        with pytest.raises(SessionEnded) as caught:
            await world.send("more", session)
        assert caught.value.details == {"status": "expired"}


async def test_expiry_is_noticed_once_in_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def leave_it(_: Lifecycle) -> None:
        """The engine's own sweep would notice it first, where the machine is slow."""

    monkeypatch.setattr(Lifecycle, "_sweep", leave_it)
    async with opened([], sessions={"max_duration": 0.01}) as world:
        session = await world.session()
        async with asyncio.timeout(30):
            while (await world.service.get_session("assistant", session)).status == "active":
                await asyncio.sleep(0.01)
        assert [each.session_id for each in await world.runtime.store.expire_sessions()] == [session]
        assert await world.runtime.store.expire_sessions() == []


async def test_a_fork_shares_the_past_and_goes_its_own_way() -> None:
    async with opened([["one"], ["two"], ["other"]]) as world:
        session = await world.session()
        await text_of(await world.send("1", session))
        await text_of(await world.send("2", session))
        page = await world.service.list_messages("assistant", session)
        fork = await world.service.fork_session("assistant", session, after=page.items[1].message_id)
        assert fork.metadata["forked_from"] == session
        assert fork.message_count == 2
        await text_of(await world.send("3", fork.session_id))
        assert [text for _, text, _ in await world.transcript(fork.session_id)] == ["1", "one", "3", "other"]
        assert [text for _, text, _ in await world.transcript(session)] == ["1", "one", "2", "two"]
        assert [each.content for each in world.model.requests[-1].messages] == ["1", "one", "3"]
        with pytest.raises(MessageNotFound):
            await world.service.fork_session("assistant", session, after="msg_unknown")


async def test_rewinding_shortens_the_session() -> None:
    gate = asyncio.Event()
    async with opened([["one"], ["two"], ["again"], [gate]]) as world:
        session = await world.session()
        await text_of(await world.send("1", session))
        await text_of(await world.send("2", session))
        page = await world.service.list_messages("assistant", session)
        shorter = await world.service.rewind_session("assistant", session, after=page.items[1].message_id)
        assert (shorter.message_count, shorter.token_count) == (2, sum(each.tokens for each in page.items[:2]))
        stream = await world.send("2 again", session)
        await text_of(stream)
        assert [text for _, text, _ in await world.transcript(session)] == ["1", "one", "2 again", "again"]
        busy = await world.send("3", session)
        with pytest.raises(SessionBusy):
            await world.service.rewind_session("assistant", session)
        gate.set()
        await text_of(busy)
        assert (await world.service.rewind_session("assistant", session)).message_count == 0


async def test_an_imported_transcript_is_what_was_exported() -> None:
    async with opened([["one"]]) as world:
        session = await world.session()
        await text_of(await world.send("1", session))
        page = await world.service.list_messages("assistant", session)
        copy = await world.service.import_session("assistant", page.items, title="copy", metadata={"a": [1]})
        assert (copy.title, copy.metadata) == ("copy", {"a": [1]})
        assert (await world.service.list_messages("assistant", copy.session_id)).items == page.items


async def test_a_key_makes_one_session_and_refuses_another_request() -> None:
    async with opened([]) as world:
        first, created = await world.service.create_session("assistant", title="a", idempotency_key="k")
        again, repeated = await world.service.create_session("assistant", title="a", idempotency_key="k")
        assert (created, repeated) == (True, False)
        assert first.session_id == again.session_id
        with pytest.raises(InvalidRequest):
            await world.service.create_session("assistant", title="b", idempotency_key="k")
        with pytest.raises(InvalidRequest):
            await world.service.stream_message("assistant", SendMessage(message="hi", idempotency_key="not\na key"))
