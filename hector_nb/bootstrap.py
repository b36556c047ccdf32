"""The composition root: a configuration becomes a running engine. The only file that names concrete adapters."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from hector_nb.config.home import cache_folder, store_url
from hector_nb.config.loader import LoadedConfig, load_config
from hector_nb.config.schema import AgentConfig, Config, LLMConfig, ToolConfig, WorkingMemoryConfig
from hector_nb.errors import ConfigError
from hector_nb.memory.base import WorkingMemory
from hector_nb.memory.buffer_window import BufferWindow
from hector_nb.memory.tokens import TiktokenCounter
from hector_nb.models.base import Model
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.runtime import Runtime
from hector_nb.stores.base import Store
from hector_nb.tools.base import ToolSource
from hector_nb.tools.builtin import BuiltinSource
from hector_nb.tools.read_output import OutputReader
from hector_nb.tools.toolbox import Toolbox

_BUDGET = 4000
_BUDGET_EMBEDDED = 1500
_CHARACTERS_PER_TOKEN = 4


async def open_runtime(loaded: LoadedConfig | None = None) -> Runtime:
    """The engine that a configuration describes, opened on the running event loop.

    Raises:
        ConfigError: the configuration cannot be used.
        StoreError: the database cannot be opened.
    """
    loaded = loaded or load_config()
    store = make_store(loaded)
    runtime = Runtime(store=store, agents=await make_agents(loaded, os.environ, outputs=store.get_output))
    await runtime.aopen()
    return runtime


def make_store(loaded: LoadedConfig) -> Store:
    """The database named by `storage.url`."""
    url = store_url(loaded.config, folder=loaded.folder)
    scheme, _, path = url.partition("://")
    if scheme == "sqlite":
        from hector_nb.stores.sqlite import SQLiteStore

        return SQLiteStore(Path(path.removeprefix("/")))
    raise ConfigError(f"storage.url: {scheme}:// is not supported yet.", hint="Use sqlite:///path/to/file.db.")


async def make_agents(
    loaded: LoadedConfig, environ: Mapping[str, str], *, outputs: OutputReader | None = None
) -> dict[str, Agent]:
    """Every configured agent; those with the same `llms` entry share one model. `outputs` gives long outputs of tools back."""
    config = loaded.config
    sources = make_sources(config, loaded.folder)
    models: dict[str | None, tuple[LLMConfig, Model]] = {}
    agents = {}
    for name, agent in config.agents.items():
        key = config.llm_name(agent)
        if key not in models:
            llm = config.llms[key] if key is not None else await first_available(environ)
            models[key] = llm, make_model(llm, environ=environ, folder=loaded.folder)
        llm, model = models[key]
        agents[name] = make_agent(name, agent, config, llm, model, sources=sources, outputs=outputs)
    return agents


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
    sources: Mapping[str, ToolSource] = MappingProxyType({}),
    outputs: OutputReader | None = None,
) -> Agent:
    """One agent over its model, with those of its tools that are among `sources`."""
    embedded = llm.provider == "local" and llm.model is None
    budget = agent.memory.working.budget or (_BUDGET_EMBEDDED if embedded else _BUDGET)
    budget = min(budget, model.context_window - model.max_tokens)
    return Agent(
        name=name,
        config=agent,
        sessions=config.sessions_of(name),
        provider=llm.provider,
        model=model,
        memory=_working_memory(agent.memory.working),
        counter=TiktokenCounter(model.encoding),
        budget=budget,
        toolbox=make_toolbox(agent, sources, budget=budget, outputs=outputs),
    )


def make_sources(config: Config, folder: Path) -> dict[str, ToolSource]:
    """Every tool that some agent uses, by its name in the configuration; agents that use the same one share it."""
    used = dict.fromkeys(tool for agent in config.agents.values() for tool in agent.tools)
    made = {name: make_source(name, config.tools.get(name, ToolConfig()), folder) for name in used}
    return {name: source for name, source in made.items() if source is not None}


def make_source(name: str, settings: ToolConfig, folder: Path) -> ToolSource | None:
    """One tool, or all that a server offers; `folder` is what relative paths start from. None for kinds that are not there yet."""
    match settings.type or name:
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
        case _:
            return None


def make_toolbox(
    agent: AgentConfig, sources: Mapping[str, ToolSource], *, budget: int, outputs: OutputReader | None = None
) -> Toolbox:
    """An agent's tools. One output takes at most about half of the agent's `budget`, which is in tokens."""
    return Toolbox(
        [sources[name] for name in dict.fromkeys(agent.tools) if name in sources],
        require_approval=agent.require_approval,
        max_output=budget * _CHARACTERS_PER_TOKEN // 2,
        outputs=outputs,
    )


def _working_memory(config: WorkingMemoryConfig) -> WorkingMemory:
    return BufferWindow(config.window_size if config.strategy == "buffer_window" else None)
