"""Real processes over one database, killed or stopped between a call and its result, and while a person is asked."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from hector_nb.bootstrap.stores import store_at
from hector_nb.events import TextDelta, TurnDone, TurnFailed
from hector_nb.runtime.intervals import DEAD_AFTER, LOOK_EVERY
from hector_nb.runtime.tool_calls import DENIED, STOPPED
from hector_nb.stores.sqlite import SQLiteStore
from tests.postgres import databases
from tests.runtime import world
from tests.runtime.worker import tools
from tests.runtime.world import World, events_of, opened, text_of

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, params=["sqlite", "postgres"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only a database is shared by processes."""
    url = databases.fresh() if request.param == "postgres" else f"sqlite:///{tmp_path}/hector.db"
    monkeypatch.setattr(world, "new_store", lambda: store_at(url))
    monkeypatch.setenv("STORE_OF_TEST", url)
    yield
    if request.param == "postgres":
        databases.drop(url)


class Worker:
    """A process with a turn in it, and what it has told so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.turn_id = ""
        self.events: list[dict[str, Any]] = []

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        """Read what it tells up to this."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while line := await self.process.stdout.readline():
                told = json.loads(line)
                if isinstance(told, dict):
                    self.events.append(told)
                if wanted(told):
                    return told
        raise AssertionError("The process ended before.")

    async def event(self, kind: str) -> Any:
        return await self.until(lambda told: isinstance(told, dict) and told["type"] == kind)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """As a server is stopped."""
        self.process.send_signal(signal.SIGTERM)
        await self.until(lambda told: told == "cut")
        assert await self.process.wait() == 0


@asynccontextmanager
async def at_work(here: World, tmp_path: Path, reply: str) -> AsyncIterator[tuple[Worker, str]]:
    """A process that runs this reply in a new session."""
    session = await here.session()
    arguments = [os.environ["STORE_OF_TEST"], session, reply, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.runtime.worker", *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    worker = Worker(process)
    try:
        worker.turn_id = await worker.until(lambda told: str(told).startswith("turn_"))
        yield worker, session
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def followed(here: World, worker: Worker) -> list[Any]:
    """The turn's events from the beginning; none of those that its process delivered is missing or another."""
    stream = await here.service.follow_turn("assistant", worker.turn_id)
    events = await events_of(stream)
    delivered = {each["seq"]: each["type"] for each in worker.events}
    assert {each.seq: each.event.type for each in events if each.seq in delivered} == delivered
    return events


async def test_killed_between_a_call_and_its_result(tmp_path: Path) -> None:
    async with opened([["fine"]], within=60) as here, at_work(here, tmp_path, "slow") as (worker, session):
        await worker.event("tool_result")
        async with asyncio.timeout(30):  # the result may be stored a little later than its event
            while ("tool", "did first", "complete") not in await here.transcript(session):
                await asyncio.sleep(0.02)
        await worker.kill()
        last = (await followed(here, worker))[-1].event
        assert isinstance(last, TurnFailed)
        assert last.code == "interrupted"
        assert await here.transcript(session) == [
            ("user", "go", "complete"),
            ("assistant", "On it.", "complete"),
            ("tool", "did first", "complete"),
            ("tool", STOPPED, "interrupted"),
            ("assistant", "", "interrupted"),
        ]
        assert await text_of(await here.send("again", session)) == "fine"
        assert [each.role for each in here.model.requests[0].messages] == ["user", "assistant", "tool", "tool", "user"]


async def test_killed_in_the_message_after_a_call(tmp_path: Path) -> None:
    async with opened([["fine"]], within=60) as here, at_work(here, tmp_path, "talk") as (worker, session):
        await worker.until(lambda told: isinstance(told, dict) and told.get("text") == "talking")
        await stored(here, worker.turn_id, "text", times=3)
        await worker.kill()
        events = await followed(here, worker)
        text = "".join(each.event.text for each in events if isinstance(each.event, TextDelta))
        assert text == "On it.\n\nStill talking" == await here.runtime.store.answer("ada", worker.turn_id)
        messages = await here.messages(session)
        assert [(each.content, each.status) for each in messages[1:]] == [
            ("On it.", "complete"),
            ("did first", "complete"),
            ("Still talking", "interrupted"),
        ]
        assert messages[-1].tokens == (await here.runtime.agents["assistant"].count(messages[-1])).tokens
        assert await text_of(await here.send("again", session)) == "fine"


async def test_killed_while_a_person_is_asked(tmp_path: Path) -> None:
    replies = [["Here it is."], ["fine"]]
    async with (
        opened(replies, tools=tools(tmp_path), within=60) as here,
        at_work(here, tmp_path, "write") as (worker, session),
    ):
        asked = await worker.event("approval")
        await worker.kill()
        assert not (tmp_path / "hello.txt").exists()
        started = monotonic()
        await here.service.decide_approval("assistant", session, asked["call_id"], "approve")
        if isinstance(here.runtime.store, SQLiteStore):
            assert worker.turn_id in here.runtime.runs
            assert monotonic() - started < DEAD_AFTER
        while (await here.transcript(session))[-1][1] != "Here it is.":  # nodes give each other a little time
            await here.runtime.recover()
            assert monotonic() - started < 3 * DEAD_AFTER
            await asyncio.sleep(0.05)
        events = await followed(here, worker)
        assert [each.seq for each in events] == list(range(1, len(events) + 1))
        assert isinstance(events[-1].event, TurnDone)
        assert (tmp_path / "hello.txt").read_text() == "hello"
        assert await here.transcript(session) == [
            ("user", "go", "complete"),
            ("assistant", "Shall I?", "complete"),
            ("tool", "written", "complete"),
            ("assistant", "Here it is.", "complete"),
        ]
        assert await text_of(await here.send("again", session)) == "fine"


async def test_stopped_while_a_person_is_asked(tmp_path: Path) -> None:
    async with (
        opened([["So be it."]], tools=tools(tmp_path), within=60) as here,
        at_work(here, tmp_path, "write") as (worker, session),
    ):
        asked = await worker.event("approval")
        await worker.stop()
        turn = await here.runtime.store.get_turn("ada", worker.turn_id)
        assert turn is not None
        assert turn.status == "waiting"
        await here.service.decide_approval("assistant", session, asked["call_id"], "deny")
        assert isinstance((await followed(here, worker))[-1].event, TurnDone)
        assert (await here.messages(session))[2].content == DENIED
        assert not (tmp_path / "hello.txt").exists()


async def test_answered_elsewhere_while_its_process_lives(tmp_path: Path) -> None:
    async with (
        opened([], tools=tools(tmp_path), within=60) as here,
        at_work(here, tmp_path, "write") as (worker, session),
    ):
        asked = await worker.event("approval")
        started = monotonic()
        await here.service.decide_approval("assistant", session, asked["call_id"], "approve")
        assert (await worker.event("tool_result"))["output"] == "written"
        assert monotonic() - started < LOOK_EVERY
        assert here.runtime.runs == {}
        assert (tmp_path / "hello.txt").read_text() == "hello"


async def stored(here: World, turn_id: str, kind: str, times: int = 1) -> None:
    """Wait until so many events of a kind are in the database."""
    store = here.runtime.store
    turn = await store.get_turn("ada", turn_id)
    assert turn is not None
    async with store.watch(turn.session_id) as watch:
        while True:
            log = await store.read_turn("ada", turn_id)
            assert log is not None
            if sum(each.event.type == kind for each in log.events) >= times:
                return
            await watch.wait(5)
