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

from hector_nb.approvals import Approval
from hector_nb.errors import InvalidRequest
from hector_nb.events import Event, TextDelta, decode, encode
from hector_nb.messages import Message, ToolCall
from hector_nb.sessions import Session

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""
_ASCII_WORD = re.compile(r"[a-z0-9]{1,64}")
_WORD = re.compile(rf"[{_UNSPACED}]+|(?:(?![{_UNSPACED}])[^\W_]){{1,64}}")
_RUN = re.compile(rf"[{_UNSPACED}]{{2}}")
_CURSOR = re.compile(r"[0-9a-f]{1,15}(?:\.[0-9a-f]{1,15})*")
SEARCHED_CHARS = 20_000
"""How much of a text can be searched: its beginning."""
_MOST_WORDS = 16
"""Words of a query that count."""
_TITLE_CHARS = 60
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


def stored_json(value: Any) -> Any:
    """A JSON value as it comes back from a store."""
    return json.loads(to_json(value))


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


class _WithoutMarks(dict[int, int | None]):
    """A table for `str.translate` that drops combining characters; it fills itself with what it meets."""

    def __missing__(self, code: int) -> int | None:
        self[code] = None if unicodedata.combining(chr(code)) else code
        return self[code]


_WITHOUT_MARKS = _WithoutMarks()


def words(text: str) -> list[str]:
    """The words of a text, without case and accents; one that is longer than 64 characters counts as several.

    Of a script without spaces every two neighbours are a word, so that what stands in the middle is found.
    """
    folded = text.casefold()
    if folded.isascii():
        return _ASCII_WORD.findall(folded)
    folded = unicodedata.normalize("NFKD", folded).translate(_WITHOUT_MARKS)
    found: list[str] = []
    for word in _WORD.findall(folded):
        found += [word[at : at + 2] for at in range(len(word))] if _RUN.match(word) else [word]
    return found


def searched(text: str) -> str:
    """The different words by which a text can be found."""
    return " ".join(dict.fromkeys(words(clean(text[:SEARCHED_CHARS]))))


def asked(query: str) -> list[str]:
    """What the words of a text have to begin with."""
    return list(dict.fromkeys(words(clean(query))))[:_MOST_WORDS]


def finds(starts: Sequence[str], text: str) -> bool:
    """Whether each of `starts` begins a word by which the text can be found."""
    found = f" {searched(text)}"
    return all(f" {start}" in found for start in starts)


def title_of(text: str) -> str:
    """A title for a session that begins with this message: its first line, not longer than 60 characters."""
    first, *_ = [*text.lstrip()[:1000].splitlines(), ""]
    title = " ".join(clean(first).split())
    return title if len(title) <= _TITLE_CHARS else f"{title[: _TITLE_CHARS - 1].rstrip()}…"


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
    if message.provider_state:
        extra["provider_state"] = message.provider_state
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


def stored_approval(approval: Approval) -> Approval:
    """The approval as it comes back from a store."""
    return replace(
        approval,
        call_id=clean(approval.call_id),
        name=clean(approval.name),
        arguments=stored_json(approval.arguments),
        created_at=approval.created_at.astimezone(UTC),
        deadline=approval.deadline.astimezone(UTC),
        edited=stored_json(approval.edited),
    )


def stored_session(session: Session) -> Session:
    """The session as it comes back from a store."""
    return replace(
        session,
        title=clean(session.title),
        metadata=stored_json(session.metadata),
        created_at=session.created_at.astimezone(UTC),
        last_active_at=session.last_active_at.astimezone(UTC),
        expires_at=session.expires_at and session.expires_at.astimezone(UTC),
    )


def stored_events(events: Sequence[Event]) -> list[Event]:
    """The events as they come back from a store."""
    return decode_events(encode_events(events))
