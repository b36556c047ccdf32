"""The port to working memory: what of the conversation the model sees. And the port to counting tokens.

A working memory is a pure view over an untouched transcript: it says how much to read (`window`) and what of that to show (`select`).
"""

from collections.abc import Sequence
from typing import Protocol

from hector_nb.messages import Message
from hector_nb.stores.base import Window


class TokenCounter(Protocol):
    """Counts tokens. `exact` tells whether the vocabulary is the model's own."""

    exact: bool

    async def count(self, text: str) -> int:
        """Tokens of a text; never blocks the event loop and never needs a network."""
        ...


class WorkingMemory(Protocol):
    """What the model sees of the conversation."""

    def window(self, budget: int) -> Window:
        """What has to be read from the store so that `select` can choose; `budget` is in tokens, for the messages alone."""
        ...

    def select(
        self, history: Sequence[Message], *, first_position: int, message: Message, budget: int
    ) -> Sequence[Message]:
        """The messages the model sees before `message`, oldest first.

        `history` is what `window` asked for, `first_position` the position in the session (from 1) of its first message. Together
        with `message` the result stays within `budget` tokens, unless `message` alone is larger.
        """
        ...
