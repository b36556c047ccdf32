"""What an agent remembers with: its working memory, its long-term memory, and who writes summaries for them."""

from collections.abc import Mapping

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
from hector_nb.models.base import Model

_SUMMARY_SHARE = 0.15
"""The part of the budget that a summary may take."""
_LEAST_SUMMARY = 64


def make_working_memory(config: WorkingMemoryConfig, summarizer: Summarizer) -> WorkingMemory:
    """What decides which messages the model sees; `summarizer` is for the strategy that folds old ones."""
    if config.strategy == "summary_buffer":
        return SummaryBuffer(threshold=config.threshold, target=config.target, allowance=summarizer.max_tokens)
    return BufferWindow(config.window_size) if config.strategy == "buffer_window" else TokenWindow()


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
        if writer[0].is_embedded:
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
    if llm.is_embedded:
        return Excerpts(counter=counter, max_tokens=max_tokens)
    return ModelSummarizer(model, counter=counter, max_tokens=max_tokens)
