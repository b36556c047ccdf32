"""Several processes, real ones, on one file."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import BegunTurn
from hector_nb.stores.sqlite import SQLiteStore

from .making import USER, begin, exchange, finish, make_session, transcript
from .making_memories import REMEMBERED, partition, recalled, remembered, vector

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def worker(path, name, action):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.stores.worker", str(path), name, action,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def outcome(process):
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines()


@pytest.fixture(autouse=True)
async def in_time():
    async with asyncio.timeout(120):
        yield


async def test_processes_that_open_a_new_store_together_all_succeed(tmp_path):
    path = tmp_path / "folder" / "hector.db"
    async with worker(path, "a", "open") as a, worker(path, "b", "open") as b, worker(path, "c", "open") as c:
        assert await asyncio.gather(outcome(a), outcome(b), outcome(c)) == [["open"]] * 3


async def test_processes_that_hammer_one_store_lose_nothing_and_wait_for_each_other(tmp_path):
    path = tmp_path / "hector.db"
    names = ["a", "b", "c"]
    async with worker(path, "a", "hammer") as a, worker(path, "b", "hammer") as b, worker(path, "c", "hammer") as c:
        said = await asyncio.gather(outcome(a), outcome(b), outcome(c))
    assert [len(lines) for lines in said] == [1 + 2 * 24] * 3
    store = SQLiteStore(path)
    await store.aopen()
    shared = await transcript(store, "shared")
    assert sorted(shared[::2]) == sorted(f"{name} {n}" for name in names for n in range(12))
    assert shared[1::2] == [f"re {text}" for text in shared[::2]]
    for name in names:
        assert [text for text in shared[::2] if text.startswith(name)] == [f"{name} {n}" for n in range(12)]
        assert len(await transcript(store, f"own-{name}")) == 24
        for n in range(12):
            log = await store.read_turn(USER, f"{name}-shared-{n}")
            assert [seq for seq, _ in log.events] == [1, 2, 3]
    await store.aclose()


async def test_a_killed_process_loses_nothing_that_was_acknowledged(tmp_path):
    path = tmp_path / "hector.db"
    async with worker(path, "a", "talk") as process:
        said = b"".join([await process.stdout.readline() for _ in range(201)])
        process.kill()
        said += (await process.communicate())[0]
    lines = [line.split() for line in said.decode().splitlines()]
    began = [line[1] for line in lines if line[0] == "began"]
    finished = [line[1] for line in lines if line[0] == "finished"]
    assert len(began) >= 100
    store = SQLiteStore(path)
    await store.aopen()
    for turn in await store.take_over("b", dead_after=0):
        await finish(store, turn.turn_id)
    messages = []
    cursor = None
    while True:
        page = await store.list_messages(USER, "s", cursor=cursor, limit=500)
        messages += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [m.turn_id for m in messages if m.role == "user"][: len(began)] == began
    assert [m.turn_id for m in messages if m.role == "assistant"][: len(finished)] == finished
    assert [m.role for m in messages] == ["user", "assistant"] * (len(messages) // 2)
    await exchange(store, "next")
    await store.aclose()


@pytest.fixture
async def session(sqlite):
    await sqlite.create_session(make_session())


async def begun(process, *lines):
    for line in ("open", *lines):
        assert (await process.stdout.readline()).decode() == f"{line}\n"


async def test_the_turn_of_a_killed_process_is_taken_over_at_once_with_what_it_said(sqlite, session):
    async with worker(sqlite.path, "other", "hold") as process:
        await begun(process, "holding")
        assert (await begin(sqlite, "next")).running == "held"
        assert await sqlite.take_over("holder-1", dead_after=0) == []
        process.kill()
        await process.wait()
    assert [turn.turn_id for turn in await sqlite.take_over("holder-1", dead_after=3600)] == ["held"]
    log = await sqlite.read_turn(USER, "held")
    assert "".join(event.text for _, event in log.events) == "half an ans"
    await finish(sqlite, "held")
    assert isinstance(await begin(sqlite, "next"), BegunTurn)


async def test_a_killed_process_is_followed_by_the_one_that_was_given_the_word(sqlite, session):
    async with worker(sqlite.path, "other", "ask") as process:
        await begun(process, "waiting")
        await begin(sqlite, "next")
        await sqlite.decide(USER, "s", "one", "approve")
        assert (await process.stdout.readline()).decode() == "noticed\n"
        assert await sqlite.take_over("holder-1", dead_after=3600) == []
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert await sqlite.take_over("holder-1", dead_after=0) == []
    assert (await sqlite.get_session(USER, "s")).running_turn == "asking"
    assert (await begin(sqlite, "next")).running == "asking"
    await sqlite.decide(USER, "s", "two", "approve", edited={"path": "b.txt"})
    assert [turn.turn_id for turn in await sqlite.take_over("holder-1", dead_after=3600)] == ["asking"]
    resumed = await sqlite.resume_turn("asking", "holder-1", window=Window())
    assert [call.call_id for call in resumed.so_far[-1].tool_calls] == ["one", "two"]
    assert [each.edited for each in await sqlite.approvals(USER, "s")] == [None, {"path": "b.txt"}]
    await finish(sqlite, "asking")
    assert isinstance(await begin(sqlite, "next"), BegunTurn)


async def test_a_process_that_stands_still_is_not_dead(sqlite, session):
    async with worker(sqlite.path, "other", "hold") as process:
        await begun(process, "holding")
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.1)  # longer than `dead_after`: what is tested is that nothing happens
        assert await sqlite.take_over("holder-1", dead_after=0.05) == []
        process.send_signal(signal.SIGCONT)
        assert await sqlite.take_over("holder-1", dead_after=0.05) == []


async def test_a_process_is_dead_though_a_child_of_it_lives(sqlite, session):
    async with worker(sqlite.path, "other", "fork") as process:
        await begun(process)
        child = int(await process.stdout.readline())
        try:
            process.kill()
            await process.wait()
            os.kill(child, 0)
            assert [turn.turn_id for turn in await sqlite.take_over("holder-1", dead_after=3600)] == ["held"]
        finally:
            os.kill(child, signal.SIGKILL)


async def test_readers_of_a_process_count_while_it_lives(sqlite, session):
    await begin(sqlite, "read")
    async with worker(sqlite.path, "other", "read") as process:
        await begun(process, "reading")
        process.send_signal(signal.SIGSTOP)
        assert await sqlite.has_readers("read", besides="holder-1", dead_after=0)
        process.kill()
        await process.wait()
        assert not await sqlite.has_readers("read", besides="holder-1", dead_after=3600)


async def test_nothing_stays_of_dead_processes(sqlite, session):
    await begin(sqlite, "read")
    for action in ("hold", "read"):
        async with worker(sqlite.path, action, action) as process:
            await begun(process, "holding" if action == "hold" else "reading")
            process.kill()
            await process.wait()
    folder = sqlite.path.with_name("hector.db-holders")
    assert {file.name for file in folder.iterdir()} == {"hold", "read", "holder-1"}
    await sqlite.take_over("holder-1", dead_after=3600)
    assert await sqlite.take_over("holder-1", dead_after=3600) == []
    assert {file.name for file in folder.iterdir()} == {"holder-1"}
    connection = apsw.Connection(str(sqlite.path))
    assert connection.execute("SELECT holder FROM holders").fetchall() == [("holder-1",)]
    assert connection.execute("SELECT count(*) FROM readers").get == 0
    connection.close()
    await sqlite.goodbye("holder-1")
    assert list(folder.iterdir()) == []


async def test_a_cancel_request_and_its_effect_cross_processes_at_once(sqlite, session):
    async with sqlite.watch("s") as watch, worker(sqlite.path, "other", "obey") as process:
        assert await process.stdout.readline() == b"open\n"
        assert await process.stdout.readline() == b"running\n"
        await sqlite.request_cancel("obedient")
        while not (await sqlite.get_turn(USER, "obedient")).finished:
            assert await watch.wait(30)
        assert await transcript(sqlite) == ["hello", "stopped"]


async def test_of_processes_that_take_in_the_same_messages_only_one_wins(tmp_path):
    path = tmp_path / "hector.db"
    store = SQLiteStore(path)
    await store.aopen()
    await store.create_session(make_session())
    texts = [f"said {n}" for n in range(60)]
    for text in texts:
        await exchange(store, f"turn of {text}", text, outcome=REMEMBERED)
    async with worker(path, "a", "take in") as a, worker(path, "b", "take in") as b:
        (_, *one), (_, *other) = await asyncio.gather(outcome(a), outcome(b))
    assert sorted([*one, *other]) == sorted(texts)
    assert await remembered(store, partition("all")) == texts[:9:-1]
    assert len(await recalled(store, where=partition("all"), vector=vector(1, 0), limit=100)) == len(texts)
    await store.aclose()
