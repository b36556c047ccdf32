"""How values become stored text and come back, alike in every adapter. Below are only the vocabulary and `base`.

Text is stored as UTF-8, so lone surrogates become U+FFFD; NULs are kept. An event group is a JSON array in which a plain string
is a `TextDelta` and anything else is an encoded event, so that a log costs a few bytes a token. A message's content is stored
as it is; what most messages do not have is kept beside it as one JSON object, or nothing.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hector_nb.errors import InvalidRequest
from hector_nb.events import Event, TextDelta, decode, encode
from hector_nb.messages import Message, ToolCall
from hector_nb.sessions import Session

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WORD = re.compile(r"[^\W_]+")
_CURSOR = re.compile(r"[0-9a-f]{1,15}(?:\.[0-9a-f]{1,15})*")
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def clean(text: str) -> str:
    """The text as UTF-8 can hold it: lone surrogates become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def to_json(value: Any) -> str:
    """A JSON value as compact text."""
    return clean(_dumps(value))


def to_micros(moment: datetime) -> int:
    """An aware time as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Microseconds since 1970 as a time in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def seen_at(session: Session, now: datetime) -> Session:
    """The session as it is at this time: expired, if its time has passed and nobody ended it before."""
    if session.status == "active" and session.expires_at is not None and session.expires_at <= now:
        return replace(session, status="expired")
    return session


def words(text: str) -> list[str]:
    """The words of a text or query, without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(char for char in decomposed if not unicodedata.combining(char)))


def encode_cursor(*numbers: int) -> str:
    """A place in a listing."""
    return ".".join(f"{number:x}" for number in numbers)


def decode_cursor(cursor: str, parts: int) -> tuple[int, ...]:
    """The numbers of a cursor.

    Raises:
        InvalidRequest: the cursor is not one of ours.
    """
    if _CURSOR.fullmatch(cursor) is None or cursor.count(".") != parts - 1:
        raise InvalidRequest("This cursor is not valid.", hint="Pass `next_cursor` of the page before, unchanged.")
    return tuple(int(number, 16) for number in cursor.split("."))


def encode_events(events: Iterable[Event]) -> str:
    """A group of events as one JSON array."""
    return to_json([event.text if type(event) is TextDelta else encode(event) for event in events])


def decode_events(payload: str) -> list[Event]:
    """The events of one group."""
    return [TextDelta(text=item) if isinstance(item, str) else decode(item) for item in json.loads(payload)]


def encode_extra(message: Message) -> str | None:
    """What a message has beside content, role, ids, time and tokens."""
    extra: dict[str, Any] = {}
    if message.status != "complete":
        extra["status"] = message.status
    if not message.estimated:
        extra["estimated"] = False
    if message.thinking:
        extra["thinking"] = message.thinking
    if message.tool_calls:
        extra["tool_calls"] = [
            {"call_id": call.call_id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls
        ]
    if message.call_id is not None:
        extra["call_id"] = message.call_id
    if message.is_error:
        extra["is_error"] = True
    return to_json(extra) if extra else None


def decode_extra(extra: str | None) -> dict[str, Any]:
    """The keyword arguments of `Message` that `encode_extra` kept."""
    if extra is None:
        return {}
    values: dict[str, Any] = json.loads(extra)
    if "tool_calls" in values:
        values["tool_calls"] = tuple(ToolCall(**call) for call in values["tool_calls"])
    return values


def stored_message(message: Message) -> Message:
    """The message as it comes back from a store."""
    return replace(
        message,
        content=clean(message.content),
        created_at=message.created_at.astimezone(UTC),
        **decode_extra(encode_extra(message)),
    )


def stored_session(session: Session) -> Session:
    """The session as it comes back from a store."""
    return replace(
        session,
        title=clean(session.title),
        metadata=json.loads(to_json(session.metadata)),
        created_at=session.created_at.astimezone(UTC),
        last_active_at=session.last_active_at.astimezone(UTC),
        expires_at=session.expires_at and session.expires_at.astimezone(UTC),
    )


def stored_events(events: Sequence[Event]) -> list[Event]:
    """The events as they come back from a store."""
    return decode_events(encode_events(events))
