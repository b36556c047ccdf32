"""Frames: what a reader of a turn receives, and the id by which it resumes.

A frame is a chunk of text, a named event, or the turn's one last frame (`Done` or `Failed`). Its place is (`seq`, `offset`):
event `seq` of the log is delivered and `offset` units of the next one. Units are code points in an event that gives text, frames
in an event that gives named frames. `framer.py` makes frames out of logged events; SSE and WebSocket write them with the
encoders here.
"""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeAlias

from hector_nb.config.schema import ReasoningConfig
from hector_nb.errors import InvalidRequest
from hector_nb.events import TurnDone, TurnFailed, encode_usage
from hector_nb.wire.codec import dumps, quote, to_bytes
from hector_nb.wire.status import encode_failure

EVENT_GROUPS = frozenset({"tools", "thinking", "usage", "context", "debug"})
"""What `?events=` may name, besides `all` and `log`."""
LOG = frozenset({"log"})
"""`?events=log`: every event of the turn's log as it is, for programs; see `log_framer.py`."""
START = "start"
"""The id of the last event of a session that has none yet."""
_CURSOR = re.compile(r"(turn_[A-Za-z0-9_.-]{1,64}):(\d{1,12})(?:\+(\d{1,12}))?")


class Chunk(NamedTuple):
    """A piece of the text."""

    seq: int
    offset: int
    text: str


class Named(NamedTuple):
    """A named event and its data."""

    seq: int
    offset: int
    name: str
    data: dict[str, Any]


class Done(NamedTuple):
    """The last frame of a turn that was answered or cancelled."""

    seq: int
    event: TurnDone


class Failed(NamedTuple):
    """The last frame of a turn that did not succeed."""

    seq: int
    event: TurnFailed


Frame: TypeAlias = Chunk | Named | Done | Failed


def has_text(frame: Frame) -> bool:
    """Whether a frame brings a piece of the text, to a reader of the log too."""
    return isinstance(frame, Chunk) or (isinstance(frame, Named) and frame.name == "text")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """How far a reader has come in a turn: `turn_…:N`, or `turn_…:N+K` inside event N+1."""

    turn_id: str
    seq: int = 0
    offset: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a frame's id.

        Raises:
            InvalidRequest: it is none.
        """
        match = _CURSOR.fullmatch(text.strip())
        if not match:
            raise InvalidRequest(
                "The id of the last event is not one of ours.",
                hint="Send back an `id` exactly as it came, for example turn_01abc:3.",
            )
        return cls(turn_id=match[1], seq=int(match[2]), offset=int(match[3] or 0))

    def __str__(self) -> str:
        return f"{self.turn_id}:{self.seq}+{self.offset}" if self.offset else f"{self.turn_id}:{self.seq}"


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What one reader wants to see besides the answer.

    With `events` None it comes as text among the answer, where the flags say so; with a set of groups it comes as
    named events, and the flags mean nothing.
    """

    tools: bool = False
    thinking: bool = False
    debug: bool = False
    events: frozenset[str] | None = None

    @classmethod
    def choose(
        cls, reasoning: ReasoningConfig, *, events: frozenset[str] | None = None, debug: bool | None = None
    ) -> Self:
        """The agent's settings, and what one request asks for over them."""
        if events == LOG:
            return cls(events=LOG)
        shown = reasoning.show_debug_info if debug is None else debug
        if events is not None:
            return cls(events=events | {"debug"} if shown else events - ({"debug"} if debug is False else set()))
        return cls(tools=reasoning.show_tool_execution, thinking=reasoning.show_thinking, debug=shown)


def encode_done(event: TurnDone) -> dict[str, Any]:
    """How a turn ended well."""
    return {
        "turn_id": event.turn_id,
        "message_id": event.message_id,
        "finish_reason": event.finish_reason,
        "usage": encode_usage(event.usage),
    }


def sse_block(turn_id: str, frame: Frame) -> str:
    """A frame as an event of a `text/event-stream`."""
    match frame:
        case Chunk(seq, 0, text):
            return f'id: {turn_id}:{seq}\ndata: {{"chunk": {quote(text)}}}\n\n'
        case Chunk(seq, offset, text):
            return f'id: {turn_id}:{seq}+{offset}\ndata: {{"chunk": {quote(text)}}}\n\n'
        case Named(seq, offset, name, data):
            place = Cursor(turn_id=turn_id, seq=seq, offset=offset)
            return f"id: {place}\nevent: {name}\ndata: {dumps(data)}\n\n"
        case Done(seq, _):
            return f"id: {turn_id}:{seq}\ndata: [DONE]\n\n"
        case Failed(seq, event):
            return f"id: {turn_id}:{seq}\nevent: error\ndata: {dumps(encode_failure(event))}\n\n"


def sse_blocks(turn_id: str, frames: list[Frame]) -> bytes:
    """Frames as one piece of a `text/event-stream`."""
    return to_bytes("".join([sse_block(turn_id, frame) for frame in frames]))


def socket_message(turn_id: str, frame: Frame) -> str | None:
    """A frame as a WebSocket message; None for a named `done`, which the last frame says already."""
    match frame:
        case Chunk(seq, offset, text):
            return f'{{"chunk": {quote(text)}, "id": "{Cursor(turn_id=turn_id, seq=seq, offset=offset)}"}}'
        case Named(_, _, "done", _):
            return None
        case Named(seq, offset, name, data):
            place = str(Cursor(turn_id=turn_id, seq=seq, offset=offset))
            return dumps({"event": name, "id": place, **data})
        case Done(seq, event):
            return dumps({"done": True, "id": f"{turn_id}:{seq}", **encode_done(event)})
        case Failed(seq, event):
            return dumps({**encode_failure(event), "id": f"{turn_id}:{seq}"})
