"""`summary_buffer`: the newest turns word for word, and a running summary of all that went before.

The transcript is untouched: a summary is stored beside it with the position up to which it stands for it. When summary and messages
together pass `threshold` of the budget, the oldest turns are folded into the next summary until `target` is reached. Where no
summary could be written in time, the window shows the newest turns that fit.
"""

from collections.abc import Sequence

from hector_nb.memory.steps import Limits, newest_turns
from hector_nb.messages import Message
from hector_nb.stores.base_sessions import Window


class SummaryBuffer:
    """What follows the newest summary.

    Args:
        threshold: The part of the budget above which turns are folded.
        target: The part of the budget that is left to summary and messages then.
        allowance: Tokens that the next summary may take.
    """

    strategy = "summary_buffer"

    def __init__(self, *, threshold: float, target: float, allowance: int) -> None:
        self._threshold = threshold
        self._target = target
        self._allowance = allowance

    def window(self, budget: int) -> Window:
        """See `WorkingMemory`."""
        return Window(max_tokens=budget, summarized=True)

    def select(
        self, history: Sequence[Message], *, first_position: int, message: Message, budget: int
    ) -> Sequence[Message]:
        """See `WorkingMemory`. All of `history` where it fits: what is left out here, no summary stands for."""
        if message.tokens + sum(each.tokens for each in history) <= budget:
            first = next((index for index, each in enumerate(history) if each.role == "user"), len(history))
            return history[first:]
        return newest_turns(history, first_position=first_position, message=message, limits=Limits(tokens=budget))

    def fold(self, history: Sequence[Message], *, summary_tokens: int, budget: int) -> Sequence[Message]:
        """See `WorkingMemory`."""
        left = sum(message.tokens for message in history)
        if summary_tokens + left <= self._threshold * budget:
            return ()
        end = 0
        for index, message in enumerate(history):
            if message.role == "user" and index:
                end = index
                if self._allowance + left <= self._target * budget:
                    break
            left -= message.tokens
        return history[:end]
