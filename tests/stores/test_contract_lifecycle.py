"""What every store does, sentence by sentence of the port (`stores/base_sessions.py`, `stores/base_turns.py`): idempotency, expiry, and readers in other processes."""

import asyncio

import pytest

from hector_nb.errors import InvalidRequest, SessionEnded
from hector_nb.sessions import Lifetime
from hector_nb.stores import base_sessions, in_memory_records, sql_requests
from hector_nb.stores.base_sessions import Idempotency
from hector_nb.stores.base_turns import BegunTurn, RepeatedTurn

from .making import OVER, USER, ago, begin, exchange, finish, make_session, one_off, transcript

pytestmark = pytest.mark.anyio
KEY = Idempotency(key="k", fingerprint="1")
OTHER = Idempotency(key="k", fingerprint="2")


@pytest.fixture
async def session(store):
    return (await store.create_session(make_session()))[0]


@pytest.fixture
def a_day_passes(monkeypatch):
    def passes():
        for module in (in_memory_records, sql_requests):
            monkeypatch.setattr(module, "KEEP_KEYS", 0.0)

    assert base_sessions.KEEP_KEYS == 24 * 3600
    return passes


async def test_a_key_makes_one_session(store):
    first, created = await store.create_session(make_session("a"), idempotency=KEY)
    again, created_again = await store.create_session(make_session("b"), idempotency=KEY)
    assert (created, created_again) == (True, False)
    assert again == first
    assert await store.get_session(USER, "b") is None
    with pytest.raises(InvalidRequest):
        await store.create_session(make_session("c"), idempotency=OTHER)
    assert (await store.create_session(make_session("a", user="bob"), idempotency=OTHER))[1]


async def test_a_key_makes_one_turn(store, session):
    begun = await begin(store, "t1", idempotency=KEY)
    assert isinstance(await begin(store, "t1", idempotency=KEY), BegunTurn)
    repeated = await begin(store, "t2", idempotency=KEY)
    assert repeated == RepeatedTurn(turn=begun.turn)
    with pytest.raises(InvalidRequest):
        await begin(store, "t3", idempotency=OTHER)
    with pytest.raises(InvalidRequest):
        await store.create_session(make_session("new"), idempotency=OTHER)
    finished = await finish(store, "t1")
    assert await begin(store, "t4", idempotency=KEY) == RepeatedTurn(turn=finished)
    await store.end_session(USER, "s")
    assert await begin(store, "t5", idempotency=KEY) == RepeatedTurn(turn=finished)
    assert await transcript(store) == ["hello", "hi"]
    assert await store.get_turn(USER, "t2") is None


async def test_the_same_request_at_the_same_time_is_one_turn(store, session):
    answers = await asyncio.gather(*(begin(store, f"t{n}", idempotency=KEY) for n in range(5)))
    assert len({answer.turn.turn_id for answer in answers}) == 1
    assert await transcript(store) == ["hello"]


async def test_a_repeated_one_off_turn_brings_no_second_session(store):
    made = make_session("once", listed=False)
    await begin(store, "t1", session_id="once", create_session=made, idempotency=KEY)
    other = make_session("twice", listed=False)
    repeated = await begin(store, "t2", session_id="twice", create_session=other, idempotency=KEY)
    assert isinstance(repeated, RepeatedTurn)
    assert repeated.turn.session_id == "once"
    assert await store.get_session(USER, "twice") is None


async def test_a_key_is_forgotten_with_its_session(store, session):
    await exchange(store, "t1", idempotency=KEY)
    await store.create_session(make_session("new"), idempotency=Idempotency(key="k2", fingerprint="1"))
    await store.delete_session(USER, "s")
    await store.delete_session(USER, "new")
    await store.create_session(make_session("s"), idempotency=Idempotency(key="k2", fingerprint="2"))
    assert isinstance(await begin(store, "t1", idempotency=OTHER), BegunTurn)


async def test_a_key_is_forgotten_after_a_day(store, session, a_day_passes):
    await exchange(store, "t1", idempotency=KEY)
    assert await store.sweep() == 0
    assert isinstance(await begin(store, "t2", idempotency=KEY), RepeatedTurn)
    a_day_passes()
    assert isinstance(await begin(store, "t2", idempotency=OTHER), BegunTurn)


async def test_old_keys_are_swept_in_bounded_steps(store, session, a_day_passes):
    for n in range(5):
        await exchange(store, f"t{n}", idempotency=Idempotency(key=f"k{n}", fingerprint="1"))
    a_day_passes()
    assert [await store.sweep(limit=2) for _ in range(4)] == [2, 2, 1, 0]


async def test_a_refused_turn_uses_no_key(store, session):
    await store.end_session(USER, "s")
    with pytest.raises(SessionEnded):
        await begin(store, "t1", idempotency=KEY)
    await store.create_session(make_session("new"))
    assert isinstance(await begin(store, "t2", session_id="new", idempotency=OTHER), BegunTurn)


async def test_expiry_is_noticed_once_in_all_processes(store, elsewhere):
    for n in range(5):
        await store.create_session(make_session(f"s{n}", expires_at=ago(10 - n)))
    await store.create_session(make_session("later", expires_at=ago(-60)))
    await store.create_session(make_session("never"))
    await store.create_session(make_session("ended", expires_at=ago(1)))
    await store.end_session(USER, "ended")
    noticed = [await each.expire_sessions(limit=2) for each in (store, elsewhere, store, elsewhere)]
    assert [len(sessions) for sessions in noticed] == [2, 2, 1, 0]
    found = [session for sessions in noticed for session in sessions]
    assert {session.session_id for session in found} == {f"s{n}" for n in range(5)}
    assert {session.status for session in found} == {"expired"}
    assert found[0] == await store.get_session(USER, found[0].session_id)


async def test_expiry_is_not_noticed_while_a_turn_is_unfinished(store, session):
    await begin(store, "t1", lifetime=Lifetime(timeout=0.0))
    assert (await store.get_session(USER, "s")).status == "expired"
    assert await store.expire_sessions() == []
    await finish(store, "t1")
    assert [session.session_id for session in await store.expire_sessions()] == ["s"]


async def test_an_expired_session_that_is_ended_has_ended(store):
    await store.create_session(make_session(expires_at=ago(1)))
    await store.expire_sessions()
    with pytest.raises(SessionEnded) as ended:
        await begin(store, "t1")
    assert ended.value.details == {"status": "expired"}
    assert (await store.end_session(USER, "s")).status == "ended"
    assert await store.expire_sessions() == []


async def test_expiry_wakes_those_who_watch(store):
    await store.create_session(make_session(expires_at=ago(1)))
    async with store.watch("s") as watch:
        await store.expire_sessions()
        assert await watch.wait(30)


@pytest.mark.parametrize("noticed", [False, True])
async def test_a_listing_by_status_is_right_before_and_after_expiry_is_noticed(store, noticed):
    for n in range(12):
        expires = ago(1) if n % 3 == 0 else None
        await store.create_session(make_session(f"s{n:02}", last_active_at=ago(100 - n), expires_at=expires))
        if n % 3 == 1:
            await store.end_session(USER, f"s{n:02}")
    if noticed:
        await store.expire_sessions(limit=2)
    wanted = {"expired": [9, 6, 3, 0], "ended": [10, 7, 4, 1], "active": [11, 8, 5, 2], None: range(11, -1, -1)}
    for status, numbers in wanted.items():
        found, cursor = [], None
        while True:
            page = await store.list_sessions(USER, status=status, limit=3, cursor=cursor, agent="assistant")
            found += [session.session_id for session in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == [f"s{n:02}" for n in numbers]
        assert {session.status for session in page.items} <= {status or session.status for session in page.items}


async def test_readers_in_other_processes_are_known(store, elsewhere, session):
    await begin(store, "t1", holder="here")
    assert not await store.has_readers("t1", besides="here", dead_after=60)
    await elsewhere.join_turn("t1", "there")
    await elsewhere.join_turn("t1", "there")
    await store.join_turn("t1", "here")
    assert await store.has_readers("t1", besides="here", dead_after=60)
    assert await elsewhere.has_readers("t1", besides="there", dead_after=60)
    assert not await store.has_readers("t2", besides="here", dead_after=60)
    async with store.watch("s") as watch:
        await elsewhere.leave_turn("t1", "there")
        assert await watch.wait(30)
    await elsewhere.leave_turn("t1", "there")
    assert not await store.has_readers("t1", besides="here", dead_after=60)


async def test_readers_vanish_with_their_process(store, elsewhere, session):
    await begin(store, "t1", holder="here")
    await elsewhere.join_turn("t1", "there")
    await elsewhere.goodbye("there")
    assert not await store.has_readers("t1", besides="here", dead_after=60)
    await elsewhere.heartbeat("there")
    assert not await store.has_readers("t1", besides="here", dead_after=60)
    await elsewhere.join_turn("t1", "there")
    assert await store.has_readers("t1", besides="here", dead_after=60)
    await elsewhere.aclose()
    assert not await store.has_readers("t1", besides="here", dead_after=0)
    assert await store.take_over("here", dead_after=0) == []
    await store.heartbeat("there")
    assert not await store.has_readers("t1", besides="here", dead_after=60)


async def test_readers_of_an_unknown_turn_and_of_one_that_is_erased_harm_nobody(store, session):
    await store.join_turn("unknown", "there")
    await store.leave_turn("unknown", "there")
    await one_off(store, "t1", outcome=OVER)
    await store.join_turn("t1", "there")
    assert await store.sweep() == 1
    assert not await store.has_readers("t1", besides="here", dead_after=60)
