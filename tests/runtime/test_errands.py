"""Work beside the turns: one task a session, nothing asked is missed, nothing is held."""

import asyncio
from dataclasses import replace

import pytest

from hector_nb.bootstrap.agents import make_agent
from hector_nb.config.schema import AgentConfig, Config, LLMConfig
from hector_nb.models.scripted import ScriptedModel
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.errands import Errands
from hector_nb.sessions import Session
from tests.stores.making import make_session

pytestmark = pytest.mark.anyio
CONFIG = Config(agents={"assistant": AgentConfig()})
AGENT = make_agent("assistant", AgentConfig(), CONFIG, LLMConfig(provider="scripted"), ScriptedModel([]))


class Work:
    """Waits to be let go each time; `done` are the sessions."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.go = asyncio.Semaphore(0)
        self.done: list[str] = []

    async def __call__(self, agent: Agent, session: Session) -> None:
        self.begun.put_nowait(session.session_id)
        await self.go.acquire()
        self.done.append(session.session_id)


async def test_what_is_asked_while_it_is_done_is_done_once_more() -> None:
    work, one = Work(), make_session("one")
    errands = Errands(work)
    async with asyncio.timeout(5):
        task = errands.ask(AGENT, one)
        await work.begun.get()
        assert [errands.ask(AGENT, one) for _ in range(100)] == [task] * 100
        for _ in range(2):
            work.go.release()
        await task
    assert work.done == ["one", "one"]


async def test_sessions_do_not_wait_for_each_other() -> None:
    work = Work()
    errands = Errands(work)
    async with asyncio.timeout(5):
        tasks = {errands.ask(AGENT, make_session(name)) for name in ("one", "two")}
        assert {await work.begun.get(), await work.begun.get()} == {"one", "two"}
        assert set(errands.under_way()) == tasks
        assert errands.under_way(agent="other") == errands.under_way(user="nobody") == []
        work.go.release()
        work.go.release()
        await asyncio.wait(tasks)
    assert errands.under_way() == []


async def test_nothing_is_held_of_what_is_done_or_stopped() -> None:
    work = Work()
    errands = Errands(work)
    async with asyncio.timeout(5):
        for number in range(50):
            work.go.release()
            await errands.ask(AGENT, make_session(f"s{number}"))
        stopped = errands.ask(replace(AGENT, name="other"), make_session("last"))
        await asyncio.sleep(0)
        stopped.cancel()
        await asyncio.wait([stopped])
        again = errands.ask(AGENT, make_session("last"))
        assert again is not stopped
        work.go.release()
        await again
    assert (errands._running, errands._asked) == ({}, {})
