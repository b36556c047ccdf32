"""The composition root: a configuration becomes a running engine. The only file that names concrete adapters."""

import os
from collections.abc import Mapping
from pathlib import Path

from hector_nb.config.home import cache_folder, store_url
from hector_nb.config.loader import LoadedConfig, load_config
from hector_nb.config.schema import AgentConfig, Config, LLMConfig, WorkingMemoryConfig
from hector_nb.errors import ConfigError
from hector_nb.memory.base import WorkingMemory
from hector_nb.memory.buffer_window import BufferWindow
from hector_nb.memory.tokens import TiktokenCounter
from hector_nb.models.base import Model
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.runtime import Runtime
from hector_nb.stores.base import Store

_BUDGET = 4000
_BUDGET_EMBEDDED = 1500


async def open_runtime(loaded: LoadedConfig | None = None) -> Runtime:
    """The engine that a configuration describes, opened on the running event loop.

    Raises:
        ConfigError: the configuration cannot be used.
        StoreError: the database cannot be opened.
    """
    loaded = loaded or load_config()
    runtime = Runtime(store=make_store(loaded), agents=await make_agents(loaded, os.environ))
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


async def make_agents(loaded: LoadedConfig, environ: Mapping[str, str]) -> dict[str, Agent]:
    """Every configured agent; agents with the same `llms` entry share one model."""
    config = loaded.config
    models: dict[str | None, tuple[LLMConfig, Model]] = {}
    agents = {}
    for name, agent in config.agents.items():
        key = config.llm_name(agent)
        if key not in models:
            llm = config.llms[key] if key is not None else await first_available(environ)
            models[key] = llm, make_model(llm, environ=environ, folder=loaded.folder)
        llm, model = models[key]
        agents[name] = make_agent(name, agent, config, llm, model)
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


def make_agent(name: str, agent: AgentConfig, config: Config, llm: LLMConfig, model: Model) -> Agent:
    """One agent over its model."""
    embedded = llm.provider == "local" and llm.model is None
    budget = agent.memory.working.budget or (_BUDGET_EMBEDDED if embedded else _BUDGET)
    return Agent(
        name=name,
        config=agent,
        sessions=config.sessions_of(name),
        provider=llm.provider,
        model=model,
        memory=_working_memory(agent.memory.working),
        counter=TiktokenCounter(model.encoding),
        budget=min(budget, model.context_window - model.max_tokens),
    )


def _working_memory(config: WorkingMemoryConfig) -> WorkingMemory:
    return BufferWindow(config.window_size if config.strategy == "buffer_window" else None)
