"""What the file holds: its settings, its size, its plans, and nothing of what was erased."""

import asyncio
import re
from collections import Counter, defaultdict
from importlib.resources import files

import apsw
import pytest

from hector_nb.events import TextDelta
from hector_nb.stores import keywords, sql, sqlite_reading, sqlite_shredder, sqlite_writer
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_sessions import Idempotency, Window
from hector_nb.stores.sqlite import SQLiteStore
from hector_nb.stores.sqlite_database import connect

from .making import OVER, USER, WAITING, begin, exchange, finish, make_approval, make_session, one_off
from .making_memories import give, partition, remember_everything

pytestmark = pytest.mark.anyio
SUBJECTS = {"sessions", "messages", "texts", "turns", "approvals", "requests", "holders", "shredder", "vectors"}
OTHERS = {"locks", "moving", "postgres_texts", "postgres_signs", "postgres_vectors", "postgres_writers"}
"""Which SQLite does not need, or only to be moved."""
REMEMBERED = {"summaries", "marks", "memories", "recall", "ledgers"}


def pragma(path, name):
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(30_000)
    try:
        return connection.execute(f"PRAGMA {name}").get
    finally:
        connection.close()


@pytest.fixture
def tidy(monkeypatch):
    monkeypatch.setattr(sqlite_writer, "_TIDY_SECONDS", 0.01)


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_the_file_is_made_for_several_processes_and_gives_space_back(sqlite):
    assert pragma(sqlite.path, "journal_mode") == "wal"
    assert pragma(sqlite.path, "auto_vacuum") == 2
    assert pragma(sqlite.path, "user_version") == len(sql.migrations())
    assert pragma(sqlite.path, "foreign_key_check") is None
    assert pragma(sqlite.path, "integrity_check") == "ok"


async def test_what_was_rewound_and_renamed_has_left_the_files_of_a_store_that_is_closed(tmp_path):
    store = SQLiteStore(tmp_path / "hector.db")
    await store.aopen()
    for n in range(300):
        await exchange(
            store, f"t{n}", f"kept {n}", f"word{n}", create_session=make_session(f"s{n}"), session_id=f"s{n}"
        )
    await exchange(store, "t", "Xylophone", "Xylophone", session_id="s7")
    await store.update_session(USER, "s8", title="Xylophone")
    await store.update_session(USER, "s8", title="other")
    past = (await store.list_messages(USER, "s7")).items
    await store.rewind_session(USER, "s7", after=past[1].message_id)
    await store.aclose()
    assert b"xylophone" not in store.path.read_bytes().lower()
    assert b"word299" in store.path.read_bytes()
    await store.aopen()
    assert [s.session_id for s in (await store.list_sessions(USER, query="word29")).items] == [
        f"s{n}" for n in (*range(299, 289, -1), 29)
    ]
    await store.aclose()


async def test_the_file_shrinks_when_event_logs_have_expired(tmp_path, tidy):
    store = SQLiteStore(tmp_path / "hector.db")
    await store.aopen()
    await store.create_session(make_session())
    for n in range(20):
        await begin(store, f"t{n}")
        await store.write_turn(f"t{n}", events=[TextDelta(text="word " * 1000)] * 10)
        await finish(store, f"t{n}", outcome=OVER)
    assert await store.sweep() == 20
    await until(lambda: store.path.stat().st_size < 640_000)
    assert pragma(store.path, "integrity_check") == "ok"
    await store.aclose()


async def test_an_event_costs_a_few_bytes(sqlite):
    await sqlite.create_session(make_session())
    await begin(sqlite, "t1")
    await sqlite.write_turn("t1", events=[TextDelta(text=" word")] * 64)
    connection = apsw.Connection(str(sqlite.path))
    assert connection.execute("SELECT sum(length(payload)) FROM turn_events").get <= 64 * 9
    connection.close()


@pytest.fixture
def traced():
    """Collects the statements of all connections that are opened from now on."""
    hooks = list(apsw.connection_hooks)
    yield lambda statements: apsw.connection_hooks.append(
        lambda connection: connection.set_exec_trace(lambda _, text, __: statements.add(text) or True)
    )
    apsw.connection_hooks[:] = hooks


async def test_no_query_reads_a_whole_table(sqlite, traced, monkeypatch):
    """Run the contract's calls under a tracer and look at the plan of every statement."""
    monkeypatch.setattr(sqlite_reading, "_READ_CHARS", 100)
    await sqlite.heartbeat("dead")
    await sqlite.aclose()
    statements = set()
    explained = connect(sqlite.path).connection
    store = SQLiteStore(sqlite.path)
    traced(statements)
    await store.aopen()
    key = Idempotency(key="k", fingerprint="1")
    await store.create_session(make_session(title="x"), idempotency=key)
    await store.update_session(USER, "s", title="")
    await exchange(store, "t1", "common", outcome=OVER, idempotency=Idempotency(key="k2", fingerprint="1"))
    (said, _) = (await store.list_messages(USER, "s")).items
    await store.fork_session("s", make_session("fork"), after=said.message_id)
    await store.approvals(USER, "s")
    await store.get_output(USER, "s", "call")
    await store.import_session(make_session("import"), [said])
    await store.rewind_session(USER, "fork", after=said.message_id)
    await store.answer(USER, "t1")
    await store.next_turn(USER, "s", after="t1")
    await store.next_turn(USER, "s", after="erased")
    await store.last_turn(USER, "s")
    await begin(store, "before")
    await begin(store, "queued")
    for turn_id in ("before", "queued"):
        await begin(store, turn_id)
        await store.write_turn(turn_id, outcome=OVER)
    await one_off(store, "t0", outcome=OVER)
    await remember_everything(store)
    (memory,) = await give(store, "tea", session_id="remembers")
    with monkeypatch.context() as patch:  # another version of Python knows no words in it
        patch.setattr(keywords, "stems", lambda _: Counter())
        await store.forget_memory(partition(), memory)
    await begin(store, "t2")
    await begin(store, "t3", if_busy="interrupt")
    for wanted in (
        {},
        {"agent": "a"},
        {"status": "active"},
        {"status": "expired", "agent": "a"},
        {"status": "ended"},
        {"query": "x"},
        {"query": "common", "status": "expired"},
        {"cursor": "1.1", "agent": "a"},
    ):
        await store.list_sessions(USER, **wanted)
    await store.list_messages(USER, "s")
    await store.write_turn("t2", events=[TextDelta(text="x")])
    output = ToolOutput(call_id="call", text="all")
    await store.write_turn("t2", outputs=[output], approvals=[make_approval("call", "t2")], outcome=WAITING)
    await store.decide(USER, "s", "call", "approve")
    await store.resume_turn("t2", "holder-1", window=Window())
    await store.read_turn(USER, "t1", after=1)
    await store.unfinished_turns(USER, "s")
    await store.cancel_requests("holder-1")
    await store.request_cancel("t2")
    await store.update_session(USER, "s", title="y", metadata={})
    await store.end_session(USER, "s")
    await store.heartbeat("h")
    await store.join_turn("t2", "h")
    await store.has_readers("t2", besides="holder-1", dead_after=0)
    await store.leave_turn("t2", "h")
    await store.goodbye("holder-1")
    for _ in "12":
        await store.take_over("h", dead_after=0)
    await store.expire_sessions()
    await store.sweep()
    monkeypatch.setattr(sqlite_shredder, "_SCRUBBED_PAGES", 1)
    await store.delete_session(USER, "s")
    await store.aclose()
    assert {file.stem for file in files(sql).iterdir() if file.name.endswith(".sql")} == SUBJECTS | REMEMBERED | OTHERS
    named = {text for subject in SUBJECTS | REMEMBERED for text in sql.queries(subject).values()}
    executed = {*statements, *(re.sub(r"texts_\d+", "{texts}", text) for text in statements)}
    named.remove(
        sql.queries("sessions")["count_sessions"]
    )  # it reads an index from end to end, and is asked once in a while
    assert {query for query in named if not any(query in text for text in executed)} == set()
    plans = {
        (step[3], text)
        for text in statements
        if text.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")) and "sqlite_schema" not in text
        for step in explained.execute(f"EXPLAIN QUERY PLAN {text}", defaultdict(lambda: 1))
    }
    scans = {plan for plan, _ in plans if plan.startswith("SCAN") and "VIRTUAL TABLE" not in plan}
    assert scans == {
        "SCAN holders",
        "SCAN turns USING INDEX turns_unfinished",
        "SCAN unmerged",  # at most sixteen rows
        "SCAN scrubbing",  # one row
        "SCAN embedders",  # a few rows
        "SCAN CONSTANT ROW",
    }
    # What has just expired, what a search found.
    few = (
        "INDEXED BY sessions_to_expire",
        "NOT INDEXED",
        "GROUP BY memory ORDER BY score",
    )
    assert {text for plan, text in plans if "FOR ORDER BY" in plan and not any(each in text for each in few)} == set()
    places = {text for _, text in plans if text.startswith("SELECT last_active_at") and "NOT INDEXED" not in text}
    assert len(places) > 5
    for plan, text in plans:
        assert text not in places or "COVERING INDEX sessions_" in plan or "sessions_to_expire" in text, text
    explained.close()
