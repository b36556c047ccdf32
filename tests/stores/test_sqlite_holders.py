"""How processes on one SQLite store know of each other who lives."""

import asyncio
import os

import apsw
import pytest

from hector_nb.stores import holder_locks
from hector_nb.stores.sqlite import SQLiteStore
from hector_nb.stores.sqlite_database import BUSY_SECONDS

from .making import begin, make_session

pytestmark = pytest.mark.anyio


@pytest.fixture
async def other(sqlite):
    """The store as another process has it open, which holds a turn."""
    store = SQLiteStore(sqlite.path)
    await store.aopen()
    await store.create_session(make_session())
    await begin(store, "t1", holder="other")
    yield store
    await store.aclose()


@pytest.fixture
def folder(sqlite):
    return sqlite.path.with_name("hector.db-holders")


async def taken(store, *, dead_after):
    return [turn.turn_id for turn in await store.take_over("here", dead_after=dead_after)]


async def test_a_holder_lives_as_long_as_its_lock_whatever_its_heartbeats(sqlite, other):
    assert await taken(sqlite, dead_after=0) == []
    await other.aclose()
    assert await taken(sqlite, dead_after=3600) == ["t1"]


async def test_where_a_lock_file_is_gone_the_heartbeat_counts(sqlite, other, folder):
    (folder / "other").unlink()
    assert await taken(sqlite, dead_after=3600) == []
    assert await taken(sqlite, dead_after=0) == ["t1"]


async def test_where_the_system_has_no_locks_the_heartbeat_counts(sqlite, monkeypatch):
    monkeypatch.setattr(holder_locks, "fcntl", None)
    await sqlite.create_session(make_session())
    await begin(sqlite, "t1", holder="other")
    assert not sqlite.path.with_name("hector.db-holders").exists()
    assert await taken(sqlite, dead_after=3600) == []
    assert await taken(sqlite, dead_after=0) == ["t1"]
    await sqlite.goodbye("other")


async def test_where_no_lock_file_can_be_made_the_heartbeat_counts(sqlite, folder):
    folder.write_text("in the way")
    await sqlite.create_session(make_session())
    await begin(sqlite, "t1", holder="other")
    assert await taken(sqlite, dead_after=3600) == []
    assert await taken(sqlite, dead_after=0) == ["t1"]


async def test_folder_and_files_are_the_owners_alone(other, folder):
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "other").stat().st_mode & 0o777 == 0o600


async def test_looking_for_the_dead_writes_nothing_and_waits_for_nobody(sqlite, other):
    writing = apsw.Connection(str(sqlite.path))
    writing.set_busy_timeout(30_000)  # the stores may just tidy up
    writing.execute("BEGIN IMMEDIATE")
    try:
        async with asyncio.timeout(3 * BUSY_SECONDS):  # who waits for others is told of them after one third of that
            assert await taken(sqlite, dead_after=0) == []
    finally:
        writing.close()


async def test_two_that_look_at_once_do_not_take_each_other_for_the_holder(sqlite, other, folder):
    await other.aclose()
    locks = holder_locks.HolderLocks(folder)
    looking = os.open(folder / "other", os.O_RDWR)
    holder_locks.fcntl.flock(looking, holder_locks.fcntl.LOCK_SH)
    try:
        assert locks.alive("other") is False
    finally:
        os.close(looking)


async def test_a_holder_that_comes_back_while_its_file_is_removed_has_one_again(other, folder):
    locks, cleaner = holder_locks.HolderLocks(folder), holder_locks.HolderLocks(folder)
    for _ in range(50):
        locks.hold("again")
        cleaner.remove_others(set())
        assert cleaner.alive("again")
        locks.abandon()
        assert cleaner.alive("again") is False
        cleaner.remove_others({"other"})
        assert cleaner.alive("again") is None
    assert cleaner.alive("other")


async def test_a_holder_of_another_store_with_the_same_name_is_not_waited_for(other, folder):
    locks = holder_locks.HolderLocks(folder)
    locks.hold("other")
    locks.release("other")
    assert locks.alive("other")
