"""`buffer_window`: the last `window_size` messages. `token_window`: as many as fit the budget.

The window's start moves in steps, not with every message, so that the beginning of the prompt stays the same from turn to
turn and the model's prompt cache holds. It always starts at a user's message: a tool call is never cut from its result.
"""

from collections.abc import Sequence

from hector_nb.messages import Message
from hector_nb.stores.base import Window

_STEP = 4
"""Messages by which the start moves; a window of 20 shows 17 to 20."""


class BufferWindow:
    """The newest messages, at most `window_size` of them (None: no limit but the budget)."""

    def __init__(self, window_size: int | None) -> None:
        self._size = window_size
        self._step = max(1, min(_STEP, window_size // 2)) if window_size else _STEP

    def window(self, budget: int) -> Window:
        """See `WorkingMemory`."""
        return Window(max_messages=None if self._size is None else self._size - 1, max_tokens=budget)

    def select(
        self, history: Sequence[Message], *, first_position: int, message: Message, budget: int
    ) -> Sequence[Message]:
        """See `WorkingMemory`."""
        room = budget - message.tokens
        tokens = sum(each.tokens for each in history)
        unaligned: int | None = None
        for index, each in enumerate(history):
            if each.role == "user" and tokens <= room:
                if (first_position + index - 1) % self._step == 0:
                    return history[index:]
                unaligned = index if unaligned is None else unaligned
            tokens -= each.tokens
        return () if unaligned is None else history[unaligned:]
