"""How often a chat's front end hears of an answer that grows.

What changes is told at most 20 times a second. A message costs some 500 bytes beside its text, so text alone waits until there is some
of it: the first messages of an answer go out as they come, and after them the bytes of all messages stay in proportion to those of the
answer, so that one of 2,000 tokens takes at most 100 KB however slowly it is written. No text waits longer than a second.
"""

from hector_nb.wire.codec import to_bytes

INTERVAL = 0.05
"""Seconds between two messages."""
ENVELOPE = 520
"""Bytes of a message beside its text, roughly."""
_AT_ONCE = 12_000
_RATIO = 6.5
_PATIENCE = 1.0


class Pace:
    """Says when to send. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._spent = 0
        self._text = 0

    def begin(self) -> None:
        """Another answer begins."""
        self._spent = self._text = 0

    def grow(self, text: str) -> None:
        """The answer became longer."""
        self._text += len(to_bytes(text))

    def wait(self, now: float, *, only_text: bool) -> float:
        """Seconds until what is there may be sent."""
        earliest = self._last + INTERVAL
        if only_text and self._spent + ENVELOPE > _AT_ONCE + (_RATIO - 1) * self._text:
            earliest = self._last + _PATIENCE
        return max(0.0, earliest - now)

    def sent(self, now: float) -> None:
        """A message went out."""
        self._last = now
        self._spent += ENVELOPE
