"""The ports to memory: what of the conversation the model sees, what writes summaries, what makes vectors, what counts tokens.

A working memory is a pure view over an untouched transcript: it says how much to read (`window`), what of that to show (`select`) and
what a summary should stand for (`fold`).
"""

from collections.abc import Sequence
from typing import Protocol

from hector_nb.memories import Summary
from hector_nb.messages import Message
from hector_nb.stores.base_sessions import Window


class TokenCounter(Protocol):
    """Counts tokens. `exact` tells whether the vocabulary is the model's own."""

    exact: bool

    async def count(self, text: str) -> int:
        """Tokens of a text; never blocks the event loop and never needs a network."""
        ...


class WorkingMemory(Protocol):
    """What the model sees of the conversation. `strategy` is its name in the configuration."""

    strategy: str

    def window(self, budget: int) -> Window:
        """What has to be read from the store so that `select` can choose; `budget` is in tokens, for summary and messages."""
        ...

    def select(
        self, history: Sequence[Message], *, first_position: int, message: Message, budget: int
    ) -> Sequence[Message]:
        """The messages the model sees before `message`, oldest first.

        `history` is what `window` asked for, `first_position` the position in the session (from 1) of its first message. Together
        with `message` the result stays within `budget` tokens (what a summary leaves), unless `message` alone is larger.
        """
        ...

    def fold(self, history: Sequence[Message], *, summary_tokens: int, budget: int) -> Sequence[Message]:
        """The oldest messages that a summary should stand for from now on: whole turns, never the newest; empty: none yet.

        `history` is all that follows the newest summary, of `summary_tokens` tokens. Strategies without summaries never fold.
        """
        ...


class Summarizer(Protocol):
    """Writes summaries. `model` names who writes, and `max_tokens` is the longest summary."""

    model: str
    max_tokens: int

    async def summarize(self, previous: Summary | None, messages: Sequence[Message]) -> str:
        """One text that stands for the previous summary and these messages.

        Raises:
            ModelError: the model failed, took too long, or said nothing.
        """
        ...

    async def aclose(self) -> None:
        """Free what it holds."""
        ...


class Embedder(Protocol):
    """Makes vectors of texts. `name` changes whenever its vectors stop being comparable (another model, another dimension)."""

    name: str

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """A vector for each text: little-endian 32-bit floats of length 1. Never blocks the event loop.

        Raises:
            ModelError: it failed.
        """
        ...

    async def aclose(self) -> None:
        """Free what it holds."""
        ...
