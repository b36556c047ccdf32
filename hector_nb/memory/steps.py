"""Where a window begins: at a user's message, so that no turn is split, and moved in steps, so that the model's prompt cache holds.

Of the turns with which a window could begin, the ones that leave it at least three quarters full, one is chosen by its position
alone: the first after the roundest number among those positions (that with the most factors of two). As the conversation grows,
that number stays the same for many turns, then jumps by about a quarter of the window. Nothing has to be remembered for it, and the
beginning never moves backwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hector_nb.messages import Message

_FULL = 0.75


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a window may hold, the new message included; `messages` None: any number."""

    tokens: int
    messages: int | None = None

    def hold(self, messages: int, tokens: int) -> bool:
        """Whether so much fits."""
        return tokens <= self.tokens and (self.messages is None or messages <= self.messages)

    def are_nearly_reached(self, messages: int, tokens: int) -> bool:
        """Whether so much fills three quarters of one of them."""
        return tokens >= _FULL * self.tokens or (self.messages is not None and messages >= _FULL * self.messages)


def newest_turns(
    history: Sequence[Message], *, first_position: int, message: Message, limits: Limits
) -> Sequence[Message]:
    """The part of `history` to show before `message`: whole turns, as many as fit but for the step.

    `first_position` is the position of the first message of `history` in its session, from 1.
    """
    starts: list[int] = []
    roomy = 0
    tokens = message.tokens
    for index in reversed(range(len(history))):
        tokens += history[index].tokens
        held = len(history) - index + 1
        if not limits.hold(held, tokens):
            break
        if history[index].role == "user":
            starts.append(index)
            roomy += not limits.are_nearly_reached(held, tokens)
    if not starts:
        return ()
    earliest, latest = starts[-1], starts[min(roomy, len(starts) - 1)]
    anchor = _roundest(earliest + first_position - 1, latest + first_position - 1) - first_position + 1
    return history[next(index for index in reversed(starts) if index >= anchor) :]


def _roundest(low: int, high: int) -> int:
    """The number from `low` to `high` that has the most factors of two."""
    while high and high & (high - 1) >= low:
        high &= high - 1
    return high
