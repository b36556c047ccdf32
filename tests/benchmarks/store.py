"""How fast a store is, against a bare durable commit of two rows in the same run.

    python -m tests.benchmarks.store [--postgres] [--sessions 100000]

SQLite's alone, or with `--postgres` the same calls on PostgreSQL (a real server of this run's own, its commits durable) after them, each
with its ratio to SQLite's.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import apsw
import psycopg

from hector_nb.events import TextDelta
from hector_nb.messages import Usage
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import TurnOutcome
from hector_nb.stores.postgres import PostgresStore
from hector_nb.stores.sqlite import SQLiteStore
from tests.postgres.server import SAFE, running
from tests.stores.making import FOR_EVER, USER, ago, begin, exchange, finish, make_message, make_session, make_turn

WORDS = [f" {word}" for word in ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs") * 8]
DONE = TurnOutcome(
    status="complete", finish_reason="stop", usage=Usage(prompt_tokens=900, completion_tokens=64), keep_events=0
)


before = {}
"""What SQLite took for each thing."""


def report(name, seconds, bare):
    ratio = f"  {seconds / before[name]:7.1f} × SQLite" if name in before else ""
    before.setdefault(name, seconds)
    print(f"{name:<58} {seconds * 1000:9.3f} ms  {seconds / bare:7.1f} × bare{ratio}")


def bare_commit(folder):
    """The median time of a durable transaction of two rows."""
    connection = apsw.Connection(str(folder / "bare.db"))
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)",
    ):
        connection.execute(statement).fetchall()
    times = []
    for n in range(300):
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            connection.execute("INSERT INTO t(b) VALUES(?)", (f"message {n}",))
        connection.execute("COMMIT")
        times.append(time.perf_counter() - started)
    return statistics.median(times)


async def timed(count, call):
    """The median time of a call."""
    times = []
    for n in range(count):
        started = time.perf_counter()
        await call(n)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


async def turns(store, bare):
    """Begin and write, one after another, early and late in one session."""
    await store.aopen()
    await store.create_session(make_session())
    window = Window(max_messages=19, max_tokens=4000)
    for upto in (10, 100, 1000, 5000):
        last = (await store.get_session(USER, "s")).message_count // 2
        await asyncio.gather(
            *(
                step
                for n in range(last, upto)
                for step in (begin(store, f"fill{n}", window=window), finish(store, f"fill{n}"))
            )
        )
        begins = []
        for n in range(50):
            new = make_turn(f"b{upto}-{n}")
            started = time.perf_counter()
            await store.begin_turn(new, window=window, lifetime=FOR_EVER)
            begins.append(time.perf_counter() - started)
            await finish(store, new.turn_id)
        report(f"begin_turn at turn {upto}, history of 19", statistics.median(begins), bare)
    await begin(store, "w")
    group = [TextDelta(text=word) for word in WORDS[:4]]
    report("write_turn, 4 events, alone", await timed(300, lambda _: store.write_turn("w", events=group)), bare)
    for n in range(200):
        await store.create_session(make_session(f"g{n}"))
        await begin(store, f"g{n}", session_id=f"g{n}")
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(10):
        await asyncio.gather(*(store.write_turn(f"g{n}", events=group) for n in range(200)))
    report("write_turn, 4 events, 200 at once: each", (time.perf_counter() - started) / 2000, bare)
    print(f"{'  CPU of the whole process for each':<58} {(time.process_time() - cpu) / 2:9.3f} ms")
    report("get_session", await timed(300, lambda _: store.get_session(USER, "s")), bare)
    report("list_messages, 100", await timed(100, lambda _: store.list_messages(USER, "s")), bare)
    await store.aclose()


def past(n):
    """What was said in the n-th of many sessions: two messages of 40 words, of which few are rare."""
    draw = random.Random(n)
    words = (f"w{int(draw.paretovariate(0.5)) % 30_000}" for _ in range(78))
    said = " ".join(["everywhere", *words, f"only{n}"])
    half = len(said) // 2
    return [make_message(said[:half], f"t{n}"), make_message(said[half:], f"t{n}", "assistant", tokens=40)]


async def fill(store, count):
    """Sessions with titles and messages, some of each status."""
    for start in range(0, count, 5_000):
        made = (
            make_session(
                f"s{n}",
                title=f"number {n} of many",
                last_active_at=ago(n * 7919 % 86_400),
                agent=f"a{n % 3}",
                status="ended" if n % 10 == 1 else "active",
                expires_at=ago(1) if n % 10 == 2 else None,
            )
            for n in range(start, start + 5_000)
        )
        await asyncio.gather(*(store.import_session(session, past(int(session.session_id[1:]))) for session in made))
    while await store.expire_sessions(limit=5_000):
        pass


async def listing(store, bare, count):
    """Pages of 50 of many sessions, and what a turn costs beside them."""
    await store.aopen()
    started = time.perf_counter()
    await fill(store, count)
    print(f"{f'{count:,} sessions of two messages imported in':<58} {time.perf_counter() - started:9.1f} s")
    if isinstance(store, SQLiteStore):
        print(f"{'  file':<58} {store.path.stat().st_size / 1e6:9.1f} MB")
    cursor = None
    for _ in range(count // 100):
        cursor = (await store.list_sessions(USER, cursor=cursor)).next_cursor
    for name, wanted in {
        "first page": {},
        "a page in the middle": {"cursor": cursor},
        "of one agent": {"agent": "a1"},
        "active": {"status": "active"},
        "ended": {"status": "ended"},
        "expired, of one agent": {"status": "expired", "agent": "a2"},
        "a word in one message": {"query": f"only{count * 7 // 9}"},
        "a word that is nowhere": {"query": "nowhere"},
        "a word in some sessions": {"query": "w2000"},
        "words in many sessions": {"query": "w5 w7"},
        "a word in all titles": {"query": "number"},
        "a word in all sessions, ended": {"query": "everywhere", "status": "ended"},
        "one letter": {"query": "w"},
    }.items():
        found = len((await store.list_sessions(USER, **wanted)).items)
        took = await timed(20, lambda _, w=wanted: store.list_sessions(USER, **w))
        report(f"list_sessions at {count:,}: {name} ({found})", took, bare)
    await beside_many(store, bare, count)
    await store.aclose()


async def beside_many(store, bare, count):
    """Turns and deletions in a store with many sessions."""
    begins, finishes = [], []
    for n in range(min(1000, count // 20)):
        session = n * 10 + count // 20 * 10
        new = make_turn(f"b{n}", " ".join(WORDS), session_id=f"s{session}", agent=f"a{session % 3}")
        started = time.perf_counter()
        await store.begin_turn(new, window=Window(max_messages=19), lifetime=FOR_EVER)
        began = time.perf_counter()
        await finish(store, new.turn_id, " ".join(WORDS))
        begins.append(began - started)
        finishes.append(time.perf_counter() - began)
    for name, times in {"begin_turn": begins, "write_turn with an answer": finishes}.items():
        report(f"{name} at {count:,} sessions", statistics.median(times), bare)
        report(f"{name} at {count:,} sessions, 99th percentile", sorted(times)[-len(times) // 100], bare)
    ids = iter(range(count // 20 * 10, count, 10))
    report("delete_session, 2 messages", await timed(50, lambda _: store.delete_session(USER, f"s{next(ids)}")), bare)
    report("take_over, nothing to take", await timed(300, lambda _: store.take_over("me", dead_after=10)), bare)
    await exchange(store, "long", session_id="s0", agent="a0")
    for n in range(2000):
        await asyncio.gather(*begin_and_finish(store, n))
    first, *_ = (await store.list_messages(USER, "s0")).items
    started = time.perf_counter()
    await store.fork_session("s0", make_session("fork"))
    report("fork_session, 4,004 messages", time.perf_counter() - started, bare)
    started = time.perf_counter()
    await store.rewind_session(USER, "s0", after=first.message_id)
    report("rewind_session, 4,003 messages", time.perf_counter() - started, bare)
    started = time.perf_counter()
    await store.delete_session(USER, "fork")
    report("delete_session, 4,004 messages", time.perf_counter() - started, bare)


def begin_and_finish(store, n):
    """One turn of a long session, in one transaction."""
    return begin(store, f"l{n}", " ".join(WORDS), session_id="s0", agent="a0", window=Window(max_messages=19)), finish(
        store, f"l{n}", " ".join(WORDS)
    )


async def size(folder):
    """Bytes of the file after 500 turns of 64 one-word deltas, each a row of its own: the worst case."""
    path = folder / "size.db"
    store = SQLiteStore(path)
    await store.aopen()
    await store.create_session(make_session())
    for n in range(500):
        turn_id = f"turn_{n:026}"
        await begin(store, turn_id, f"What about number {n}, and what follows from it?", window=Window(max_messages=19))
        await asyncio.gather(*(store.write_turn(turn_id, events=[TextDelta(text=word)]) for word in WORDS))
        answer = make_message("".join(WORDS), turn_id, "assistant", tokens=64)
        await store.write_turn(turn_id, messages=[answer], outcome=DONE)
    await store.aclose()
    print(f"{'store after 500 turns of 64 deltas, one row each':<58} {path.stat().st_size / 1e6:9.2f} MB")
    await store.aopen()
    while await store.sweep():
        pass
    while apsw.Connection(str(path)).execute("PRAGMA freelist_count").get:
        await asyncio.sleep(0.2)
    await store.aclose()
    print(f"{'  … once the event logs have expired':<58} {path.stat().st_size / 1e6:9.2f} MB")


def main(*, postgres, sessions):
    """Run all."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        bare = bare_commit(folder)
        report("a bare durable commit of two rows", bare, bare)
        asyncio.run(turns(SQLiteStore(folder / "turns.db"), bare))
        asyncio.run(listing(SQLiteStore(folder / "listing.db"), bare, sessions))
        asyncio.run(size(folder))
        if postgres:
            url = stack.enter_context(running(**SAFE)).url()
            print("PostgreSQL")
            asyncio.run(turns(PostgresStore(url), bare))
            asyncio.run(emptied(url))
            asyncio.run(listing(PostgresStore(url), bare, sessions))


async def emptied(url):
    """A database without a store."""
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with connection:
        await connection.execute("DROP SCHEMA hector CASCADE")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--sessions", type=int, default=100_000)
    main(**vars(parser.parse_args()))
