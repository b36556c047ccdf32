"""Model text made safe to show. What a model says is never trusted: it may repeat what it read somewhere.

For terminals, text files and `text/plain`: `plain` and its incremental twin `PlainText` take out everything that moves the
cursor, changes the terminal or reorders the line. Above are the front ends.
"""

import re

from hector_nb.wire.codec import without_surrogates

_STRING_LIMIT = 4096
_STRING = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])"
_BODY = rf"[^\x07\x1b\x9c\n]{{0,{_STRING_LIMIT}}}"
_CSI = r"(?:\x1b\[|\x9b)"
_PARAMETERS = r"[0-?]{0,64}[ -/]{0,8}"

_UNSAFE = re.compile(
    rf"{_CSI}{_PARAMETERS}[@-~]"  # colours, cursor, erasing, modes
    rf"|{_STRING}{_BODY}(?:\x07|\x1b\\|\x9c)"  # titles, links, clipboard
    r"|\x1b[ -/]{1,8}[0-~]|\x1b[0-~]"  # character sets, reset
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # any other control character
    r"|[\u202a-\u202e\u2066-\u2069]"  # text that reads in another order than it is written
)
_UNFINISHED = re.compile(rf"(?:{_CSI}{_PARAMETERS}|{_STRING}{_BODY}\x1b?|\x1b[ -/]{{0,8}})\Z")


def plain(text: str) -> str:
    """The text without terminal control sequences, control characters (newline and tab stay) and bidirectional overrides."""
    return without_surrogates(_UNSAFE.sub("", text))


def plain_line(text: str) -> str:
    """The same on one line, for titles and names."""
    return " ".join(plain(text).split())


class PlainText:
    """`plain` for text that comes in pieces: a sequence that is split between pieces is taken out all the same."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown now that this piece is known."""
        text = self._held + piece
        unfinished = _UNFINISHED.search(text)
        end = unfinished.start() if unfinished else len(text)
        self._held = text[end:]
        return plain(text[:end])

    def close(self) -> str:
        """What was held back to the end."""
        text, self._held = self._held, ""
        return plain(text)
