"""How fast the SQLite store is, against a bare durable commit of two rows in the same run: `python -m tests.benchmarks.store`."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import apsw

from hector_nb.events import TextDelta
from hector_nb.messages import Usage
from hector_nb.stores.base import TurnOutcome, Window
from hector_nb.stores.sqlite import SQLiteStore
from tests.stores.making import FOR_EVER, USER, ago, begin, finish, make_message, make_session, make_turn

WORDS = [f" {word}" for word in ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs") * 8]
DONE = TurnOutcome(
    status="complete", finish_reason="stop", usage=Usage(prompt_tokens=900, completion_tokens=64), keep_events=0
)


def report(name, seconds, bare):
    print(f"{name:<58} {seconds * 1000:9.3f} ms  {seconds / bare:7.1f} × bare")


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


async def turns(folder, bare):
    """Begin and write, one after another, early and late in one session."""
    store = SQLiteStore(folder / "turns.db")
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


async def listing(folder, bare):
    """Pages of 50 of 100,000 sessions."""
    store = SQLiteStore(folder / "listing.db")
    await store.aopen()
    for start in range(0, 100_000, 5_000):
        made = (
            make_session(f"s{n}", title=f"number {n} of many", last_active_at=ago(n % 86_400), agent=f"a{n % 3}")
            for n in range(start, start + 5_000)
        )
        await asyncio.gather(*(store.create_session(session) for session in made))
    cursor = None
    for _ in range(1000):
        cursor = (await store.list_sessions(USER, cursor=cursor)).next_cursor
    for name, wanted in {
        "first page": {},
        "page 1,001": {"cursor": cursor},
        "of one agent": {"agent": "a1"},
        "active": {"status": "active"},
        "ended (there are none)": {"status": "ended"},
        "titles, one found": {"query": "77777"},
        "titles, all found": {"query": "number"},
    }.items():
        report(
            f"list_sessions at 100,000: {name}",
            await timed(20, lambda _, w=wanted: store.list_sessions(USER, **w)),
            bare,
        )
    await store.aclose()


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


def main():
    """Run all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = bare_commit(folder)
        report("a bare durable commit of two rows", bare, bare)
        asyncio.run(turns(folder, bare))
        asyncio.run(listing(folder, bare))
        asyncio.run(size(folder))


if __name__ == "__main__":
    main()
