"""What went wrong, as a person reads it: what happened, what is kept, what to press. Codes and causes are only in `details`."""

import re
from typing import Any, TypeAlias

from hector_nb.errors import HectorError, error_classes
from hector_nb.events import TurnFailed
from hector_nb.frontends.render import plain, plain_line
from hector_nb.service import AgentInfo

Problem: TypeAlias = dict[str, Any]

_KEPT = "What it had said is kept, and the session is intact."
_NOTHING_LOST = "Your message is kept, and the session is intact."
_SECONDS = re.compile(r"in (\d+) s\b")
_INSIDE = "Something went wrong inside."
_SHORTEST, _LONGEST = 1.0, 120.0
_PAUSES = (5.0, 15.0, 45.0)
"""Seconds before each attempt to get past a rate limit whose length nobody told."""


def problem_of(error: BaseException, info: AgentInfo | None = None) -> Problem:
    """A refused request, or one that failed."""
    if not isinstance(error, HectorError):
        return _problem("internal_error", _INSIDE, "The session is intact. Try again.", type(error).__name__)
    text = " ".join(part for part in (_sentence(error.hint), _advice(error.code)) if part)
    return _problem(
        error.code, _title(error.code, error.message, info), text, _detail(error), retryable=error.retryable
    )


def turn_problem(event: TurnFailed, info: AgentInfo, *, spoke: bool) -> Problem:
    """A turn that failed; `spoke`: a part of its answer is there."""
    kept = _KEPT if spoke else _NOTHING_LOST
    said = _sentence(event.message)
    match event.code:
        case "model_timeout" | "interrupted":
            title, text = (
                ("The model stopped answering." if spoke else f"{_name(info)} does not answer.", f"{said} {kept}")
                if event.code == "model_timeout"
                else ("The answer was cut short.", f"{said} {kept}")
            )
        case "model_unavailable":
            title = f"{_name(info)} cannot be reached."
            why = said.removeprefix(title).removeprefix(f"{title[:-1]}: ")
            text = " ".join(part for part in (why, kept) if part)
        case "model_refused" if "needs a key" in event.message:
            title, text = f"{_name(info)} needs a key.", f"{_sentence(event.hint)} Then run the cell again. {kept}"
        case "model_rate_limited":
            title, text = f"{info.host or _name(info)} asks to slow down.", kept
        case "internal_error":
            title, text = _INSIDE, kept
        case _:
            title, text = said, " ".join(part for part in (_sentence(event.hint), kept) if part)
    details = "\n".join(part for part in (event.message, event.hint, f"({event.code})") if part)
    retryable = event.retryable or event.code in {"interrupted", "internal_error"}
    return _problem(event.code, title, text, details, retryable=retryable)


def retry_after(event: TurnFailed, attempt: int) -> float | None:
    """Seconds until a turn that met a rate limit is tried again by itself; None: it is not. `attempt` counts from 0."""
    if event.code != "model_rate_limited" or attempt >= len(_PAUSES):
        return None
    told = _SECONDS.search(event.hint or "")
    seconds = float(told[1]) if told else _PAUSES[attempt]
    return max(seconds, _SHORTEST) if seconds <= _LONGEST else None


def _problem(code: str, title: str, text: str, details: str, *, retryable: bool = False) -> Problem:
    return {
        "code": code,
        "title": plain_line(title),
        "text": plain_line(text),
        "details": plain(details),
        "retryable": retryable,
        "retry_at": None,
    }


def _title(code: str, message: str, info: AgentInfo | None) -> str:
    if code == "internal_error":
        return _INSIDE
    if code == "model_unavailable" and info:
        return f"{_name(info)} cannot be reached."
    return _sentence(message)


def _advice(code: str) -> str:
    """What to do where the error does not say it."""
    match code:
        case "session_ended":
            return "Continue in a fork."
        case "session_not_found":
            return "It was deleted. Begin a new session."
        case "too_many_waiting":
            return "Wait until an answer is there."
        case "store_error" | "store_full":
            return "What is stored is intact."
    return ""


def _detail(error: HectorError) -> str:
    known = error.code if error.code in error_classes() else type(error).__name__
    return "\n".join(part for part in (error.message, error.hint, f"({known})") if part)


def _name(info: AgentInfo) -> str:
    return info.model


def _sentence(text: str | None) -> str:
    """Text as a sentence, without the marks of code."""
    line = plain_line(text or "").replace("`", "")
    return line if not line or line[-1] in ".!?…:)" else f"{line}."
