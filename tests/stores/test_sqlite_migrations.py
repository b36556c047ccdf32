"""A store that an older version has made is brought up to date and loses nothing."""

import apsw
import pytest

from hector_nb.stores import sql
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.sqlite import SQLiteStore
from hector_nb.stores.sqlite_database import APPLICATION_ID, connect

from .making import AGENT, USER, begin, exchange, transcript
from .making_memories import REMEMBERED, give, make_ledger, remembered

pytestmark = pytest.mark.anyio
SECOND = 1_000_000


@pytest.fixture
def version_1(tmp_path):
    """A file of version 1 with a session of two messages, a finished turn, and an empty session."""
    path = tmp_path / "hector.db"
    path.touch()
    database = connect(path)
    for statement in ("PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA journal_mode = WAL", sql.migrations()[0]):
        database.all(statement)
    database.run("PRAGMA user_version = 1")
    database.run(f"PRAGMA application_id = {APPLICATION_ID}")
    session = "INSERT INTO sessions VALUES (?, 'ann', ?, 'assistant', 'active', '', '{}', 1, 1, 1, NULL, ?, ?, ?)"
    message = "INSERT INTO messages VALUES (?, ?, 't1', ?, ?, 1, ?, NULL)"
    run = database.connection.execute
    run(session, (1, "s", 2, 1, 2))
    run(session, (2, "empty", 0, 0, 0))
    run(message, ((1 << 24) + 1, "msg_1", "user", 5 * SECOND, "old question"))
    run(message, ((1 << 24) + 2, "msg_2", "assistant", 7 * SECOND, "old answer"))
    run("INSERT INTO texts (rowid, words) SELECT place, words(content) FROM messages")
    run(
        "INSERT INTO turns (turn_id, session, status, holder, message_id, position, until, number, created_at, finished_at)"
        " VALUES ('t1', 1, 'complete', 'h', 'msg_1', 1, 2, 1, 5, 7)"
    )
    database.connection.close()
    return path


@pytest.fixture
async def store(version_1):
    store = SQLiteStore(version_1)
    await store.aopen()
    yield store
    await store.aclose()


async def test_a_store_of_version_1_is_brought_up_to_date(store):
    connection = apsw.Connection(str(store.path))
    assert connection.execute("PRAGMA user_version").get == len(sql.migrations())
    assert connection.execute("PRAGMA foreign_key_check").get is None
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    connection.close()
    assert await transcript(store) == ["old question", "old answer"]
    assert (await store.get_turn(USER, "t1")).status == "complete"
    assert await store.get_ledger(USER, "t1") is None
    assert await store.read_window(USER, "empty", window=Window(summarized=True)) == (None, [], 1)
    assert [session.session_id for session in (await store.list_sessions(USER, query="quest")).items] == ["s"]


async def test_nothing_that_was_said_before_is_taken_in(store):
    assert await store.untaken([AGENT]) == []
    assert await store.untaken_of(USER, "s") is None
    await exchange(store, "t2", outcome=REMEMBERED)
    (untaken,) = await store.untaken([AGENT])
    assert (untaken.session.session_id, untaken.mark, untaken.upto) == ("s", 2, 4)


async def test_an_old_session_goes_on_and_is_remembered(store):
    await give(store, "likes tea")
    assert await remembered(store) == ["likes tea"]
    await begin(store, "t9")
    await store.write_turn("t9", ledger=make_ledger(last_position=5))
    assert [message.content for _, message in (await store.get_ledger(USER, "t9")).messages[:2]] == [
        "old question",
        "old answer",
    ]
