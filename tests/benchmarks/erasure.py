"""How long it takes until what was erased has left the files, beside 400,000 texts: `python -m tests.benchmarks.erasure [TEXTS]`.

Beside it: the longest that somebody else's write waited meanwhile, and a bare durable commit of two rows in the same run.
"""

import asyncio
import itertools
import random
import sys
import tempfile
import time
from pathlib import Path

from hector_nb.stores.sqlite import SQLiteStore
from tests.benchmarks.store import bare_commit, report, timed
from tests.stores.making import USER, make_message, make_session

CHANCE = random.Random(1)
WORDS = ["".join(CHANCE.choices("abcdefghijklmnopqrstuvwxyz", k=CHANCE.randint(3, 9))) for _ in range(60_000)]
WEIGHTS = list(itertools.accumulate(1 / (n + 2) for n in range(len(WORDS))))
A_SESSION = 20
"""Messages of most sessions."""


def messages(count):
    """What was said, with the frequencies that words have in a language."""
    said = (" ".join(CHANCE.choices(WORDS, cum_weights=WEIGHTS, k=60)) for _ in range(count))
    return [make_message(text, f"t{n // 2}", ("user", "assistant")[n % 2]) for n, text in enumerate(said)]


async def fill(store, texts):
    """Sessions of 20 messages, and two of 2,000."""
    for start in range(0, texts // A_SESSION, 100):
        await asyncio.gather(
            *(
                store.import_session(make_session(f"s{n}", title=f"session {n}"), messages(A_SESSION))
                for n in range(start, start + 100)
            )
        )
    for n in range(2):
        await store.import_session(make_session(f"long{n}", title="long"), messages(2000))


async def writing(store, waits):
    """Somebody else, who writes all the time."""
    for n in itertools.count():
        started = time.perf_counter()
        await store.update_session(USER, "s0", metadata={"n": n})
        waits.append(time.perf_counter() - started)


async def run(folder, texts):
    """Build the store and erase this and that."""
    bare = bare_commit(folder)
    store = SQLiteStore(folder / "erasure.db")
    await store.aopen()
    await fill(store, texts)
    await asyncio.sleep(3)  # until the store has tidied up
    print(f"{texts} texts, {store.path.stat().st_size / 1e6:.0f} MB")
    report("a bare durable commit of two rows", bare, bare)
    report("delete_session, 20 messages", await timed(15, lambda n: store.delete_session(USER, f"s{n + 1}")), bare)
    report("delete_session, 2,000 messages", await timed(1, lambda _: store.delete_session(USER, "long0")), bare)
    await rewind(store, bare)
    some = asyncio.gather(*(store.delete_session(USER, f"s{n}") for n in range(100, 150)))
    report("delete_session, 50 at once, all", await timed(1, lambda _: some), bare)
    waits = []
    other = asyncio.create_task(writing(store, waits))
    report(
        "delete_session while somebody writes",
        await timed(15, lambda n: store.delete_session(USER, f"s{n + 50}")),
        bare,
    )
    other.cancel()
    report("  … the writer's median", sorted(waits)[len(waits) // 2], bare)
    report("  … the writer's longest", max(waits), bare)
    report(
        "list_sessions, a rare word", await timed(30, lambda n: store.list_sessions(USER, query=WORDS[9000 + n])), bare
    )
    await store.aclose()


async def rewind(store, bare):
    """The last two messages of a session."""
    past = (await store.list_messages(USER, "s50")).items
    after = past[-3].message_id
    report("rewind_session, 2 messages", await timed(1, lambda _: store.rewind_session(USER, "s50", after=after)), bare)


def main():
    """Run all."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else 400_000))


if __name__ == "__main__":
    main()
