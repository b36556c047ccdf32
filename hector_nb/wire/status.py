"""One table: what each error means to HTTP, WebSocket and gRPC clients, and the one JSON form of an error, to and fro.

A class that is not listed means what its nearest listed parent means. What is too large has the code that gRPC itself gives to a message
above its limit, so that a client knows one.
"""

from typing import Any, NamedTuple

from hector_nb import errors
from hector_nb.errors import HectorError, error_classes
from hector_nb.events import TurnFailed


class Status(NamedTuple):
    """`http` is the response's status, `grpc` the name of the canonical code.

    `close` is the code with which a WebSocket is closed after the error's frame; None leaves it open.
    """

    http: int
    grpc: str
    close: int | None = None


_TABLE: dict[type[HectorError], Status] = {
    HectorError: Status(500, "INTERNAL"),
    errors.ConfigError: Status(503, "FAILED_PRECONDITION", 1013),
    errors.InvalidRequest: Status(422, "INVALID_ARGUMENT"),
    errors.MalformedRequest: Status(400, "INVALID_ARGUMENT"),
    errors.MessageTooLarge: Status(413, "RESOURCE_EXHAUSTED"),
    errors.UnsupportedMediaType: Status(415, "INVALID_ARGUMENT"),
    errors.Forbidden: Status(403, "PERMISSION_DENIED"),
    errors.Unauthenticated: Status(403, "UNAUTHENTICATED"),
    errors.NotFound: Status(404, "NOT_FOUND"),
    errors.Conflict: Status(409, "FAILED_PRECONDITION"),
    errors.SessionBusy: Status(409, "ABORTED"),
    errors.TooManyWaiting: Status(429, "RESOURCE_EXHAUSTED"),
    errors.Unavailable: Status(503, "UNAVAILABLE", 1013),
    errors.ToolUnavailable: Status(502, "UNAVAILABLE"),
    errors.StoreFull: Status(507, "RESOURCE_EXHAUSTED"),
    errors.StoreUnavailable: Status(503, "UNAVAILABLE"),
    errors.ModelError: Status(502, "UNAVAILABLE"),
    errors.ModelTimeout: Status(504, "DEADLINE_EXCEEDED"),
}

_CODES = {400: "malformed_request", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def status_of(error: BaseException) -> Status:
    """What this error means on each wire."""
    for cls in type(error).__mro__:
        if cls in _TABLE:
            return _TABLE[cls]
    return _TABLE[HectorError]


def code_for_http(status: int) -> str:
    """The error code for a status that the web framework gave by itself."""
    return _CODES.get(status, "internal_error" if status >= 500 else "invalid_request")


def error_body(
    code: str, message: str, *, hint: str | None = None, details: dict[str, Any] | None = None
) -> dict[str, Any]:
    """`{"error": {"code", "message", "hint"?, "details"?}}`."""
    body: dict[str, Any] = {"code": code, "message": message}
    if hint:
        body["hint"] = hint
    if details:
        body["details"] = details
    return {"error": body}


def encode_error(error: BaseException) -> dict[str, Any]:
    """The JSON form of an exception; an error of our own making says no more than that it happened."""
    if isinstance(error, HectorError):
        return error_body(error.code, error.message, hint=error.hint, details=error.details)
    return error_body(HectorError.code, "Something went wrong in the server.", hint="The server's log has the details.")


def encode_failure(event: TurnFailed) -> dict[str, Any]:
    """The JSON form of a turn's failure, with `retryable`."""
    body = error_body(event.code, event.message, hint=event.hint)
    body["error"]["retryable"] = event.retryable
    return body


def decode_error(error: Any) -> HectorError | None:
    """The exception that a response's `error` stands for, of the same class as in the server; None: it is none of ours."""
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return None
    cls = error_classes().get(error.get("code", ""), HectorError)
    if cls is errors.ConfigError:
        problems = (error.get("details") or {}).get("problems", ())
        return errors.ConfigError(error["message"], problems=problems, hint=error.get("hint"))
    return cls(error["message"], hint=error.get("hint"), details=error.get("details"))


def decode_failure(error: dict[str, Any]) -> TurnFailed:
    """What `encode_failure` encoded."""
    return TurnFailed(
        code=error["code"],
        message=error["message"],
        hint=error.get("hint"),
        retryable=error.get("retryable", False),
    )
