"""Taking turns into long-term memory in the background: nothing is lost with a process, and nobody waits for others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from hector_nb.memory.longterm import LongTermMemory
from hector_nb.runtime import remembering, runtime
from hector_nb.service import SendMessage, collect
from hector_nb.stores.base_memories import MemoryStore, Untaken
from tests.runtime.world import World, opened, short_lived, text_of

pytestmark = pytest.mark.anyio
FACT = "My sister Clara keeps bees in Lyon."


class Gate:
    """Holds back what is taken in until it is let; `asked` tells that something is."""

    def __init__(self, longterm: LongTermMemory, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = asyncio.Event()
        self.asked = asyncio.Event()
        self._take_in = longterm.take_in
        monkeypatch.setattr(longterm, "take_in", self)

    async def __call__(self, store: MemoryStore, untaken: Untaken) -> int:
        self.asked.set()
        await self.free.wait()
        return await self._take_in(store, untaken)


@asynccontextmanager
async def talking(scope: str = "conversational", *, replies: int = 60) -> AsyncIterator[World]:
    memory = {"longterm": {"storage_scope": scope}}
    async with opened([["I see."]] * replies, memory=memory, within=60) as world:
        yield world


def longterm_of(world: World) -> LongTermMemory:
    longterm = world.runtime.agents["assistant"].longterm
    assert longterm
    return longterm


async def taken(world: World) -> None:
    while tasks := world.runtime.remembering._takes.under_way():
        await asyncio.wait(tasks)


async def memories(world: World, session: str) -> int:
    return len((await world.service.get_memory("assistant", session, limit=200)).memories)


async def test_what_is_told_in_one_session_is_there_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "_WAIT_FOR_OTHERS", 60.0)
    async with talking() as world:
        await text_of(await world.send(FACT, await world.session()))
        await text_of(await world.send("Where does Clara keep bees?", await world.session()))
        assert FACT in world.model.requests[-1].messages[-1].content


async def test_all_that_a_process_has_left_is_taken_in_by_the_next() -> None:
    sessions = 2 * remembering._AT_ONCE + 5
    async with talking() as world:
        world.runtime.remembering.after_turn = lambda *_: None  # type: ignore[method-assign]
        for number in range(sessions):
            await text_of(await world.send(f"{FACT[:-1]}, and hive {number} is blue.", await world.session()))
    async with talking() as world:
        session = await world.session()
        while await memories(world, session) < sessions:
            await asyncio.sleep(0.01)  # nobody announces what is taken in


async def test_sessions_that_cannot_be_taken_in_do_not_keep_a_process_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking() as world:
        world.runtime.remembering.after_turn = lambda *_: None  # type: ignore[method-assign]
        for _ in range(3):
            await text_of(await world.send(FACT, await world.session()))
    async with talking() as world:
        longterm = longterm_of(world)
        tries: list[str] = []

        async def refuse(store: object, untaken: object) -> int:
            tries.append("")
            raise RuntimeError("This is ours.")

        monkeypatch.setattr(longterm, "take_in", refuse)
        await world.runtime.remembering._take_left_behind()
        assert len(tries) <= 6


async def test_only_other_sessions_of_the_same_user_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking() as world:
        gate = Gate(longterm_of(world), monkeypatch)
        bob = world.of("bob")
        session = (await bob.create_session("assistant"))[0].session_id
        await collect(await bob.stream_message("assistant", SendMessage(message=FACT, session_id=session)))
        await gate.asked.wait()
        waited: list[float] = []
        for user, where, patience in (("ada", None, 60.0), ("bob", session, 60.0), ("bob", None, 1.0)):
            monkeypatch.setattr(remembering, "_WAIT_FOR_OTHERS", patience)
            service = world.of(user)
            here = where or (await service.create_session("assistant"))[0].session_id
            started = monotonic()
            await collect(
                await service.stream_message("assistant", SendMessage(message="What of the bees?", session_id=here))
            )
            waited.append(monotonic() - started)
        assert max(waited[:2]) < 50.0
        assert waited[2] >= 1.0
        gate.free.set()
        await taken(world)


async def test_stopping_waits_for_what_is_being_taken_in_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_REMEMBER_WITHIN", 0.5)
    async with talking() as world:
        gate = Gate(longterm_of(world), monkeypatch)
        session = await world.session()
        for _ in range(3):
            await text_of(await world.send(FACT, session))
        await gate.asked.wait()
        started = monotonic()
    assert 0.5 <= monotonic() - started < 30.0
    async with talking() as world:
        session = await world.session()
        while not await memories(world, session):
            await asyncio.sleep(0.01)  # nobody announces what is taken in


async def test_a_session_that_ends_gives_its_last_memories_before_the_answer() -> None:
    async with talking() as world:
        session = await world.session()
        await text_of(await world.send(FACT, session))
        await world.service.end_session("assistant", session)
        assert world.runtime.remembering._takes.under_way() == []
        assert await memories(world, session) == 1


async def test_a_session_that_expires_gives_its_last_memories() -> None:
    memory = {"longterm": {"storage_scope": "conversational"}}
    async with opened([["I see."]], memory=memory, within=60) as world:
        world.runtime.remembering.after_turn = lambda *_: None  # type: ignore[method-assign]
        session = await world.session()
        short_lived(world, timeout=1)
        await text_of(await world.send(FACT, session))
        await asyncio.sleep(1.1)  # a session expires by the clock
        await world.runtime._lifecycle._sweep()
        while not await memories(world, session):
            await asyncio.sleep(0.01)  # nobody announces what is taken in


async def test_an_imported_session_is_remembered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "_WAIT_FOR_OTHERS", 60.0)
    async with talking() as world:
        session = await world.session()
        await text_of(await world.send(FACT, session))
        said = await world.messages(session)
        await world.service.delete_session("assistant", session, forget=True)
        await world.service.import_session("assistant", said)
        await text_of(await world.send("Where does Clara keep bees?", await world.session()))
        assert FACT in world.model.requests[-1].messages[-1].content


async def test_a_fork_remembers_what_it_shares_at_once_where_sessions_are_blind_to_one_another() -> None:
    async with talking("session") as world:
        session = await world.session()
        await text_of(await world.send(FACT, session))
        fork = await world.service.fork_session("assistant", session)
        await taken(world)
        assert await memories(world, fork.session_id) == 1


async def test_one_off_questions_leave_nothing_to_take_in() -> None:
    async with talking() as world:
        await text_of(await world.send(FACT))
        assert world.runtime.remembering._takes.under_way() == []
        await world.runtime.remembering._take_left_behind()
        assert await memories(world, await world.session()) == 0
