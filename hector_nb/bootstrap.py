"""The composition root: a configuration becomes a running engine. The only file that names concrete adapters."""

import os
from collections.abc import Mapping
from pathlib import Path

from hector_nb.config.home import cache_folder, store_url
from hector_nb.config.loader import LoadedConfig, load_config
from hector_nb.config.schema import AgentConfig, Config, LLMConfig, WorkingMemoryConfig
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
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.runtime import Runtime
from hector_nb.stores.base import Store

_BUDGET = 4000
_BUDGET_EMBEDDED = 1500
_SUMMARY_SHARE = 0.15
"""The part of the budget that a summary may take."""
_LEAST_SUMMARY = 64
_MOST_TOKENS_PER_BYTE = 2


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

    async def model_of(key: str | None) -> tuple[LLMConfig, Model]:
        if key not in models:
            llm = config.llms[key] if key is not None else await first_available(environ)
            models[key] = llm, make_model(llm, environ=environ, folder=loaded.folder)
        return models[key]

    agents = {}
    for name, agent in config.agents.items():
        key = config.llm_name(agent)
        llm, model = await model_of(key)
        writer = await model_of(agent.memory.working.summarizer or key)
        made = make_agent(name, agent, config, llm, model, writer=writer)
        await check_budget(made, loaded)
        agents[name] = made
    return agents


async def check_budget(agent: Agent, loaded: LoadedConfig) -> None:
    """Check that the system prompt leaves room for a conversation.

    Raises:
        ConfigError: it does not.
    """
    if len(agent.config.instruction.encode()) * _MOST_TOKENS_PER_BYTE < agent.budget:
        return  # without loading a vocabulary
    tokens = await agent.instruction_tokens()
    if tokens >= agent.budget:
        window, answer = agent.model.context_window, agent.model.max_tokens
        reason = f"the system prompt has {tokens} tokens, and the budget is {agent.budget}"
        if agent.budget == window - answer:
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
    match llm.provider:
        case "local":
            from hector_nb.models.local import LocalModel

            return LocalModel.from_config(llm, folder=folder, cache_folder=cache_folder())
        case "scripted":
            from hector_nb.models.scripted import ScriptedModel

            return ScriptedModel.from_config(llm, folder=folder)
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
) -> Agent:
    """One agent over its model; `writer` writes its summaries, by default that model too."""
    working = agent.memory.working
    budget = working.budget or (_BUDGET_EMBEDDED if _is_embedded(llm) else _BUDGET)
    budget = min(budget, model.context_window - model.max_tokens)
    counter: TokenCounter = SmallVocabularyCounter() if llm.provider == "local" else TiktokenCounter(model.encoding)
    summarizer = None
    if working.strategy == "summary_buffer":
        summarizer = make_summarizer(*(writer or (llm, model)), counter=counter, budget=budget)
    return Agent(
        name=name,
        config=agent,
        sessions=config.sessions_of(name),
        provider=llm.provider,
        model=model,
        memory=_working_memory(working, summarizer),
        counter=counter,
        budget=budget,
        summarizer=summarizer,
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


def _working_memory(config: WorkingMemoryConfig, summarizer: Summarizer | None) -> WorkingMemory:
    if summarizer is not None:
        return SummaryBuffer(threshold=config.threshold, target=config.target, allowance=summarizer.max_tokens)
    return BufferWindow(config.window_size) if config.strategy == "buffer_window" else TokenWindow()


def _is_embedded(llm: LLMConfig) -> bool:
    return llm.provider == "local" and llm.model is None
