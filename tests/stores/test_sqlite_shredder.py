"""What was erased has left the bytes of the files when the call returns; how, and what happens where that is not possible."""

import asyncio
import os
import random
import threading
from pathlib import Path

import apsw
import pytest

from hector_nb.events import TextDelta, ToolCalled, ToolReturned
from hector_nb.messages import ToolCall
from hector_nb.stores import sqlite_shredder, sqlite_texts, sqlite_writer
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_sessions import Idempotency
from hector_nb.stores.sqlite import SQLiteStore
from hector_nb.stores.sqlite_pages import Pages

from .files import left_in
from .making import OVER, USER, begin, exchange, finish, make_approval, make_message, make_session, one_off
from .making_memories import give, partition, vector

pytestmark = pytest.mark.anyio
PLACES = (
    "title", "meta", "said", "Äccent", "answered", "thought", "argument", "toldevent", "outputevent", "toolmessage",
    "longoutput", "approval", "edited", "queued", "fingerprint", "key",
)  # fmt: skip


def marks(name):
    """Words that are nowhere else, as they are written and as the index has them."""
    written = {place: f"{place}Of{name}Zq" for place in PLACES}
    return written, [*written.values(), f"accentOf{name}Zq"]


async def fill(store, session_id, name, *, many=1):
    """A session that has a word of its own in every place where there are words."""
    word, _ = marks(name)
    await store.create_session(
        make_session(session_id, title=word["title"], metadata={word["meta"]: [word["meta"]]}),
        idempotency=Idempotency(key=word["key"], fingerprint=word["fingerprint"]),
    )
    for n in range(many):
        await exchange(
            store, f"{session_id}-{n}", f"{word['said']} {word['Äccent']}", word["answered"], session_id=session_id
        )
    turn = f"{session_id}-t"
    key = Idempotency(key=f"{word['key']}2", fingerprint=f"{word['fingerprint']}2")
    await begin(store, turn, word["said"], session_id=session_id, idempotency=key)
    arguments = {word["argument"]: word["argument"]}
    said = [
        make_message("x", turn, "assistant", thinking=word["thought"], tool_calls=(ToolCall(call_id="c", name="f", arguments=arguments),)),
        make_message(word["toolmessage"], turn, "tool", call_id="c"),
    ]  # fmt: skip
    await store.write_turn(
        turn,
        events=[
            TextDelta(text=word["toldevent"]),
            ToolCalled(call_id="c", name="f", arguments=arguments),
            ToolReturned(call_id="c", name="f", output=word["outputevent"]),
        ],
        messages=said,
        outputs=[ToolOutput(call_id="c", text=f"{word['longoutput']} " * 2000)],
        approvals=[make_approval("c", turn, arguments={"x": word["approval"]}, session_id=session_id)],
    )
    await store.decide(USER, session_id, "c", "approve", edited={"x": word["edited"]})
    await begin(store, f"{session_id}-q", word["queued"], session_id=session_id)


@pytest.fixture(params=[3, 2000])
async def crowd(sqlite, request):
    """A store with so many sessions, whose messages came mixed, so that pages were divided between them."""
    order = [n for n in range(request.param) for _ in range(2)]
    random.Random(1).shuffle(order)
    await asyncio.gather(*(sqlite.create_session(make_session(f"s{n}", title=f"t {n}")) for n in range(request.param)))
    for start in range(0, len(order), 100):
        some = dict.fromkeys(order[start : start + 100])
        await asyncio.gather(*(talk(sqlite, n, start) for n in some))
    return sqlite


async def talk(store, n, when):
    said = f"word{n}end {'padding ' * (n * 7 % 60)}"
    await exchange(store, f"k{n}-{when}", said, f"re {said}", session_id=f"s{n}")


def integrity(path):
    """What SQLite and its full-text index say of themselves."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(30_000)
    try:
        for part in range(sqlite_texts.PARTS):
            connection.execute(f"INSERT INTO texts_{part} (texts_{part}) VALUES ('integrity-check')")
        return connection.execute("PRAGMA integrity_check").get
    finally:
        connection.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """However slow the machine, what is erased is waited for."""
    monkeypatch.setattr(sqlite_writer, "_BUSY_READERS_SECONDS", 60.0)


@pytest.fixture
def tidy(monkeypatch):
    monkeypatch.setattr(sqlite_writer, "_TIDY_SECONDS", 0.01)


async def gone(path, *words):
    async with asyncio.timeout(30):
        while await left_in(path, *words):
            await asyncio.sleep(0.05)


async def test_nothing_of_a_deleted_session_is_in_the_files_when_the_call_returns(crowd):
    _, words = marks("gone")
    _, others = marks("stays")
    await fill(crowd, "gone", "gone", many=20)
    await fill(crowd, "stays", "stays")
    assert await left_in(crowd.path, *words) == words
    await crowd.delete_session(USER, "gone")
    assert await left_in(crowd.path, *words) == []
    assert await left_in(crowd.path, *others) == others
    assert [s.session_id for s in (await crowd.list_sessions(USER, query="accentofstayszq")).items] == ["stays"]
    assert integrity(crowd.path) == "ok"


async def test_copies_that_moving_rows_left_behind_go_too(sqlite, monkeypatch):
    chance = random.Random(2)
    order = [n for n in range(300) for _ in range(chance.randint(1, 6))]
    chance.shuffle(order)
    await asyncio.gather(*(sqlite.create_session(make_session(f"s{n}", title=f"t {n}")) for n in range(300)))
    for n, session in enumerate(order):
        said = f"word{session}end {'padding ' * chance.randint(1, 60)}"
        await exchange(sqlite, f"t{n}", said, f"re {said}", session_id=f"s{session}")
    words = [f"word{n}end" for n in range(0, 300, 2)]
    with monkeypatch.context() as patch:
        patch.setattr(Pages, "scrub", lambda *_: 0)
        await asyncio.gather(*(sqlite.delete_session(USER, f"s{n}") for n in range(0, 300, 2)))
        assert await left_in(sqlite.path, *words) != [], "if SQLite leaves nothing, there is nothing to scrub any more"
    await sqlite.delete_session(USER, "s1")
    assert await left_in(sqlite.path, *words) == []
    assert integrity(sqlite.path) == "ok"
    assert (await sqlite.list_messages(USER, "s3")).items[0].content.startswith("word3end")


async def test_nothing_of_what_was_rewound_is_in_the_files_when_the_call_returns(sqlite):
    word, words = marks("gone")
    await sqlite.create_session(make_session(title="t"))
    await exchange(sqlite, "t1", "kept", "answer")
    kept = (await sqlite.list_messages(USER, "s")).items[-1].message_id
    await begin(sqlite, "t2", f"{word['said']} {word['Äccent']}")
    await sqlite.write_turn(
        "t2",
        events=[TextDelta(text=word["toldevent"])],
        messages=[make_message(word["toolmessage"], "t2", "tool", call_id="c")],
        outputs=[ToolOutput(call_id="c", text=word["longoutput"])],
        approvals=[make_approval("c", "t2", name=word["approval"])],
    )
    await finish(sqlite, "t2", word["answered"])
    await sqlite.rewind_session(USER, "s", after=kept)
    assert await left_in(sqlite.path, *words) == []
    assert await left_in(sqlite.path, "kept") == ["kept"]


async def test_nothing_of_what_was_swept_is_in_the_files_when_the_call_returns(sqlite):
    await sqlite.create_session(make_session())
    await begin(sqlite, "t1", "kept")
    await sqlite.write_turn("t1", events=[TextDelta(text="Xylophone")], outcome=OVER)
    await one_off(sqlite, "once", outcome=None)
    await finish(sqlite, "once", "Zeppelin", outcome=OVER)
    assert await left_in(sqlite.path, "xylophone", "zeppelin") == ["xylophone", "zeppelin"]
    assert await sqlite.sweep() == 2
    assert await left_in(sqlite.path, "xylophone", "zeppelin", "kept") == ["kept"]


async def test_nothing_of_a_forgotten_memory_is_in_the_files_when_the_call_returns(sqlite):
    """Its session has the words, too: first the memory goes, then the rest."""
    words = ["xylophone", "glockenspiel"]
    (memory,) = await give(sqlite, ("Xylophone glockenspiel", vector(0.125, 0.9921567)))
    assert await left_in(sqlite.path, memory, *words) == [memory, *words]
    assert await sqlite.forget_memory(partition(), memory)
    assert await left_in(sqlite.path, memory, *words) == words
    (memory,) = await give(sqlite, "Xylophone again")
    await sqlite.delete_session(USER, "s", forget=True)
    assert await left_in(sqlite.path, memory, *words) == []


async def test_an_old_title_leaves_the_files_while_nobody_waits_for_that(sqlite, tidy):
    await sqlite.create_session(make_session(title="Xylophone"))
    await sqlite.update_session(USER, "s", title="other")
    await gone(sqlite.path, "xylophone")


async def test_whoever_reads_just_then_delays_it_only_so_long(sqlite, tidy, monkeypatch):
    monkeypatch.setattr(sqlite_writer, "_BUSY_READERS_SECONDS", 0.1)
    await sqlite.create_session(make_session(title="Xylophone"))
    reader = apsw.Connection(str(sqlite.path))
    reader.execute("BEGIN")
    assert reader.execute("SELECT title FROM sessions").get == "Xylophone"
    async with asyncio.timeout(30):
        deleting = asyncio.create_task(sqlite.delete_session(USER, "s"))
        while await sqlite.get_session(USER, "s"):
            await asyncio.sleep(0)
        await sqlite.create_session(make_session("other"))
        assert await deleting
    assert await left_in(sqlite.path, "xylophone") == ["xylophone"]
    assert reader.execute("SELECT title FROM sessions").get == "Xylophone"
    reader.execute("COMMIT")
    await gone(sqlite.path, "xylophone")
    reader.close()


async def test_a_reader_that_ends_in_time_is_waited_for(sqlite):
    await sqlite.create_session(make_session(title="Xylophone"))
    reader = apsw.Connection(str(sqlite.path))
    reader.execute("BEGIN")
    assert reader.execute("SELECT title FROM sessions").get == "Xylophone"
    deleting = asyncio.create_task(sqlite.delete_session(USER, "s"))
    while await sqlite.get_session(USER, "s"):
        await asyncio.sleep(0)
    assert not deleting.done()
    reader.close()
    async with asyncio.timeout(30):
        assert await deleting
    assert await left_in(sqlite.path, "xylophone") == []


async def test_what_a_process_could_not_finish_is_done_by_the_next(tmp_path, tidy, monkeypatch):
    def fails(*_):
        raise apsw.IOError

    store = SQLiteStore(tmp_path / "hector.db")
    await store.aopen()
    await store.create_session(make_session(title="Xylophone"))
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_shredder.Shredder, "step", fails)
        assert await store.delete_session(USER, "s")
        await store.aclose()
        assert await left_in(store.path, "xylophone") == ["xylophone"]
    await store.aopen()
    await gone(store.path, "xylophone")
    await store.aclose()


@pytest.mark.parametrize("crowd", [3], indirect=True)
async def test_others_are_served_while_something_leaves_the_files(crowd, monkeypatch):
    """Each step is let happen when somebody waits to be served after it."""
    monkeypatch.setattr(sqlite_shredder, "_MERGE_SECONDS", 0)
    monkeypatch.setattr(sqlite_texts, "_MERGED_PAGES", 1)
    monkeypatch.setattr(sqlite_shredder, "_SCRUBBED_PAGES", 1)
    step, steps = sqlite_shredder.Shredder.step, threading.Semaphore(0)

    def held(shredder, database):
        steps.acquire(timeout=10)
        return step(shredder, database)

    async with asyncio.timeout(60):
        with monkeypatch.context() as patch:
            patch.setattr(sqlite_shredder.Shredder, "step", held)
            deleting = asyncio.create_task(crowd.delete_session(USER, "s2"))
            for n in range(20):
                updating = asyncio.create_task(crowd.update_session(USER, "s1", metadata={"n": n}))
                await asyncio.sleep(0)
                steps.release()
                await updating
                assert not deleting.done()
        steps.release()
        assert await deleting
    assert await left_in(crowd.path, "word2end") == []


async def test_many_who_erase_at_once_are_all_told_when_it_is_done(sqlite):
    for n in range(30):
        await sqlite.create_session(make_session(f"s{n}", title=f"Xylophone{n}end"))
    assert all(await asyncio.gather(*(sqlite.delete_session(USER, f"s{n}") for n in range(30))))
    assert await left_in(sqlite.path, *(f"xylophone{n}end" for n in range(30))) == []


@pytest.mark.parametrize("crowd", [3], indirect=True)
async def test_two_processes_that_erase_do_not_disturb_each_other(crowd, tidy):
    other = SQLiteStore(crowd.path)
    await other.aopen()
    names = [f"new{n}" for n in range(12)]
    for n, name in enumerate(names):
        store = other if n % 2 else crowd
        await store.create_session(make_session(name, title=f"Xylophone{n}end"))
        await exchange(store, f"t-{name}", f"Zeppelin{n}end " * 20, session_id=name)
    erased = await asyncio.gather(
        *((other if n % 3 else crowd).delete_session(USER, name) for n, name in enumerate(names)),
        *(talk(other if n % 2 else crowd, n, "meanwhile") for n in range(3)),
    )
    assert erased[:12] == [True] * 12
    words = [f"{word}{n}end" for word in ("xylophone", "zeppelin") for n in range(12)]
    assert await left_in(crowd.path, *words) == []
    await other.aclose()
    assert integrity(crowd.path) == "ok"
    assert (await crowd.list_messages(USER, "s1")).items[-1].content.startswith("re word1end")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux shows them")
async def test_erasing_keeps_no_files_open(sqlite):
    def files():
        """Those of the store that are open, and not what other tests have left open."""
        return [
            file for each in Path("/proc/self/fd").iterdir() if str(sqlite.path) in (file := os.path.realpath(each))
        ]

    opened = []
    for _ in range(6):
        await sqlite.create_session(make_session(title="x"))
        await sqlite.delete_session(USER, "s")
        opened.append(await asyncio.to_thread(files))
    assert sqlite.path == Path(opened[-1][0])
    assert len(opened[-1]) == len(opened[-2])


async def test_a_process_that_is_open_already_finishes_what_another_could_not(sqlite, tidy, monkeypatch):
    def fails(*_):
        raise apsw.IOError

    other = SQLiteStore(sqlite.path)
    await other.aopen()
    await other.create_session(make_session(title="Xylophone"))
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_shredder.Shredder, "step", fails)
        assert await other.delete_session(USER, "s")
        await other.aclose()
        assert await left_in(sqlite.path, "xylophone") == ["xylophone"]
    async with asyncio.timeout(30):
        while await left_in(sqlite.path, "xylophone"):
            await sqlite.heartbeat("h")
