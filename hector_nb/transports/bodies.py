"""What may stand in a request's body, a socket's message and a query: the shapes, and clear words for what is wrong."""

import json
import re
from collections.abc import Sequence
from difflib import get_close_matches
from math import isfinite
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from hector_nb.approvals import Decision
from hector_nb.errors import InvalidRequest, MalformedRequest, UnsupportedMediaType
from hector_nb.service import MAX_TITLE
from hector_nb.sessions import SESSION_ID, IfBusy
from hector_nb.wire.codec import without_surrogates
from hector_nb.wire.frames import EVENT_GROUPS, LOG

MAX_BODY_BYTES = 8 * 1024 * 1024
"""The largest body: a message of 1 MiB may be written with escapes."""
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_JSON_TYPE = re.compile(r"application/(?:[\w.-]+\+)?json")
MAX_DEPTH = 100
"""How deep objects and lists may be nested in a body."""
Id = Annotated[str, Field(pattern=f"^{SESSION_ID.pattern}$")]
Title = Annotated[str, Field(max_length=MAX_TITLE)]


class Body(BaseModel):
    """A JSON object with no other keys than its own."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NewSession(Body):
    """`POST …/sessions`."""

    session_id: Id | None = None
    title: Title | None = None
    metadata: dict[str, Any] | None = None


class Metadata(BaseModel):
    """Any JSON object, in `model_extra`."""

    model_config = ConfigDict(extra="allow", frozen=True)


class NewMessage(Body):
    """`POST …/messages` and `POST …/messages/stream`."""

    message: str
    if_busy: IfBusy = "queue"
    on_disconnect: Literal["cancel", "continue"] | None = None


class SessionChange(Body):
    """`PATCH …/sessions/{id}`: what is given is changed, metadata as a whole."""

    title: Title | None = None
    metadata: dict[str, Any] | None = None


class HistoryPoint(Body):
    """`POST …/fork` and `POST …/rewind`: the last message that stays, a `message_id`."""

    after: str | None = None


class Nothing(Body):
    """`POST …/end`: no body, or an empty object."""


class CancelTurn(Body):
    """`POST …/cancel`."""

    turn_id: str | None = None


class Correction(Body):
    """`PATCH …/memory/{mem_id}`: what is right."""

    text: str


class ApprovalWord(Body):
    """`POST …/approvals/{call_id}`; with `arguments` the call is made with these."""

    decision: Decision
    arguments: dict[str, Any] | None = None


class SocketMessage(Body):
    """What a client may say on a WebSocket: one of `message`, `cancel`, `approve`, `deny`, `resume`, `follow`."""

    message: str | None = None
    if_busy: IfBusy = "queue"
    idempotency_key: str | None = None
    cancel: Literal[True] | None = None
    approve: str | None = None
    deny: str | None = None
    resume: str | None = None
    follow: Literal[True] | str | None = None
    session_id: Id | None = None


Shape = TypeVar("Shape", bound=BaseModel)
Word = TypeVar("Word", bound=str)


def read_body(raw: bytes, content_type: str | None, shape: type[Shape]) -> Shape:
    """A request's body; none at all is an empty object.

    Raises:
        UnsupportedMediaType: it is not declared as JSON.
        MalformedRequest: it is not a JSON object.
        InvalidRequest: something in it is wrong.
    """
    if not raw:
        return shaped({}, shape)
    kind = (content_type or "").partition(";")[0].strip().lower()
    if not _JSON_TYPE.fullmatch(kind):
        told = f"The body is declared as {kind}." if kind else "The body has no Content-Type."
        raise UnsupportedMediaType(told, hint="Send JSON with the header Content-Type: application/json.")
    return read_json(raw, shape)


def read_json(raw: bytes, shape: type[Shape]) -> Shape:
    """A JSON object of this shape.

    Raises:
        MalformedRequest: it is not a JSON object.
        InvalidRequest: something in it is wrong.
    """
    try:
        value = json.loads(raw, parse_constant=_no_constant, parse_float=_finite)
        _check_depth(value)
    except (ValueError, RecursionError) as error:
        told = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise MalformedRequest(
            f"This is not JSON: {told}.", hint='Send an object, for example {"message": "Hi"}.'
        ) from None
    if not isinstance(value, dict):
        raise MalformedRequest(hint='Send an object, for example {"message": "Hi"}.')
    if _SURROGATE_ESCAPE.search(raw):
        value = _scrubbed(value)
    return shaped(value, shape)


def read_limit(text: str | None, *, default: int, most: int = 200) -> int:
    """`?limit=`.

    Raises:
        InvalidRequest: it is no number from 1 to `most`.
    """
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= most:
        raise InvalidRequest(f"`limit` must be a number from 1 to {most}.")
    return int(text)


def read_flag(name: str, text: str | None) -> bool | None:
    """A switch in a query, for example `?debug=true`; None where it is not there.

    Raises:
        InvalidRequest: it is neither on nor off.
    """
    if text is None:
        return None
    if text.lower() in {"true", "1", "yes", ""}:
        return True
    if text.lower() in {"false", "0", "no"}:
        return False
    raise InvalidRequest(f"`{name}` must be true or false.")


def read_choice(name: str, text: str | None, choices: Sequence[Word]) -> Word | None:
    """One of some words in a query; None where it is not there.

    Raises:
        InvalidRequest: it is another word.
    """
    if text is None or text in choices:
        return cast("Word | None", text)
    raise InvalidRequest(f"`{name}` must be one of {', '.join(choices)}.", hint=_did_you_mean(text, choices))


def read_events(text: str | None) -> frozenset[str] | None:
    """`?events=all`, or a list such as `tools,usage`; None where it is not there.

    Raises:
        InvalidRequest: it names something else.
    """
    if text is None:
        return None
    names = {name.strip() for name in text.split(",")} - {""}
    if names == LOG:
        return LOG
    if "all" in names:
        return EVENT_GROUPS
    known = ("all", "log", *sorted(EVENT_GROUPS))
    if names & LOG:
        raise InvalidRequest("`events=log` stands alone: the log has everything.")
    for name in sorted(names - EVENT_GROUPS):
        raise InvalidRequest(f"`events` cannot be {name!r}; it is {', '.join(known)}.", hint=_did_you_mean(name, known))
    return frozenset(names)


def shaped(value: dict[str, Any], shape: type[Shape]) -> Shape:
    """A value of this shape.

    Raises:
        InvalidRequest: something in it is wrong; all of it is told.
    """
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        problems = [_problem(each, shape) for each in error.errors(include_url=False, include_context=False)]
        raise InvalidRequest(" ".join(problems), details={"problems": problems}) from None


def _problem(error: ErrorDetails, shape: type[BaseModel]) -> str:
    where = ".".join(str(step) for step in error["loc"])
    if error["type"] == "missing":
        return f"`{where}` is missing."
    if error["type"] == "extra_forbidden":
        return " ".join(
            filter(None, [f"`{where}` is not a key here.", _did_you_mean(where, tuple(shape.model_fields))])
        )
    if error["type"] == "string_pattern_mismatch":
        return f"`{where}` must be 1 to 64 letters, digits, `_`, `.` or `-`."
    told = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"`{where}` {told[0].lower()}{told[1:]}."


def _did_you_mean(word: str, known: Sequence[str]) -> str | None:
    close = get_close_matches(word, known, n=1)
    return f"Did you mean `{close[0]}`?" if close else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _check_depth(value: Any) -> None:
    """Refuse what could be read but not be written again."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        inner = [each for outer in level for each in (outer.values() if isinstance(outer, dict) else outer)]
        level = [each for each in inner if isinstance(each, dict | list)]
        if not level:
            return
    raise RecursionError


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, list):
        return [_scrubbed(each) for each in value]
    if isinstance(value, dict):
        return {_scrubbed(key): _scrubbed(each) for key, each in value.items()}
    return value
