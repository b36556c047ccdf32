"""The composition root: a configuration becomes a running engine. The only file that names concrete adapters."""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from hector_nb.config.home import cache_folder, store_url
from hector_nb.config.loader import LoadedConfig, load_config
from hector_nb.config.schema import AgentConfig, Config, LLMConfig, ToolConfig, WorkingMemoryConfig
from hector_nb.errors import ConfigError
from hector_nb.memory.base import Embedder, Summarizer, TokenCounter, WorkingMemory
from hector_nb.memory.buffer_window import BufferWindow
from hector_nb.memory.embedders import WordllamaEmbedder
from hector_nb.memory.excerpts import Excerpts
from hector_nb.memory.fusion import MIN_SCORE
from hector_nb.memory.longterm import LongTermMemory
from hector_nb.memory.summarizer import ModelSummarizer
from hector_nb.memory.summary_buffer import SummaryBuffer
from hector_nb.memory.token_window import TokenWindow
from hector_nb.memory.tokens import SmallVocabularyCounter, TiktokenCounter
from hector_nb.models.base import Model
from hector_nb.models.endpoints import DEFAULT_WINDOW
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.nested import NestedTurns
from hector_nb.runtime.runtime import Runtime
from hector_nb.stores.base import Store
from hector_nb.stores.sql_database import Database
from hector_nb.telemetry.base import Telemetry
from hector_nb.telemetry.log import TurnLog
from hector_nb.telemetry.several import Several
from hector_nb.tools.agent_call import AGENT_CALL, AgentCall
from hector_nb.tools.base import AgentTurns, ToolSource
from hector_nb.tools.builtin import BuiltinSource
from hector_nb.tools.notebook import NotebookTools
from hector_nb.tools.read_output import OutputReader
from hector_nb.tools.toolbox import Toolbox

_BUDGET = 4000
_BUDGET_EMBEDDED = 1500
_CHARACTERS_PER_TOKEN = 4
_SUMMARY_SHARE = 0.15
"""The part of the budget that a summary may take."""
_LEAST_SUMMARY = 64
_MOST_TOKENS_PER_BYTE = 2


class ModelMaker(Protocol):
    """Makes the model of an `llms` entry; `folder` is what relative paths start from."""

    def __call__(self, llm: LLMConfig, *, environ: Mapping[str, str], folder: Path) -> Model:
        """The model."""
        ...


async def open_runtime(
    loaded: LoadedConfig | None = None,
    *,
    telemetry: Telemetry | None = None,
    store: Store | None = None,
    make: ModelMaker | None = None,
    given: Mapping[str, ToolSource] = MappingProxyType({}),
) -> Runtime:
    """The engine that a configuration describes, opened on the running event loop.

    `telemetry` is told what it does; unset: that of a process which nobody asks for metrics. Tests put something in place of what the
    configuration names: another `store`, what `make`s its models, `given` tools by their names.

    Raises:
        ConfigError: the configuration cannot be used.
        StoreError: the database cannot be opened.
    """
    loaded = loaded or load_config()
    store, turns = store or make_store(loaded), NestedTurns()
    agents = await make_agents(loaded, os.environ, outputs=store.get_output, turns=turns, make=make, given=given)
    runtime = turns.runtime = Runtime(
        store=store, agents=agents, place=place_of(loaded), telemetry=telemetry or make_telemetry()
    )
    await runtime.aopen()
    return runtime


def make_telemetry(*, metrics: bool = False) -> Telemetry:
    """Who is told of turns: the log, OpenTelemetry where it is installed, and Prometheus in servers (`metrics`)."""
    told: list[Telemetry] = [TurnLog()]
    if metrics:
        from hector_nb.telemetry.metrics import Metrics

        told.append(Metrics())
    if find_spec("opentelemetry") is not None and find_spec("opentelemetry.trace") is not None:
        from hector_nb.telemetry.spans import Spans

        told.append(Spans())
    return Several(told)


def place_of(loaded: LoadedConfig) -> str:
    """Where this configuration's tools are: processes of one place may make calls that another of them was allowed to make."""
    return hashlib.sha256(f"{loaded.path}\n{loaded.folder.absolute()}".encode()).hexdigest()[:12]


def make_store(loaded: LoadedConfig) -> Store:
    """The database named by `storage.url`.

    Raises:
        ConfigError: the URL cannot be read, or what it needs is not installed.
    """
    return store_at(store_url(loaded.config, folder=loaded.folder))


def store_at(url: str) -> Store:
    """The database at `sqlite:///path` (absolute) or `postgresql://…`.

    Raises:
        ConfigError: the URL cannot be read, or what it needs is not installed.
    """
    if path := _file_of(url):
        from hector_nb.stores.sqlite import SQLiteStore

        return SQLiteStore(path)
    from hector_nb.stores.postgres import PostgresStore

    return PostgresStore(url)


def move_store(source: str, target: str, *, replace: bool, tell: Callable[[str, int], None]) -> None:
    """Move everything from one store to another, at once or not at all; `tell` is called with each table and its number of rows.

    Raises:
        ConfigError: an address cannot be read, or what it needs is not installed.
        StoreError: a store cannot be opened, or the target is not empty and nobody said to `replace` what it has.
    """
    from hector_nb.stores.moving import move

    if source == target:
        raise ConfigError("The two addresses name the same store.")
    with _moving(source, writes=False) as here, _moving(target, writes=True) as there:
        move(here, there, replace=replace, tell=tell)


def _moving(url: str, *, writes: bool) -> AbstractContextManager[Database]:
    if path := _file_of(url):
        from hector_nb.stores import sqlite_moving

        return sqlite_moving.entering(path) if writes else sqlite_moving.leaving(path)
    from hector_nb.stores import postgres_moving

    return postgres_moving.moving(url, writes=writes)


def _file_of(url: str) -> Path | None:
    """The file of a SQLite store; None where it is PostgreSQL's, and that can be used.

    Raises:
        ConfigError: what is needed is not installed.
    """
    scheme, _, path = url.partition("://")
    if scheme == "sqlite":
        return Path(path.removeprefix("/"))
    if find_spec("psycopg") is None:
        raise ConfigError(
            problems=["storage.url: a PostgreSQL driver is not installed"],
            hint='Run: pip install "hector_nb[postgres]"',
        )
    return None


def has_store(loaded: LoadedConfig) -> bool:
    """Whether the database is there already, as far as that can be told without opening it."""
    scheme, _, path = store_url(loaded.config, folder=loaded.folder).partition("://")
    return scheme != "sqlite" or Path(path.removeprefix("/")).exists()


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


async def first_available(environ: Mapping[str, str]) -> LLMConfig:
    """The model of agents that name none."""
    from hector_nb.models.available import first_available

    return await first_available(environ)


def make_model(llm: LLMConfig, *, environ: Mapping[str, str], folder: Path) -> Model:
    """The adapter for a provider; `folder` is what relative paths start from."""
    from hector_nb.models.providers import ProviderModel, speaks_natively

    match llm.provider:
        case "local":
            from hector_nb.models.local import LocalModel

            return LocalModel.from_config(llm, folder=folder, cache_folder=cache_folder())
        case "scripted":
            from hector_nb.models.scripted import ScriptedModel

            return ScriptedModel.from_config(llm, folder=folder)
        case "anthropic" | "google" if speaks_natively(llm):
            return ProviderModel.from_config(llm, environ=environ)
        case _:
            from hector_nb.models.openai_compatible import OpenAICompatibleModel

            return OpenAICompatibleModel.from_config(llm, environ=environ)


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
    budget = working.budget or (_BUDGET_EMBEDDED if _is_embedded(llm) else _BUDGET)
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
        memory=_working_memory(working, summarizer),
        counter=counter,
        budget=budget,
        window=llm.context_window or (model.context_window if model.context_window != DEFAULT_WINDOW else None),
        summarizer=summarizer if folds else None,
        longterm=make_longterm(name, agent, config, counter=counter, budget=budget, writer=writer, environ=environ),
        toolbox=make_toolbox(
            agent, sources, budget=budget, outputs=outputs, can_call_tools=lambda: model.can_call_tools
        ),
    )


def make_sources(
    config: Config, folder: Path, given: Mapping[str, ToolSource] = MappingProxyType({})
) -> dict[str, ToolSource]:
    """Every tool that some agent uses, by its name in the configuration; agents that use the same one share it. Some are `given`."""
    used = dict.fromkeys(tool for agent in config.agents.values() for tool in agent.tools if tool != AGENT_CALL)
    return {name: given.get(name) or make_source(name, config.tools.get(name, ToolConfig()), folder) for name in used}


def agent_calls(agent: str, config: Config, turns: AgentTurns | None) -> dict[str, ToolSource]:
    """The tool by which an agent calls the others, where there are any."""
    others = {name: other.description for name, other in config.agents.items() if name != agent}
    if not others or turns is None:
        return {}
    settings = config.tools.get(AGENT_CALL, ToolConfig())
    return {AGENT_CALL: BuiltinSource(AgentCall.from_config(settings, agents=others, turns=turns))}


def make_source(name: str, settings: ToolConfig, folder: Path) -> ToolSource:
    """One tool, or all that a server offers; `folder` is what relative paths start from.

    Raises:
        ConfigError: there is no such tool.
    """
    match settings.type or name:
        case "function":
            from hector_nb.tools.function import FunctionTools

            return FunctionTools.from_config(name, settings, folder=folder)
        case "mcp":
            from hector_nb.tools.mcp import McpServer

            return McpServer.from_config(name, settings, folder=folder)
        case "write_file":
            from hector_nb.tools.write_file import WriteFile

            return BuiltinSource(WriteFile.from_config(settings, folder=folder))
        case "read_file":
            from hector_nb.tools.read_file import ReadFile

            return BuiltinSource(ReadFile.from_config(settings, folder=folder))
        case "list_files":
            from hector_nb.tools.list_files import ListFiles

            return BuiltinSource(ListFiles.from_config(settings, folder=folder))
        case "execute_command":
            from hector_nb.tools.execute_command import ExecuteCommand

            return BuiltinSource(ExecuteCommand.from_config(settings, folder=folder))
        case "search":
            from hector_nb.tools.search import Search

            return Search.from_config(
                settings, folder=folder, cache=cache_folder() / "search", embedder=WordllamaEmbedder()
            )
        case kind:
            raise ConfigError(f"There is no tool {kind!r}.")


def make_toolbox(
    agent: AgentConfig,
    sources: Mapping[str, ToolSource],
    *,
    budget: int,
    outputs: OutputReader | None = None,
    can_call_tools: Callable[[], bool] = lambda: True,
) -> Toolbox:
    """An agent's tools, and what this process's notebook offers to those that can call tools.

    One output takes at most about half of the `budget`, which is in tokens.
    """
    named = [sources[name] for name in dict.fromkeys(agent.tools) if name in sources]
    return Toolbox(
        [*named, NotebookTools(wanted=can_call_tools)],
        require_approval=agent.require_approval,
        max_output=budget * _CHARACTERS_PER_TOKEN // 2,
        outputs=outputs,
    )


def make_longterm(
    name: str,
    agent: AgentConfig,
    config: Config,
    *,
    counter: TokenCounter,
    budget: int,
    writer: tuple[LLMConfig, Model],
    environ: Mapping[str, str],
) -> LongTermMemory | None:
    """What outlives an agent's window; None where nothing does. `writer` writes the summaries of scope `summaries_only`."""
    longterm = agent.memory.longterm
    if longterm is None or not longterm.enabled:
        return None
    summarizer = None
    if longterm.storage_scope == "summaries_only":
        if _is_embedded(writer[0]):
            raise ConfigError(
                problems=[f"agents.{name}.memory.longterm.storage_scope: the embedded model cannot write summaries"],
                hint="Name a larger model in memory.working.summarizer, or take another scope.",
            )
        summarizer = make_summarizer(*writer, counter=counter, budget=budget)
    return LongTermMemory(
        agent=name,
        scope=longterm.storage_scope,
        embedder=make_embedder(config.llms[longterm.embedder] if longterm.embedder else None, environ=environ),
        counter=counter,
        budget=budget,
        recall_limit=longterm.recall_limit,
        min_score=MIN_SCORE if longterm.min_score is None else longterm.min_score,
        summarizer=summarizer,
    )


def make_embedder(llm: LLMConfig | None, *, environ: Mapping[str, str]) -> Embedder:
    """The embedder of an `llms` entry; without one that which is built in."""
    if llm is None:
        return WordllamaEmbedder()
    from hector_nb.models.openai_embedder import OpenAICompatibleEmbedder

    return OpenAICompatibleEmbedder.from_config(llm, environ=environ)


def make_summarizer(llm: LLMConfig, model: Model, *, counter: TokenCounter, budget: int) -> Summarizer:
    """What writes an agent's summaries; `budget` and `counter` are the agent's."""
    max_tokens = max(_LEAST_SUMMARY, int(budget * _SUMMARY_SHARE))
    if _is_embedded(llm):
        return Excerpts(counter=counter, max_tokens=max_tokens)
    return ModelSummarizer(model, counter=counter, max_tokens=max_tokens)


def _working_memory(config: WorkingMemoryConfig, summarizer: Summarizer) -> WorkingMemory:
    if config.strategy == "summary_buffer":
        return SummaryBuffer(threshold=config.threshold, target=config.target, allowance=summarizer.max_tokens)
    return BufferWindow(config.window_size) if config.strategy == "buffer_window" else TokenWindow()


def _is_embedded(llm: LLMConfig) -> bool:
    return llm.provider == "local" and llm.model is None
