"""What a call costs on a PostgreSQL store, counted and not timed: statements, and how often an answer is waited for."""

import asyncio
import threading

import psycopg
import pytest

from hector_nb.events import TextDelta
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.postgres import PostgresStore
from hector_nb.stores.postgres_address import Address
from hector_nb.stores.postgres_database import connect

from .making import USER, begin, exchange, finish, make_session

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(postgres_url):
    store = PostgresStore(postgres_url)
    await store.aopen()
    await store.create_session(make_session())
    for n in range(3):
        await exchange(store, f"t{n}")
    yield store
    await store.aclose()


@pytest.fixture
def counted(store, monkeypatch):
    """What awaitables cost on the connection that writes: statements and waits."""
    together, inbox = threading.Event(), store._writer.inbox
    together.set()
    rest = inbox.rest
    monkeypatch.setattr(inbox, "rest", lambda most: together.wait(30) and rest(most))

    async def counted(*calls):
        pipeline = store._writer._database.pipeline
        before = pipeline.sent, pipeline.waits
        together.clear()
        asking = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0)
        together.set()  # all wait: how many share a transaction is not left to chance
        await asyncio.gather(*asking)
        return pipeline.sent - before[0], pipeline.waits - before[1]

    return counted


async def test_a_turn_begins_in_three_round_trips(store, counted):
    statements, waits = await counted(begin(store, "new", window=Window(max_messages=19)))
    assert statements <= 14
    assert waits <= 3


async def test_events_are_written_in_two_round_trips(store, counted):
    await begin(store, "new")
    group = [TextDelta(text=word) for word in "abcd"]
    statements, waits = await counted(store.write_turn("new", events=group))
    assert statements <= 8
    assert waits <= 2


async def test_a_turn_is_finished_in_three_round_trips(store, counted):
    await begin(store, "new")
    statements, waits = await counted(finish(store, "new"))
    assert statements <= 14
    assert waits <= 3


async def test_one_that_writes_beside_others_costs_four_statements_and_one_round_trip(store, counted):
    for n in range(50):
        await store.create_session(make_session(f"s{n}", user=USER))
        await begin(store, f"new{n}", session_id=f"s{n}")
    writes = (store.write_turn(f"new{n}", events=[TextDelta(text="x")]) for n in range(50))
    statements, waits = await counted(*writes)
    assert statements <= 50 * 4 + 10
    assert waits <= 50 + 4


async def test_one_job_that_fails_half_way_is_undone_and_the_others_are_not(store):
    """What is made for a turn in another session than it is asked for in goes, and the jobs beside it stay."""
    half = begin(store, "bad", create_session=make_session("half", listed=False), session_id="gone")
    done = await asyncio.gather(begin(store, "first"), half, finish(store, "first"), return_exceptions=True)
    assert [isinstance(answer, Exception) for answer in done] == [False, True, False]
    assert await store.get_session(USER, "half") is None
    assert (await store.get_turn(USER, "first")).status == "complete"


async def test_a_statement_that_was_to_be_prepared_after_an_error_is_prepared_later(postgres_url):
    database = connect(Address(postgres_url))
    query = "SELECT CAST(:a AS BIGINT)"
    assert database.value(query, {"a": 1}) == 1
    with pytest.raises(psycopg.errors.DivisionByZero), database.pipeline:
        database.run("SELECT 1 / 0")
        database.run(query, {"a": 2})
    assert [database.value(query, {"a": n}) for n in (3, 4)] == [3, 4]
    database.connection.close()


async def test_answers_that_nobody_waits_for_do_not_pile_up(postgres_url):
    database = connect(Address(postgres_url))
    with database.pipeline:
        found = [database.run("SELECT CAST(:a AS BIGINT)", {"a": n}) for n in range(2500)]
        assert database.pipeline.waits == 2
        assert [row for (row,) in (rows.fetchone() for rows in found)] == list(range(2500))
        assert database.pipeline.waits == 3
    database.connection.close()
