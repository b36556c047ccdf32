"""A PostgreSQL server that is away, stops, hangs, or was never there: clear errors, bounded waits, and nothing lost or done twice."""

import asyncio
import time

import psycopg
import pytest

from hector_nb.errors import ConfigError, StoreError, StoreUnavailable
from hector_nb.events import TextDelta
from hector_nb.stores import postgres_database, postgres_readers, postgres_signs, postgres_writer, sql
from hector_nb.stores.postgres import PostgresStore
from hector_nb.stores.postgres_address import Address
from tests.postgres import databases
from tests.postgres.server import SAFE, running

from .making import USER, begin, exchange, finish, make_session, transcript

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server():
    """One that keeps what it has acknowledged."""
    with running(**SAFE) as server:
        yield server


@pytest.fixture
async def store(server):
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS durable WITH (FORCE)")
        connection.execute("CREATE DATABASE durable")
    store = PostgresStore(server.url("durable"))
    await store.aopen()
    await store.create_session(make_session())
    yield store
    await store.aclose()


@pytest.fixture
def patient(monkeypatch):
    """However slow the machine, the server is back before a call has waited too long."""
    for module in (postgres_writer, postgres_readers):
        monkeypatch.setattr(module, "PATIENCE", 60.0)


def terminated(server, pid):
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_server_that_restarts_under_load_loses_nothing_acknowledged(server, store, patient, mode):
    acknowledged = []

    async def talk(session_id):
        await store.create_session(make_session(session_id))
        n = 0
        while n < 15 or not restarted.done():
            turn_id = f"{session_id}-{n}"
            await exchange(store, turn_id, f"{n}", f"re {n}", session_id=session_id)
            acknowledged.append(turn_id)
            if len(acknowledged) == 30:
                under_load.set()
            n += 1
        return n

    async def restart():
        await under_load.wait()
        await asyncio.to_thread(server.stop, mode)
        await asyncio.to_thread(server.start)

    under_load = asyncio.Event()
    restarted = asyncio.create_task(restart())
    async with asyncio.timeout(120):
        exchanges = await asyncio.gather(*(talk(f"s{n}") for n in range(8)))
        await restarted
    for n, many in enumerate(exchanges):
        said = (await store.list_messages(USER, f"s{n}", limit=1000)).items
        assert [each.content for each in said] == [text for k in range(many) for text in (f"{k}", f"re {k}")][:1000]


async def test_calls_wait_for_a_server_that_comes_back(server, store, patient):
    server.stop()
    try:
        writing = asyncio.create_task(exchange(store, "t1"))
        reading = asyncio.create_task(store.get_session(USER, "s"))
        done, _ = await asyncio.wait([writing, reading], timeout=0.5)
        assert not done
    finally:
        server.start()
    async with asyncio.timeout(60):
        assert (await writing).status == "complete"
        assert (await reading).session_id == "s"


async def test_calls_fail_clearly_when_the_server_stays_away(server, store, monkeypatch):
    monkeypatch.setattr(postgres_writer, "PATIENCE", 0.5)
    monkeypatch.setattr(postgres_readers, "PATIENCE", 0.5)
    server.stop()
    try:
        for call in (begin(store, "t1"), store.get_session(USER, "s")):
            async with asyncio.timeout(30):
                with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
                    await call
            assert caught.value.retryable
            assert caught.value.hint
    finally:
        server.start()
    monkeypatch.undo()
    async with asyncio.timeout(30):
        await exchange(store, "t1")
    assert await transcript(store) == ["hello", "hi"]


async def test_calls_fail_clearly_when_the_server_hangs(server, store, monkeypatch):
    await begin(store, "t1")
    monkeypatch.setattr(postgres_database, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(postgres_writer, "PATIENCE", 0.2)
    monkeypatch.setattr(postgres_readers, "PATIENCE", 0.2)
    server.pause()
    try:
        for call in (store.write_turn("t1", events=[TextDelta(text="x")]), store.get_session(USER, "s")):
            async with asyncio.timeout(30):
                with pytest.raises(StoreUnavailable):
                    await call
    finally:
        server.go_on()
    monkeypatch.undo()
    async with asyncio.timeout(30):
        await finish(store, "t1")
    assert await transcript(store) == ["hello", "hi"]


async def test_nobody_is_dead_for_what_he_could_not_say_while_the_server_hung(server, store, monkeypatch):
    await store.heartbeat("holder")
    await begin(store, "t1", holder="holder")
    other = PostgresStore(store.url)
    await other.aopen()
    assert await asyncio.to_thread(other._listener.looked.wait, 30)
    server.pause()
    try:
        looking = asyncio.create_task(other.take_over("other", dead_after=1))
        await asyncio.sleep(2)  # the outage
        async with asyncio.timeout(30):
            while other._listener.steady_for():
                await asyncio.sleep(0.01)  # it is noticed by a thread of its own
        assert not looking.done()
        monkeypatch.setattr(postgres_signs, "STEADY_SECONDS", 600.0)  # this test may be slow, too
    finally:
        server.go_on()
    async with asyncio.timeout(30):
        assert await looking == []
        assert await other.take_over("other", dead_after=1) == []
        monkeypatch.undo()
        while not await other.take_over("other", dead_after=1):
            await asyncio.sleep(0.1)  # now it is silent of its own accord
    await other.aclose()


@pytest.mark.parametrize("after", [False, True])
async def test_what_was_lost_in_a_commit_is_done_once(server, store, monkeypatch, after):
    """The connection goes right before the commit arrives, or right after."""
    await begin(store, "t1")
    monkeypatch.setattr(postgres_writer, "_payloads", lambda changed: cut())

    def cut():
        monkeypatch.undo()
        database = store._writer._database
        if after:
            database.run("COMMIT")
        database.run("SELECT pg_terminate_backend(pg_backend_pid())")
        return []

    async with asyncio.timeout(30):
        await store.write_turn("t1", events=[TextDelta(text="once")])
    assert (await store.read_turn(USER, "t1")).turn.last_seq == 1
    await finish(store, "t1")
    assert await transcript(store) == ["hello", "hi"]


@pytest.mark.parametrize("given", ["not again yet", "to another, which was committed"])
async def test_what_a_crash_has_undone_together_with_its_transaction_s_id_is_done_again(store, monkeypatch, given):
    """The server gives the id of a commit that was lost a second time."""
    await begin(store, "t1")
    other = str(store._writer._database.value("SELECT CAST(pg_current_xact_id() AS TEXT)"))
    payloads = postgres_writer._payloads

    def cut(changed):
        monkeypatch.setattr(postgres_writer, "_payloads", payloads)
        store._writer._database.run("SELECT pg_terminate_backend(pg_backend_pid())")
        return []

    monkeypatch.setattr(postgres_writer, "_payloads", cut)
    monkeypatch.setattr(
        postgres_database.PostgresDatabase, "transaction", "4000000000" if given == "not again yet" else other
    )
    async with asyncio.timeout(30):
        await store.write_turn("t1", events=[TextDelta(text="once")])
    assert (await store.read_turn(USER, "t1")).turn.last_seq == 1
    await finish(store, "t1")


async def test_a_lost_connection_costs_a_watch_nothing(server, store, monkeypatch):
    await begin(store, "t1")
    other = PostgresStore(store.url)
    await other.aopen()
    monkeypatch.setattr("hector_nb.stores.postgres_listener.LOOK_SECONDS", 60.0)  # the notification itself wakes
    async with store.watch("s") as watch:
        terminated(server, store._listener._database.connection.info.backend_pid)
        await other.write_turn("t1", events=[TextDelta(text="x")])
        assert await watch.wait(30)
        await watch.wait(0.5)
        await other.write_turn("t1", events=[TextDelta(text="y")])
        assert await watch.wait(30)
    await other.aclose()


async def test_a_lost_notification_costs_no_more_than_two_or_three_seconds(server, store, monkeypatch):
    await begin(store, "t1")
    other = PostgresStore(store.url)
    await other.aopen()
    monkeypatch.setattr(
        postgres_writer, "_NOTIFY", "SELECT nextval('notices'), CAST(:channel AS TEXT), CAST(:payload AS TEXT)"
    )
    async with store.watch("s") as watch:
        await asyncio.to_thread(store._listener.looked.wait, 30)
        await other.write_turn("t1", events=[TextDelta(text="x")])
        assert await watch.wait(30)
    await other.aclose()


async def test_nothing_wakes_who_watches_while_nobody_writes(server, store, monkeypatch):
    monkeypatch.setattr("hector_nb.stores.postgres_listener.LOOK_SECONDS", 0.05)
    async with store.watch("s") as watch:
        await watch.wait(2)
        assert not await watch.wait(0.5)


async def test_a_server_that_is_not_there_is_a_clear_error(tmp_path):
    for url in (f"postgresql://ann:s3cret@/db?host={tmp_path}", "postgresql://ann:s3cret@127.0.0.1:1/db"):
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
            await PostgresStore(url).aopen()
        assert "s3cret" not in f"{caught.value}{caught.value.details}"
        assert time.monotonic() - started < 20


async def test_a_wrong_password_stays_unsaid(server):
    hba = server.folder / "data" / "pg_hba.conf"
    before = hba.read_text()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS ann")
        connection.execute("CREATE ROLE ann LOGIN PASSWORD 'right'")
        hba.write_text("local all ann scram-sha-256\n" + before)
        connection.execute("SELECT pg_reload_conf()")
        try:
            with pytest.raises(StoreError) as caught:
                await PostgresStore(f"postgresql://ann:s3cret%21@/postgres?host={server.folder}").aopen()
        finally:
            hba.write_text(before)
            connection.execute("SELECT pg_reload_conf()")
    assert "s3cret" not in str(caught.value)
    assert "ann" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@host/db?nonsense=1",
        "postgresql://ann:s3cret%zz@host/db",
        "postgresql://ann:s3cret@[host/db",
    ],
)
def test_an_address_that_cannot_be_read_is_a_clear_error_without_its_password(url):
    with pytest.raises(ConfigError, match=r"storage\.url") as caught:
        Address(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:s3cret@db.example:5433/chat?sslmode=require", "postgresql://db.example:5433/chat"),
        ("postgresql://ann@db.example/chat?password=s3cret", "postgresql://db.example/chat"),
        ("postgresql:///chat", "postgresql:///chat"),
    ],
)
def test_an_address_is_shown_without_user_and_password(url, shown):
    address = Address(url)
    assert address.shown == shown
    assert address.without_secrets("password s3cret refused") == (
        "password … refused" if "s3cret" in url else "password s3cret refused"
    )


async def test_many_nodes_may_open_a_new_database_at_once():
    url = databases.fresh(empty=True)
    stores = [PostgresStore(url) for _ in range(4)]
    await asyncio.gather(*(store.aopen() for store in stores))
    await stores[0].create_session(make_session())
    assert await stores[3].get_session(USER, "s")
    for store in stores:
        await store.aclose()
    databases.drop(url)


async def test_a_store_of_a_newer_version_is_refused_unchanged(postgres_url):
    newer = len(sql.migrations("postgres_migrations")) + 1
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE hector.version SET version = %s", [newer])
        with pytest.raises(StoreError, match=f"version {newer}, newer") as caught:
            await PostgresStore(postgres_url).aopen()
        assert caught.value.hint
        assert connection.execute("SELECT version FROM hector.version").fetchone() == (newer,)


async def test_a_user_who_may_not_make_the_schema_is_told_so():
    url = databases.fresh(empty=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS bob")
        connection.execute("CREATE ROLE bob LOGIN")
    with pytest.raises(StoreError, match="refuses") as caught:
        await PostgresStore(url.replace("//hector@", "//bob@")).aopen()
    assert caught.value.hint
    databases.drop(url)


async def test_other_tables_of_the_database_are_left_alone():
    url = databases.fresh(empty=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE sessions (mine text)")
        connection.execute("CREATE SCHEMA extensions")
        connection.execute("CREATE EXTENSION vector SCHEMA extensions")
        store = PostgresStore(url)
        await store.aopen()
        await store.create_session(make_session())
        await store.aclose()
        assert connection.execute("SELECT count(*) FROM public.sessions").fetchone() == (0,)
    databases.drop(url)


async def test_a_session_that_somebody_holds_for_ever_is_waited_for_no_longer_than_that(postgres_url, monkeypatch):
    monkeypatch.setattr(postgres_writer, "PATIENCE", 0.3)
    store = PostgresStore(postgres_url)
    await store.aopen()
    await store.create_session(make_session())
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM hector.sessions FOR UPDATE")
        store._writer._database.connection.execute("SET lock_timeout = '50ms'")
        async with asyncio.timeout(30):
            with pytest.raises(StoreUnavailable, match="busy"):
                await begin(store, "t1")
    await exchange(store, "t2")
    assert await transcript(store) == ["hello", "hi"]
    await store.aclose()


async def test_nodes_that_lock_the_same_sessions_crosswise_both_get_through(postgres_url):
    nodes = [PostgresStore(postgres_url) for _ in range(2)]
    for node in nodes:
        await node.aopen()
    for name in ("a", "b"):
        await nodes[0].create_session(make_session(name))
    async with asyncio.timeout(60):
        for n in range(20):
            await asyncio.gather(
                *(node.update_session(USER, name, title=f"{n}") for node in nodes for name in ("a", "b")),
                *(node.update_session(USER, name, title=f"{n}") for node in nodes[::-1] for name in ("b", "a")),
            )
    for node in nodes:
        await node.aclose()


async def test_a_holder_that_loses_the_connection_on_which_it_writes_lives_on(server, store, monkeypatch):
    monkeypatch.setattr(postgres_signs, "STEADY_SECONDS", 0.0)
    await begin(store, "turn_1", holder="one")
    other = PostgresStore(server.url("durable"))
    await other.aopen()
    try:
        with psycopg.connect(server.url("durable"), autocommit=True) as connection:

            def locks():
                return connection.execute(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                ).fetchone()[0]

            async with asyncio.timeout(30):
                while locks() < 2:
                    await asyncio.sleep(0.01)
                terminated(server, store._writer.pid)
                while locks() > 1:
                    await asyncio.sleep(0.01)
            connection.execute("UPDATE hector.holders SET seen_at = seen_at - 8000000")
        assert await other.take_over("two", dead_after=600) == []
        await store.goodbye("one")
        with psycopg.connect(server.url("durable"), autocommit=True) as connection:
            async with asyncio.timeout(30):
                while connection.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'").fetchone():
                    await asyncio.sleep(0.01)
        assert [turn.turn_id for turn in await other.take_over("two", dead_after=600)] == ["turn_1"]
    finally:
        await other.aclose()
