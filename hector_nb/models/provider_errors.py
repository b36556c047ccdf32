"""What providers answer when they do not answer, told as `ModelError`s. No I/O; keys are scrubbed from every text."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from hector_nb.errors import (
    ModelError,
    ModelInterrupted,
    ModelRateLimited,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)

LONGEST_QUOTE = 300
_OVERFLOW = re.compile(
    r"context.?(length|window|size)|maximum context|too many (input )?tokens|prompt is too long|input token count|exceed_context",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(
    r"model.{0,80}(not found|does not exist|not exist|unknown|invalid)|invalid model", re.IGNORECASE
)
_BAD_KEY = re.compile(r"api.?key (is )?(not valid|invalid|expired)", re.IGNORECASE)
_STATUS_OF_TYPE = {
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "invalid_request_error": 400,
    "exceed_context_size_error": 400,
    "overloaded_error": 529,
    "server_error": 500,
    "api_error": 500,
}
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf)[-_][A-Za-z0-9_\-*.]{6,}|\bAIza[A-Za-z0-9_\-]{10,}|(?<=Bearer )\S+")


class Failed(Exception):
    """A request failed; `transient` says whether the same request may succeed in `retry_after` seconds (None: soon)."""

    def __init__(self, error: ModelError, *, transient: bool = False, retry_after: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.transient = transient
        self.retry_after = retry_after


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Who failed, in the words that people know: the model, the host, what is expected there, and the variable that holds the key."""

    model: str
    host: str
    key_variable: str | None = None
    unreachable_hint: str | None = None
    unknown_model_hint: str | None = None
    endpoint: str = "an OpenAI-compatible endpoint"
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def scrub(self, text: str) -> str:
        """The text without keys, and not too long to show."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return _KEY_LIKE.sub("***", text)[:LONGEST_QUOTE].strip()

    def bad_status(self, status: int, body: Any, headers: Mapping[str, str]) -> Failed:
        """An HTTP answer that is not 200; `body` is decoded JSON, or text."""
        kind, said = _read_error(body)
        said = self.scrub(said)
        wait = retry_after(headers)
        transient = status in {408, 409, 429} or status >= 500
        if "insufficient_quota" in kind:
            return self.quota_used_up(said)
        return Failed(self._error(status, kind, said, wait), transient=transient, retry_after=wait)

    def quota_used_up(self, said: str) -> Failed:
        """Nothing more is to be had for what was paid; waiting does not help."""
        message = f"`{self.host}` says that the account's quota is used up."
        return Failed(self._refused(message, "Check plan and billing there.", self.scrub(said)))

    def error_in_stream(self, raw: Any) -> Failed:
        """An `error` object where a piece of the answer was due."""
        kind, said = _read_error({"error": raw})
        code = raw.get("code") if isinstance(raw, dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else None
        if status is None:
            status = next((number for name, number in _STATUS_OF_TYPE.items() if name in kind), 0)
        if status:
            return self.bad_status(status, {"error": raw}, {})
        return Failed(ModelError(f"`{self.model}` failed: {self.scrub(said) or 'no reason was given'}"))

    def unreachable(self, reason: str, hint: str | None = None) -> Failed:
        """No connection, for this reason."""
        message = f"`{self.model}` cannot be reached: {reason}."
        return Failed(ModelUnavailable(message, hint=hint or self.unreachable_hint), transient=True)

    def silent(self, seconds: float) -> Failed:
        """No data for so long."""
        message = f"`{self.model}` sent nothing for {seconds:g} s."
        return Failed(ModelTimeout(message, hint="A longer `timeout` in its `llms` entry allows more."))

    def cut(self, *, spoke: bool) -> Failed:
        """The connection ended before the answer did."""
        when = "in the midst of its answer" if spoke else "before its answer"
        return Failed(ModelInterrupted(f"`{self.host}` closed the connection {when}."), transient=not spoke)

    def garbage(self, what: str, sample: bytes = b"") -> Failed:
        """An answer that is not the protocol's."""
        quote = self.scrub(sample[: 2 * LONGEST_QUOTE].decode("utf-8", "replace"))
        hint = f"Does `base_url` point to {self.endpoint}? It sent: {quote}" if quote else None
        return Failed(ModelError(f"`{self.host}` {what}.", hint=hint))

    def missing_key(self) -> ModelRefused:
        """There is no key to send."""
        return ModelRefused(
            f"`{self.model}` needs a key.", hint=f"Set {self.key_variable}, or `api_key` in its `llms` entry."
        )

    def _error(self, status: int, kind: str, said: str, wait: float | None) -> ModelError:
        if status in {401, 403} or (status == 400 and _BAD_KEY.search(said)):
            either = f"{self.key_variable}, or " if self.key_variable else ""
            hint = f"Check {either}`api_key` in its `llms` entry."
            return self._refused(f"`{self.host}` refused the key ({status}).", hint, said)
        if status == 404 or (status == 400 and _UNKNOWN_MODEL.search(said) and not _OVERFLOW.search(said)):
            message = f"`{self.host}` does not know the model `{self.model}`, or not at this address."
            return self._refused(message, self.unknown_model_hint or "Check `model` and `base_url`.", said)
        if status == 413 or (status in {400, 422} and _OVERFLOW.search(f"{kind} {said}")):
            message = f"The conversation is longer than `{self.model}` can read."
            return self._refused(
                message,
                "Send shorter messages, lower `memory.working.budget`, or set `context_window` of the model.",
                said,
            )
        if status == 429:
            return ModelRateLimited(
                f"`{self.host}` asks to slow down." + _quoted(said),
                hint="Try again later." if wait is None else f"Try again in {wait:.0f} s.",
                details=None if wait is None else {"retry_after": wait},
            )
        if status in {408, 504, 524}:
            return ModelTimeout(f"`{self.host}` gave up waiting for `{self.model}` ({status})." + _quoted(said))
        if status in {502, 503, 529}:
            return ModelUnavailable(f"`{self.host}` is overloaded or down ({status})." + _quoted(said))
        if status >= 500:
            return ModelError(f"`{self.host}` failed ({status})." + _quoted(said))
        if 300 <= status < 400:
            return self._refused(
                f"`{self.host}` answered with a redirect ({status}).", "Set `base_url` to its target.", said
            )
        return self._refused(f"`{self.host}` refused the request ({status}).", None, said)

    def _refused(self, message: str, hint: str | None, said: str) -> ModelRefused:
        return ModelRefused(message + _quoted(said), hint=hint)


def _quoted(said: str) -> str:
    return f" It says: {said}" if said else ""


def _read_error(body: Any) -> tuple[str, str]:
    """The error's kind (type and code) and its message, from any of the forms in use."""
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        kind = f"{error.get('type') or ''} {error.get('code') or ''} {error.get('status') or ''}"
        message = error.get("message") or error.get("detail") or ""
        return kind.lower(), message if isinstance(message, str) else str(message)
    text = error if isinstance(error, str) else ""
    return "", "" if text.lstrip().startswith("<") else text


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `Retry-After` (seconds or an HTTP date); None where nothing is said."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        if "Retry-After" not in headers:
            return None
        value = headers["Retry-After"]
        if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
