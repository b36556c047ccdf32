"""A conversation as a value in the notebook."""

from collections.abc import Iterable
from typing import SupportsIndex, overload

from hector_nb.frontends.render import plain
from hector_nb.frontends.words import counted
from hector_nb.messages import Message
from hector_nb.wire.safe_markdown import neutralise


class Transcript(list[Message]):
    """A list of messages whose rich form reads like a conversation."""

    def __init__(self, messages: Iterable[Message]) -> None:
        super().__init__(messages)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> "Transcript": ...
    def __getitem__(self, index: SupportsIndex | slice) -> "Message | Transcript":
        """A message, or a part of the conversation."""
        found = super().__getitem__(index)
        return Transcript(found) if isinstance(found, list) else found

    def __repr__(self) -> str:
        said = (f"{_heading(message)}\n{plain(message.content).strip()}" for message in self)
        return "\n\n".join(said) or "Nothing was said yet."

    def _repr_markdown_(self) -> str:
        said = (f"{_heading(message, bold='**')}\n\n{neutralise(message.content.strip())}" for message in self)
        return "\n\n".join(said) or "*Nothing was said yet.*"


def _heading(message: Message, *, bold: str = "") -> str:
    tokens = f"{'~' if message.estimated else ''}{counted(message.tokens, 'token')}"
    status = "" if message.status == "complete" else f" · {message.status}"
    return f"{bold}{message.role}{bold} · {tokens}{status}"
