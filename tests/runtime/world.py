"""An engine whose model plays a script, for tests of the engine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from hector_nb.bootstrap.agents import make_agent
from hector_nb.config.schema import AgentConfig, Config, LLMConfig
from hector_nb.events import LoggedEvent, TextDelta
from hector_nb.messages import Message
from hector_nb.models.scripted import ScriptedModel, Step
from hector_nb.runtime.runtime import Runtime
from hector_nb.service import SendMessage, SessionService, TurnStream
from hector_nb.stores.base import Store
from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.tools.base import Tool
from hector_nb.tools.toolbox import Toolbox
from tests.runtime.fake_tools import FakeSource

new_store: Callable[[], Store] = InMemoryStore
"""Gives each engine of a test its store."""


@asynccontextmanager
async def in_process(runtime: Runtime) -> AsyncIterator[Callable[[str], SessionService]]:
    """Gives a test the sessions of a user, by name."""
    yield runtime.for_user


services: Callable[[Runtime], AbstractAsyncContextManager[Callable[[str], SessionService]]] = in_process
"""How tests reach an engine: in process, or over a wire."""


class World:
    """An engine with one agent whose model plays a script."""

    def __init__(self, runtime: Runtime, model: ScriptedModel, of: Callable[[str], SessionService]) -> None:
        self.runtime = runtime
        self.model = model
        self.of = of
        self.service = of("ada")

    async def session(self) -> str:
        """A new session's id."""
        return (await self.service.create_session("assistant"))[0].session_id

    async def send(self, text: str, session_id: str | None = None, **more: object) -> TurnStream:
        return await self.service.stream_message(
            "assistant",
            SendMessage(message=text, session_id=session_id, **more),  # type: ignore[arg-type]
        )

    async def messages(self, session_id: str) -> Sequence[Message]:
        return (await self.service.list_messages("assistant", session_id, limit=1000)).items

    async def transcript(self, session_id: str) -> list[tuple[str, str, str]]:
        page = await self.service.list_messages("assistant", session_id)
        return [(each.role, each.content, each.status) for each in page.items]


@asynccontextmanager
async def opened(
    replies: Sequence[Sequence[Step]],
    *,
    tools: Sequence[Tool] = (),
    shown: int | None = None,
    within: float = 60,
    window: int | None = None,
    **agent: object,
) -> AsyncIterator[World]:
    """An engine, for at most `within` seconds.

    `shown` is the most characters of one output that its model sees, `window` the most tokens that it can read.
    """
    model = ScriptedModel(replies, context_window=window or 8192)
    config = Config(agents={"assistant": AgentConfig.model_validate(agent)})
    made = make_agent(
        "assistant", config.agents["assistant"], config, LLMConfig(provider="scripted", context_window=window), model
    )
    store = new_store()
    toolbox = Toolbox([FakeSource(tools)], max_output=shown, outputs=store.get_output)
    runtime = Runtime(store=store, agents={"assistant": replace(made, toolbox=toolbox)})
    await runtime.aopen()
    try:
        async with asyncio.timeout(within), services(runtime) as of:
            yield World(runtime, model, of)
    finally:
        if not runtime.closing:
            await runtime.aclose()


def short_lived(world: World, *, timeout: float) -> None:
    """From the next message on, sessions expire after so many seconds; one that was made before waits for it as long as it takes."""
    agent = world.runtime.agents["assistant"]
    sessions = agent.sessions.model_copy(update={"timeout": timeout})
    world.runtime.agents["assistant"] = replace(agent, sessions=sessions)


async def text_of(stream: TurnStream) -> str:
    async with stream:
        return "".join([each.event.text async for each in stream if isinstance(each.event, TextDelta)])


async def first_text(stream: TurnStream) -> None:
    """Read until the first word of the answer."""
    while True:
        for logged in await stream.read():
            if isinstance(logged.event, TextDelta):
                return


async def left(world: World, turn_id: str) -> None:
    """Wait until the engine knows that nobody reads the turn; over a wire that is a little later."""
    async with asyncio.timeout(30):
        while world.runtime.runs[turn_id].log.readers:
            await asyncio.sleep(0.01)


async def events_of(stream: TurnStream) -> list[LoggedEvent]:
    """All that is left of a turn."""
    async with stream:
        return [each async for each in stream]
