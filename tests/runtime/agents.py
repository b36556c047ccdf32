"""An engine with several agents that call one another, each with a model that plays a script."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from hector_nb.bootstrap.agents import make_agent
from hector_nb.config.schema import AgentConfig, Config, LLMConfig
from hector_nb.messages import ToolCall
from hector_nb.models.scripted import ScriptedModel, Step
from hector_nb.runtime.nested import NestedTurns
from hector_nb.runtime.runtime import Runtime
from hector_nb.service import SessionService
from hector_nb.tools.agent_call import AgentCall
from hector_nb.tools.base import Tool
from hector_nb.tools.builtin import BuiltinSource
from hector_nb.tools.toolbox import Toolbox
from tests.runtime import world
from tests.runtime.fake_tools import FakeSource

Replies = Mapping[str, Sequence[Sequence[Step]]]


class Agents(world.World):
    """The first agent is called `assistant`. `models` are those of all agents."""

    def __init__(
        self, runtime: Runtime, models: Mapping[str, ScriptedModel], of: Callable[[str], SessionService]
    ) -> None:
        super().__init__(runtime, models["assistant"], of)
        self.models = models


@asynccontextmanager
async def opened_agents(
    replies: Replies,
    *,
    tools: Mapping[str, Sequence[Tool]] | None = None,
    max_depth: int = 3,
    shown: int | None = None,
    within: float = 10,
    **agent: Any,
) -> AsyncIterator[Agents]:
    """An engine for at most `within` seconds; `tools` are what agents have beside `agent_call`, `agent` is the configuration of all."""
    models = {name: ScriptedModel(each) for name, each in replies.items()}
    config = Config(agents={name: AgentConfig(description=f"Knows {name}.", **agent) for name in replies})
    store, turns, agents = world.new_store(), NestedTurns(), {}
    for name, model in models.items():
        others = {each: other.description for each, other in config.agents.items() if each != name}
        calls = BuiltinSource(AgentCall(others, turns, max_depth=max_depth))
        own = FakeSource((tools or {}).get(name, ()))
        made = make_agent(name, config.agents[name], config, LLMConfig(provider="scripted"), model)
        agents[name] = replace(made, toolbox=Toolbox([calls, own], max_output=shown, outputs=store.get_output))
    runtime = turns.runtime = Runtime(store=store, agents=agents)
    await runtime.aopen()
    try:
        async with asyncio.timeout(within), world.services(runtime) as of:
            yield Agents(runtime, models, of)
    finally:
        if not runtime.closing:
            await runtime.aclose()


def ask(agent: str, message: str = "Well?") -> ToolCall:
    """A model's call of another agent."""
    return ToolCall(call_id="same", name="agent_call", arguments={"agent": agent, "message": message})
