"""`buffer_window`: the last `window_size` messages, as far as they fit the budget."""

from collections.abc import Sequence

from hector_nb.memory.steps import Limits, newest_turns
from hector_nb.messages import Message
from hector_nb.stores.base_sessions import Window


class BufferWindow:
    """The newest messages, at most `window_size` of them, the one to be answered included."""

    strategy = "buffer_window"

    def __init__(self, window_size: int) -> None:
        self._size = window_size

    def window(self, budget: int) -> Window:
        """See `WorkingMemory`."""
        return Window(max_messages=self._size - 1, max_tokens=budget)

    def select(
        self, history: Sequence[Message], *, first_position: int, message: Message, budget: int
    ) -> Sequence[Message]:
        """See `WorkingMemory`."""
        limits = Limits(tokens=budget, messages=self._size)
        return newest_turns(history, first_position=first_position, message=message, limits=limits)

    def fold(self, history: Sequence[Message], *, summary_tokens: int, budget: int) -> Sequence[Message]:
        """Nothing: it has no summaries."""
        return ()
