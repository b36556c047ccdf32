"""Every error that a caller can see.

    HectorError
    ├── ConfigError               the configuration cannot be used (carries every problem found)
    ├── InvalidRequest            the request is understood and wrong (`invalid_request`)
    │   ├── MalformedRequest      not JSON, or not an object
    │   ├── MessageTooLarge       larger than the limit
    │   └── UnsupportedMediaType  a body that is not declared as JSON
    ├── Forbidden                 the caller may not do this
    │   └── Unauthenticated       nobody knows the caller
    ├── NotFound                  no such thing, or somebody else's
    │   ├── AgentNotFound
    │   ├── SessionNotFound
    │   ├── TurnNotFound
    │   ├── MessageNotFound
    │   ├── MemoryNotFound
    │   └── ApprovalNotFound
    ├── Conflict                  the state of the thing does not allow this now
    │   ├── SessionEnded          ended or expired
    │   └── SessionBusy           a turn is running and the caller asked not to wait
    ├── TooManyWaiting            the session's queue is full
    ├── Unavailable               the service cannot work now (broken configuration, shutting down)
    ├── ToolUnavailable           a tool of the agent cannot be used at all (its server does not start, its function is not there)
    ├── StoreError                the database cannot be read or written
    │   ├── StoreFull             no room left
    │   └── StoreUnavailable      its server cannot be reached, or does not answer in time
    └── ModelError                the model failed (`model_error`)
        ├── ModelUnavailable      the model cannot be reached or is not installed
        ├── ModelRefused          key or request refused by the provider
        ├── ModelRateLimited      the provider asks to slow down
        ├── ModelInterrupted      the answer was cut, or the process that held the turn died
        └── ModelTimeout          no data in time

The class docstring is the default message; `hint` says what to do next. Each class has a stable `code`,
which is what travels; `wire/status.py` maps classes to HTTP, WebSocket and gRPC. Vendor errors stop at the
adapter that met them (`raise … from`).
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar, Self


class HectorError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str | None = None, *, hint: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        self.message = message or (type(self).__doc__ or "").split("\n", 1)[0]
        self.hint = hint
        self.details = dict(details) if details else None
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ConfigError(HectorError):
    """The configuration cannot be used."""

    code = "config_error"

    def __init__(self, message: str | None = None, *, problems: Sequence[str] = (), hint: str | None = None) -> None:
        self.problems = tuple(problems)
        text = message or "\n".join(self.problems) or None
        super().__init__(text, hint=hint, details={"problems": list(self.problems)} if self.problems else None)


class InvalidRequest(HectorError):
    """The request is not valid."""

    code = "invalid_request"


class MalformedRequest(InvalidRequest):
    """The body must be a JSON object."""

    code = "malformed_request"


class MessageTooLarge(InvalidRequest):
    """The message is too large."""

    code = "too_large"


class UnsupportedMediaType(InvalidRequest):
    """A body must be JSON, with the header `Content-Type: application/json`."""

    code = "unsupported_media_type"


class Forbidden(HectorError):
    """This is not allowed."""

    code = "forbidden"


class Unauthenticated(Forbidden):
    """This needs a token."""

    code = "unauthenticated"


class NotFound(HectorError):
    """There is no such thing."""

    code = "not_found"


class AgentNotFound(NotFound):
    """There is no such agent."""

    code = "agent_not_found"

    @classmethod
    def among(cls, name: str, known: Iterable[str]) -> Self:
        """The error for a name that none of the configured agents has."""
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        told = f"There is no agent {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
        return cls(told, hint=f"Configured agents: {', '.join(names) or 'none'}.")


class SessionNotFound(NotFound):
    """There is no such session."""

    code = "session_not_found"


class TurnNotFound(NotFound):
    """There is no such turn."""

    code = "turn_not_found"


class MessageNotFound(NotFound):
    """There is no such message."""

    code = "message_not_found"


class MemoryNotFound(NotFound):
    """There is no such memory."""

    code = "memory_not_found"


class ApprovalNotFound(NotFound):
    """No such call waits for an approval."""

    code = "approval_not_found"


class Conflict(HectorError):
    """This conflicts with the present state."""

    code = "conflict"


class SessionEnded(Conflict):
    """This session has ended."""

    code = "session_ended"


class SessionBusy(Conflict):
    """This session is busy with another turn."""

    code = "session_busy"
    retryable = True


class TooManyWaiting(HectorError):
    """Too many messages are waiting in this session."""

    code = "too_many_waiting"
    retryable = True


class Unavailable(HectorError):
    """The service cannot work now."""

    code = "unavailable"
    retryable = True


class ToolUnavailable(HectorError):
    """A tool cannot be used."""

    code = "tool_unavailable"
    retryable = True


class StoreError(HectorError):
    """The database cannot be read or written."""

    code = "store_error"


class StoreFull(StoreError):
    """The database has no room left."""

    code = "store_full"


class StoreUnavailable(StoreError):
    """The database cannot be reached."""

    code = "store_unavailable"
    retryable = True


class ModelError(HectorError):
    """The model failed."""

    code = "model_error"
    retryable = True


class ModelUnavailable(ModelError):
    """The model cannot be reached."""

    code = "model_unavailable"


class ModelRefused(ModelError):
    """The model's provider refused the request."""

    code = "model_refused"
    retryable = False


class ModelRateLimited(ModelError):
    """The model's provider asks to slow down."""

    code = "model_rate_limited"


class ModelInterrupted(ModelError):
    """The answer was cut short."""

    code = "interrupted"


class ModelTimeout(ModelError):
    """The model did not answer in time."""

    code = "model_timeout"


def error_classes() -> dict[str, type[HectorError]]:
    """Every error class by its code, for clients that turn a code back into an exception."""
    found: dict[str, type[HectorError]] = {}
    waiting: list[type[HectorError]] = [HectorError]
    while waiting:
        cls = waiting.pop()
        found[cls.code] = cls
        waiting.extend(cls.__subclasses__())
    return found
