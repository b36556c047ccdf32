"""What a caller may ask for: the same rules whichever way a request came in, in the words of every way."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, get_args

from hector_nb.approvals import Decision
from hector_nb.errors import InvalidRequest, MessageTooLarge
from hector_nb.service import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES, MAX_TITLE, SendMessage
from hector_nb.sessions import SESSION_ID, STATUSES, IfBusy
from hector_nb.stores.base_sessions import Idempotency

IF_BUSY: tuple[str, ...] = get_args(IfBusy)
DECISIONS: tuple[str, ...] = get_args(Decision)
_ON_DISCONNECT = ("cancel", "continue")
_MOST_EVENTS = 10**12 - 1
"""What the id of an event has room for."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def check_message(request: SendMessage) -> None:
    """Refuse what cannot be a message.

    Raises:
        InvalidRequest: it has no text, or asks for what there is not.
        MessageTooLarge: it has more than 1 MiB.
    """
    if not isinstance(request.message, str):
        raise InvalidRequest("`message` should be a valid string.")
    if not request.message.strip():
        raise InvalidRequest("The message is empty.", hint="Write something, for example: Hello")
    if len(request.message.encode("utf-8", "replace")) > MAX_MESSAGE_BYTES:
        raise MessageTooLarge("The message is larger than 1 MiB.", hint="Send it in parts, or put it in a file.")
    check_choice("if_busy", request.if_busy, IF_BUSY)
    if request.on_disconnect is not None:
        check_choice("on_disconnect", request.on_disconnect, _ON_DISCONNECT)


def check_session(
    *, session_id: str | None = None, title: str | None = None, metadata: Mapping[str, Any] | None = None
) -> None:
    """Refuse what a session cannot be called, or carry.

    Raises:
        InvalidRequest: the id, the title or the metadata is not valid.
        MessageTooLarge: the metadata has more than 64 KiB.
    """
    if session_id is not None and not (isinstance(session_id, str) and SESSION_ID.fullmatch(session_id)):
        raise InvalidRequest("`session_id` must be 1 to 64 letters, digits, `_`, `.` or `-`.")
    if title is not None and not isinstance(title, str):
        raise InvalidRequest("`title` should be a valid string.")
    if title is not None and len(title) > MAX_TITLE:
        raise InvalidRequest(f"`title` string should have at most {MAX_TITLE} characters.")
    if metadata is not None:
        _check_metadata(metadata)


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    if not isinstance(metadata, Mapping):
        raise InvalidRequest("`metadata` should be a valid dictionary.")
    try:
        size = len(json.dumps(dict(metadata), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest("`metadata` must be what JSON can hold.", hint=f"{error}.") from None
    if size > MAX_METADATA_BYTES:
        raise MessageTooLarge(
            "`metadata` is larger than 64 KiB.", hint="Keep large data elsewhere and store where it is."
        )


def check_choice(name: str, given: object, choices: tuple[str, ...]) -> None:
    """Refuse a word that is none of these.

    Raises:
        InvalidRequest: it is another one.
    """
    if given not in choices:
        *others, last = (repr(choice) for choice in choices)
        raise InvalidRequest(f"`{name}` should be {', '.join(others)} or {last}.")


def check_status(status: object) -> None:
    """Refuse a word that is no state of sessions; None: whichever.

    Raises:
        InvalidRequest: it is another one.
    """
    if status is not None and status not in STATUSES:
        raise InvalidRequest(f"`status` must be one of {', '.join(STATUSES)}.")


def check_limit(limit: int) -> None:
    """Refuse to look for nothing.

    Raises:
        InvalidRequest: it is no number from 1.
    """
    if not isinstance(limit, int) or limit < 1:
        raise InvalidRequest("`limit` must be a number from 1.")


def check_after(after: int) -> None:
    """Refuse what cannot be the number of an event, or 0.

    Raises:
        InvalidRequest: it is no number, or out of range.
    """
    if not isinstance(after, int) or not 0 <= after <= _MOST_EVENTS:
        raise InvalidRequest(
            "The id of the last event is not one of ours.",
            hint="`after` is the number of an event, as a stream's `position` has it; 0 is the beginning.",
        )


def idempotency_of(key: str | None, *request: object) -> Idempotency | None:
    """The caller's key with what it stands for.

    Raises:
        InvalidRequest: it is not a key.
    """
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidRequest(
            "This idempotency key is not valid.", hint="Use 1 to 255 ASCII letters, digits and signs, without spaces."
        )
    text = json.dumps(request, sort_keys=True, default=str)
    return Idempotency(key=key, fingerprint=hashlib.sha256(text.encode()).hexdigest())
