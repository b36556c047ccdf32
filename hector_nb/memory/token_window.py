"""`token_window`: as many of the newest messages as fit the budget."""

from collections.abc import Sequence

from hector_nb.memory.steps import Limits, newest_turns
from hector_nb.messages import Message
from hector_nb.stores.base_sessions import Window


class TokenWindow:
    """The newest messages, at most `budget` tokens of them, the one to be answered included."""

    strategy = "token_window"

    def window(self, budget: int) -> Window:
        """See `WorkingMemory`."""
        return Window(max_tokens=budget)

    def select(
        self, history: Sequence[Message], *, first_position: int, message: Message, budget: int
    ) -> Sequence[Message]:
        """See `WorkingMemory`."""
        return newest_turns(history, first_position=first_position, message=message, limits=Limits(tokens=budget))

    def fold(self, history: Sequence[Message], *, summary_tokens: int, budget: int) -> Sequence[Message]:
        """Nothing: it has no summaries."""
        return ()
