"""A database that fails says so clearly, keeps what it acknowledged, and works again when the cause is gone."""

import asyncio

import apsw
import pytest

from hector_nb.errors import HectorError, SessionNotFound, StoreError, StoreFull
from hector_nb.stores import sqlite_database
from hector_nb.stores.base_turns import BegunTurn
from hector_nb.stores.sqlite import SQLiteStore

from .making import USER, begin, exchange, finish, make_session, transcript

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session(sqlite):
    await sqlite.create_session(make_session())
    await exchange(sqlite, "before")


@pytest.fixture
def page_limit(sqlite):
    """Limits the pages of the database, and lifts the limit; by the one connection that writes, which is its thread's alone."""

    async def limit(pages):
        await sqlite._write(lambda database: database.value(f"PRAGMA max_page_count = {pages}"))

    return limit


def opened(path):
    """A connection of another program; the store may just tidy up."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(30_000)
    return connection


class RefusingFile(apsw.VFSFile):
    refusal = None

    def __init__(self, name, flags):
        super().__init__("unix", name, flags)

    def xWrite(self, data, offset):
        if RefusingFile.refusal is not None:
            raise RefusingFile.refusal("refused")
        return super().xWrite(data, offset)

    def xSync(self, flags):
        if RefusingFile.refusal is not None:
            raise RefusingFile.refusal("refused")
        return super().xSync(flags)


class RefusingDisk(apsw.VFS):
    def __init__(self):
        super().__init__("refusing", "unix", makedefault=True)

    def xOpen(self, name, flags):
        return RefusingFile(name, flags)


@pytest.fixture
def disk():
    """Makes every write fail with an error of the driver, or none."""
    vfs = RefusingDisk()
    yield lambda error: setattr(RefusingFile, "refusal", error)
    RefusingFile.refusal = None
    apsw.set_default_vfs("unix")
    vfs.unregister()


async def test_a_full_database_says_so_and_works_again_with_room(page_limit, sqlite, session):
    await page_limit(1)
    with pytest.raises(StoreFull) as full:
        await begin(sqlite, "big", "x" * 100_000)
    assert "no room" in full.value.message
    assert full.value.hint
    assert await sqlite.get_turn(USER, "big") is None
    assert await transcript(sqlite) == ["hello", "hi"]
    await page_limit(1_000_000)
    assert isinstance(await begin(sqlite, "big", "x" * 100_000), BegunTurn)


async def test_in_a_full_database_what_still_fits_is_stored_though_it_shares_a_transaction(page_limit, sqlite, session):
    await page_limit(1)
    big = [begin(sqlite, f"big{n}", "x" * 100_000, session_id="s") for n in range(3)]
    small = [sqlite.update_session(USER, "s", title=f"title {n}") for n in range(3)]
    answers = await asyncio.gather(*big, *small, return_exceptions=True)
    assert [type(answer) for answer in answers[:3]] == [StoreFull] * 3
    assert [answer.title for answer in answers[3:]] == ["title 0", "title 1", "title 2"]


@pytest.mark.parametrize(
    ("refusal", "error", "words"),
    [
        (apsw.FullError, StoreFull, "no room"),
        (apsw.ReadOnlyError, StoreError, "cannot be written"),
        (apsw.IOError, StoreError, "cannot be read or written"),
    ],
)
async def test_a_disk_that_refuses_writes_costs_nothing_that_was_acknowledged(
    disk, sqlite, session, refusal, error, words
):
    await begin(sqlite, "running")
    disk(refusal)
    calls = [
        begin(sqlite, "t1"),
        finish(sqlite, "running"),
        sqlite.create_session(make_session("new")),
        sqlite.delete_session(USER, "s"),
        sqlite.heartbeat("h"),
    ]
    for answer in await asyncio.gather(*calls, return_exceptions=True):
        assert type(answer) is error
        assert words in answer.message
        assert answer.hint
    assert await transcript(sqlite) == ["hello", "hi", "hello"]
    assert (await sqlite.get_turn(USER, "running")).status == "running"
    disk(None)
    assert await sqlite.get_session(USER, "new") is None
    assert (await finish(sqlite, "running")).finished
    await exchange(sqlite, "after")
    assert len(await transcript(sqlite)) == 6


async def test_one_job_that_fails_does_not_harm_those_that_share_its_transaction(sqlite, session):
    answers = await asyncio.gather(
        sqlite.update_session(USER, "s", title="one"),
        begin(sqlite, "t1", session_id="gone"),
        sqlite.create_session(make_session("new")),
        return_exceptions=True,
    )
    assert answers[0].title == "one"
    assert isinstance(answers[1], SessionNotFound)
    assert answers[2][1]


async def test_a_job_that_fails_half_way_leaves_nothing_behind(sqlite, session):
    with pytest.raises(HectorError):
        await begin(sqlite, "t1", create_session=make_session("half", listed=False), session_id="gone")
    assert await sqlite.get_session(USER, "half") is None


async def test_a_write_waits_for_another_process_that_holds_the_database(sqlite, session):
    other = opened(sqlite.path)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(begin(sqlite, "t1"))
    assert await transcript(sqlite) == ["hello", "hi"]
    assert not waiting.done()
    other.execute("COMMIT")
    assert isinstance(await waiting, BegunTurn)
    other.close()


async def test_a_process_that_holds_the_database_too_long_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_database, "BUSY_SECONDS", 0.05)
    store = SQLiteStore(tmp_path / "hector.db")
    await store.aopen()
    other = opened(store.path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as held:
        await store.create_session(make_session())
    assert "another process" in held.value.message
    other.execute("COMMIT")
    assert (await store.create_session(make_session()))[1]
    other.close()
    await store.aclose()


async def test_a_write_is_done_though_its_caller_was_cancelled(sqlite, session):
    task = asyncio.create_task(begin(sqlite, "t1"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await finish(sqlite, "t1") is not None
    assert await transcript(sqlite) == ["hello", "hi", "hello", "hi"]
