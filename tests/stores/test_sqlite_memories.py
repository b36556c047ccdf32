"""How vectors are held in memory, and what a file costs that remembers."""

import asyncio
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from hector_nb.stores import keywords, sqlite_vectors
from hector_nb.stores.sqlite import SQLiteStore

from .making import USER, begin, finish, make_session
from .making_memories import give, make_ledger, make_summary, messages_of, partition, recalled, vector

pytestmark = pytest.mark.anyio
EAST, NORTH, BETWEEN = vector(1, 0), vector(0, 1), vector(0.6, 0.8)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def reads(monkeypatch):
    """How many vectors were read from the file, search by search."""
    counts = []
    read = sqlite_vectors._read

    def counted(*arguments, **named):
        counts.append(0)
        for block in read(*arguments, **named):
            counts[-1] += len(block.keys)
            yield block

    monkeypatch.setattr(sqlite_vectors, "_read", counted)
    return counts


async def search(store, **named):
    return set(await recalled(store, vector=EAST, limit=100, **named))


async def test_a_search_reads_only_the_vectors_that_are_new(sqlite, reads):
    await give(sqlite, ("one", EAST), ("two", NORTH))
    assert await search(sqlite) == {"one", "two"}
    assert await search(sqlite) == {"one", "two"}
    await give(sqlite, ("three", BETWEEN), "without")
    assert await search(sqlite) == {"one", "two", "three"}
    assert reads == [2, 0, 1]


async def test_vectors_made_later_in_their_order_are_new_ones(sqlite, reads):
    one, two, three = await give(sqlite, "one", "two", "three")
    for memory, found in ((one, 1), (three, 2)):
        await sqlite.embed_memories("wordllama", [(memory, 1, EAST)])
        assert len(await search(sqlite)) == found
    await sqlite.embed_memories("wordllama", [(two, 1, EAST)])
    assert len(await search(sqlite)) == 3
    assert reads == [1, 1, 3]


async def test_what_is_forgotten_is_no_longer_held(sqlite, reads):
    one, _ = await give(sqlite, ("one", EAST), ("two", NORTH))
    assert len(await search(sqlite)) == 2
    await sqlite.forget_memory(partition(), one)
    assert await search(sqlite) == {"two"}
    (held,) = sqlite._vectors._held.values()
    assert [len(block.keys) for block in held.blocks] == [1]


@pytest.mark.parametrize("most_bytes", [1 << 20, 40, 8])
async def test_answers_do_not_depend_on_what_is_held(sqlite, monkeypatch, most_bytes):
    monkeypatch.setattr(sqlite_vectors, "_BLOCK", 2)
    monkeypatch.setattr(sqlite_vectors, "_MOST_BYTES", most_bytes)
    for session, count in {"s": 5, "b": 3, "c": 1}.items():
        await give(
            sqlite,
            *((f"{session}{n}", EAST if n % 2 else NORTH) for n in range(count)),
            session_id=session,
            scope="session",
        )
    for _ in "12":
        for session, count in {"s": 5, "b": 3, "c": 1}.items():
            where = partition("session", session_id=session)
            assert await search(sqlite, where=where) == {f"{session}{n}" for n in range(count)}
            best = await recalled(sqlite, vector=EAST, where=where, limit=1)
            assert best == {f"{session}{(count - 1) // 2 * 2 - 1 if count > 1 else 0}": (None, float(count > 1))}
    assert sum(held.bytes for held in sqlite._vectors._held.values()) <= most_bytes


async def test_searches_at_once_agree(sqlite):
    await give(sqlite, *((f"m{n}", EAST) for n in range(50)))
    found = await asyncio.gather(*(search(sqlite) for _ in range(20)))
    assert all(len(each) == 50 for each in found)


async def test_the_commonest_words_of_a_large_partition_do_not_count(sqlite, monkeypatch):
    monkeypatch.setattr(keywords, "MOST_PLACES", 3)
    await give(sqlite, "tea", "tea cake", "tea pie", "tea pie water")
    assert set(await recalled(sqlite, "tea pie cake")) == {"tea cake", "tea pie", "tea pie water"}
    assert len(await recalled(sqlite, "tea")) == 4


def test_numpy_is_loaded_when_the_first_vector_is_searched():
    program = (
        "import asyncio, sys, tempfile, pathlib\n"
        "from hector_nb.stores.sqlite import SQLiteStore\n"
        "from tests.stores.making_memories import give, recalled, vector\n"
        "async def main(folder):\n"
        "    store = SQLiteStore(pathlib.Path(folder) / 'hector.db')\n"
        "    await store.aopen()\n"
        "    await give(store, ('tea', vector(1, 0)))\n"
        "    await recalled(store, 'tea')\n"
        "    assert 'numpy' not in sys.modules\n"
        "    await recalled(store, vector=vector(1, 0))\n"
        "    assert 'numpy' in sys.modules\n"
        "    await store.aclose()\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    asyncio.run(main(folder))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


async def test_nothing_forgotten_is_left_in_the_pages_of_the_file(tmp_path):
    """The vector is one that no other has."""
    store = SQLiteStore(tmp_path / "hector.db")
    await store.aopen()
    odd = vector(0.125, 0.9921567)
    await give(store, *(f"kept {n}" for n in range(50)), session_id="other")
    gone, corrected = await give(store, ("Xylophone glockenspiel", odd), ("Xylophone", odd))
    await store.correct_memory(partition(), corrected, text="Xylophone again", tokens=1, vector=odd, embedder="e")
    await begin(store, "t9")
    await store.write_turn("t9", ledger=make_ledger(gone, corrected, system="Xylophone prompt"))
    await store.write_turn("t9", ledger=make_ledger(gone, corrected))
    past = await messages_of(store)
    await store.store_summary(USER, "s", make_summary(past[1], 2, "Xylophone"), after=0)
    for memory in (gone, corrected):
        await store.forget_memory(partition(), memory)
    await store.delete_session(USER, "s")
    await store.aclose()
    content = store.path.read_bytes()
    for trace in (b"xylophon", b"glockenspiel"):
        assert trace not in content.lower()
    for trace in (odd, gone.encode(), corrected.encode()):
        assert trace not in content
    assert b"kept 49" in content


async def test_what_a_forgotten_session_gave_leaves_no_row(sqlite):
    await give(sqlite, ("tea", EAST), "cake")
    await give(sqlite, ("pie", EAST), scope="session")
    await begin(sqlite, "t9")
    await sqlite.write_turn("t9", ledger=make_ledger(tools="[]"))
    await sqlite.delete_session(USER, "s", forget=True)
    connection = apsw.Connection(str(sqlite.path))
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    left = {name for name in tables if connection.execute(f"SELECT count(*) FROM {name}").get}
    connection.close()
    assert {name for name in left if not name.startswith(("texts", "sqlite_"))} <= {"scrubbing", "embedders", "holders"}


async def test_a_ledger_costs_less_than_200_bytes(tmp_path):
    """However long the system prompt and the tool schemas that it shares with all others."""
    sizes = []
    for ledgers in (0, 500):
        store = SQLiteStore(tmp_path / f"{ledgers}.db")
        await store.aopen()
        await store.create_session(make_session())
        prompts = {"system": "You are kind. " * 500, "tools": '[{"name": "f"}]' * 500}
        for n in range(500):
            await begin(store, f"t{n}")
            shown = {"first_position": n, "last_position": 2 * n, "summary_position": n - 5, "system_tokens": 700}
            ledger = make_ledger(**prompts, **shown, tools_tokens=1200) if n < ledgers else None
            await asyncio.gather(store.write_turn(f"t{n}", ledger=ledger), finish(store, f"t{n}"))
        await store.aclose()
        sizes.append(store.path.stat().st_size)
    without, with_ledgers = sizes
    assert with_ledgers - without < 500 * 200
