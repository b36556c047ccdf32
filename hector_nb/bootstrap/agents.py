"""The agents of a configuration, each over its model, memory and tools."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from hector_nb.bootstrap.memory import make_longterm, make_summarizer, make_working_memory
from hector_nb.bootstrap.models import first_available, make_model
from hector_nb.bootstrap.tools import agent_calls, make_sources, make_toolbox
from hector_nb.config.loader import LoadedConfig
from hector_nb.config.schema import AgentConfig, Config, LLMConfig
from hector_nb.errors import ConfigError
from hector_nb.memory.base import TokenCounter
from hector_nb.memory.tokens import SmallVocabularyCounter, TiktokenCounter
from hector_nb.models.base import Model
from hector_nb.models.endpoints import DEFAULT_WINDOW
from hector_nb.runtime.agents import Agent
from hector_nb.tools.base import AgentTurns, ToolSource
from hector_nb.tools.read_output import OutputReader

_BUDGET = 4000
_BUDGET_EMBEDDED = 1500
_MOST_TOKENS_PER_BYTE = 2


class ModelMaker(Protocol):
    """Makes the model of an `llms` entry; `folder` is what relative paths start from."""

    def __call__(self, llm: LLMConfig, *, environ: Mapping[str, str], folder: Path) -> Model:
        """The model."""
        ...


async def make_agents(
    loaded: LoadedConfig,
    environ: Mapping[str, str],
    *,
    outputs: OutputReader | None = None,
    turns: AgentTurns | None = None,
    make: ModelMaker | None = None,
    given: Mapping[str, ToolSource] = MappingProxyType({}),
) -> dict[str, Agent]:
    """Every configured agent; those with the same `llms` entry share one model.

    `outputs` gives long outputs of tools back; with `turns` agents can call one another. `make` and `given` are as for `open_runtime`.
    """
    config, make = loaded.config, make or make_model
    sources = make_sources(config, loaded.folder, given)
    models: dict[str | None, tuple[LLMConfig, Model]] = {}

    async def model_of(key: str | None) -> tuple[LLMConfig, Model]:
        if key not in models:
            llm = config.llms[key] if key is not None else await first_available(environ)
            models[key] = llm, make(llm, environ=environ, folder=loaded.folder)
        return models[key]

    agents = {}
    for name, agent in config.agents.items():
        key = config.llm_name(agent)
        llm, model = await model_of(key)
        writer = await model_of(agent.memory.working.summarizer or key)
        made = make_agent(
            name,
            agent,
            config,
            llm,
            model,
            writer=writer,
            environ=environ,
            sources={**sources, **agent_calls(name, config, turns)},
            outputs=outputs,
        )
        await check_budget(made, loaded)
        agents[name] = made
    return agents


def make_agent(
    name: str,
    agent: AgentConfig,
    config: Config,
    llm: LLMConfig,
    model: Model,
    *,
    writer: tuple[LLMConfig, Model] | None = None,
    environ: Mapping[str, str] = MappingProxyType({}),
    sources: Mapping[str, ToolSource] = MappingProxyType({}),
    outputs: OutputReader | None = None,
) -> Agent:
    """One agent over its model; `writer` writes its summaries, by default that model too. Its tools are those that are among `sources`."""
    working = agent.memory.working
    budget = working.budget or (_BUDGET_EMBEDDED if llm.is_embedded else _BUDGET)
    counter: TokenCounter = SmallVocabularyCounter() if llm.provider == "local" else TiktokenCounter(model.encoding)
    writer = writer or (llm, model)
    summarizer = make_summarizer(*writer, counter=counter, budget=budget)
    folds = working.strategy == "summary_buffer"
    return Agent(
        name=name,
        config=agent,
        sessions=config.sessions_of(name),
        provider=llm.provider,
        model=model,
        memory=make_working_memory(working, summarizer),
        counter=counter,
        budget=budget,
        window=llm.context_window or (model.context_window if model.context_window != DEFAULT_WINDOW else None),
        summarizer=summarizer if folds else None,
        longterm=make_longterm(name, agent, config, counter=counter, budget=budget, writer=writer, environ=environ),
        toolbox=make_toolbox(
            agent, sources, budget=budget, outputs=outputs, can_call_tools=lambda: model.can_call_tools
        ),
    )


async def check_budget(agent: Agent, loaded: LoadedConfig) -> None:
    """Check that the system prompt leaves room for a conversation.

    Raises:
        ConfigError: it does not.
    """
    window, answer = agent.model.context_window, agent.model.max_tokens
    budget = min(agent.budget, window - answer)
    if len(agent.config.instruction.encode()) * _MOST_TOKENS_PER_BYTE < budget:
        return  # without loading a vocabulary
    tokens = await agent.instruction_tokens()
    if tokens >= budget:
        reason = f"the system prompt has {tokens} tokens, and the budget is {budget}"
        if budget == window - answer:
            reason += f": the model's context window leaves no more ({window} - {answer} tokens)"
        file = f"{loaded.path}: " if loaded.path else ""
        raise ConfigError(
            problems=[f"{file}agents.{agent.name}.memory.working.budget: {reason}"],
            hint="Shorten `instruction`, raise `budget`, or take a model with a larger `context_window`.",
        )
