"""How fast memories are found at sizes that matter, and why vectors are held in memory: `python -m tests.benchmarks.vectors`.

First the search alone: numpy over matrices held in memory, the same read anew from the file, and `sqlite-vec` with the partition as its
key. Then the store: taking in, recall in a warm and in a fresh process, and which part of it are words.
"""

import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path

import apsw
import numpy as np
import sqlite_vec

from hector_nb.stores import vectors
from hector_nb.stores.sqlite import SQLiteStore
from tests.stores.making import AGENT, USER, ago, make_message, make_session
from tests.stores.making_memories import make_memory, partition

DIMENSION = 256
SIZES = ((1, 1_000), (1, 10_000), (1, 100_000), (100, 1_000))
"""Partitions, and memories in each."""
WORDS = 60
"""Words of a memory; few are rare."""


def report(name, seconds):
    print(f"{name:<64} {seconds * 1000:9.2f} ms")


def median(count, call):
    times = []
    for n in range(count):
        started = time.perf_counter()
        call(n)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def unit(count, seed):
    """Random vectors of length 1."""
    rows = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype("<f4")
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def text(draw):
    return " ".join(f"w{int(draw.paretovariate(0.7)) % 30_000}" for _ in range(WORDS))


def alone(folder, partitions, size):
    """The search without a store."""
    connection = apsw.Connection(str(folder / f"alone-{partitions}-{size}.db"))
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.execute("CREATE TABLE plain (place INTEGER PRIMARY KEY, vector BLOB)")
    connection.execute(f"CREATE VIRTUAL TABLE vec USING vec0 (part INTEGER partition key, v FLOAT[{DIMENSION}])")
    held = {}
    connection.execute("BEGIN")
    for part in range(partitions):
        held[part] = unit(size, part)
        rows = [(part << 32 | n, row.tobytes()) for n, row in enumerate(held[part], 1)]
        connection.executemany("INSERT INTO plain VALUES (?, ?)", rows)
        connection.executemany(f"INSERT INTO vec (part, v) VALUES ({part}, ?)", [(vector,) for _, vector in rows])
    connection.execute("COMMIT")
    query = unit(1, 999)[0].tobytes()

    def in_memory(n):
        return vectors.best(vectors.cosines(held[n % partitions], query), 20)

    def from_the_file(n):
        low = n % partitions << 32
        wanted = "SELECT vector FROM plain WHERE place > ? AND place < ?"
        found = [vector for (vector,) in connection.execute(wanted, (low, low + (1 << 32)))]
        return vectors.best(vectors.cosines(vectors.matrix(found, DIMENSION), query), 20)

    def by_extension(n):
        wanted = "SELECT rowid FROM vec WHERE part = ? AND v MATCH ? AND k = 20"
        return connection.execute(wanted, (n % partitions, query)).fetchall()

    name = f"{partitions} × {size:,}"
    report(f"{name}: numpy, held in memory", median(20, in_memory))
    report(f"{name}: numpy, read from the file", median(5, from_the_file))
    report(f"{name}: sqlite-vec", median(10, by_extension))
    connection.close()


async def fill(store, partitions, size):
    """Sessions that give a partition its memories, a thousand at a time; seconds for each memory."""
    draw = random.Random(1)
    spent = 0.0
    for part in range(partitions):
        user, rows = f"{USER}{part}", unit(size, part)
        for start in range(0, size, 1000):
            session_id = f"s{start}"
            said = [make_message()]
            await store.import_session(make_session(session_id, user=user), said, take_in=True)
            given = [make_memory(text(draw), said[0], 1, vector=row.tobytes()) for row in rows[start : start + 1000]]
            started = time.perf_counter()
            marks = {"scope": "conversational", "mark": 0, "upto": 1}
            await store.take_in(user, session_id, **marks, memories=given, embedder="e")
            spent += time.perf_counter() - started
    return spent / partitions / size


async def timed(count, call):
    times = []
    for n in range(count):
        started = time.perf_counter()
        await call(n)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


async def in_store(folder, partitions, size):
    """Recall by words, by vector and by both."""
    path = folder / f"store-{partitions}-{size}.db"
    store = SQLiteStore(path)
    await store.aopen()
    name = f"{partitions} × {size:,}"
    report(f"{name}: take_in, each of 1,000 at once", await fill(store, partitions, size))
    await store.aclose()
    print(f"{f'{name}: bytes of the file for each memory':<64} {path.stat().st_size / partitions / size:9.0f}")
    await store.aopen()
    draw, query = random.Random(2), unit(1, 999)[0].tobytes()

    def recall(n, words, vector):
        where = partition(user=f"{USER}{n % partitions}")
        return store.recall(where, query=words, vector=vector, embedder="e", limit=20)

    def asked(_):
        return " ".join(f"w{int(draw.paretovariate(0.7)) % 30_000}" for _ in range(6))

    report(f"{name}: recall by vector, the first", await timed(1, lambda n: recall(n, "", query)))
    for n in range(1, partitions):
        await recall(n, "", query)
    report(f"{name}: recall by vector", await timed(20, lambda n: recall(n, "", query)))
    report(f"{name}: recall by 6 words", await timed(20, lambda n: recall(n, asked(n), None)))
    report(f"{name}: recall by the commonest 6 words", await timed(5, lambda n: recall(n, "w1 w2 w3 w4 w5 w6", None)))
    report(f"{name}: recall by both", await timed(20, lambda n: recall(n, asked(n), query)))
    report(
        f"{name}: a page of 50",
        await timed(20, lambda n: store.list_memories(partition(user=f"{USER}{n % partitions}"))),
    )
    (newest,) = (await store.list_memories(partition(user=f"{USER}0"), limit=1)).items
    where = partition(user=f"{USER}0")
    report(f"{name}: forget one", await timed(1, lambda _: store.forget_memory(where, newest.memory_id)))
    report(f"{name}: recall by vector after that", await timed(1, lambda n: recall(n, "", query)))
    await store.aclose()


async def marks(folder):
    """Looking for sessions to take in among 100,000 that are, or are not."""
    for take_in in (False, True):
        store = SQLiteStore(folder / f"marks-{take_in}.db")
        await store.aopen()
        for start in range(0, 100_000, 5_000):
            await asyncio.gather(
                *(
                    store.import_session(make_session(f"s{n}"), [make_message()], take_in=take_in)
                    for n in range(start, start + 5_000)
                )
            )
        found = len(await store.untaken([AGENT], idle_before=ago()))
        report(f"untaken at 100,000 sessions ({found})", await timed(20, lambda _, s=store: s.untaken([AGENT])))
        report("untaken of those that are over", await timed(20, lambda _, s=store: s.untaken([AGENT], over=True)))
        await store.aclose()


def main():
    """Run all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for partitions, size in SIZES:
            alone(folder, partitions, size)
        for partitions, size in SIZES:
            asyncio.run(in_store(folder, partitions, size))
        asyncio.run(marks(folder))


if __name__ == "__main__":
    main()
