"""What `pydantic-ai-slim` and the SDKs below it raise, told as `Failed`. Imported only where they are installed."""

import socket

from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
)

from hector_nb.errors import ModelError
from hector_nb.models.provider_errors import Failed, Provider

_NO_CONNECTION = ("connect", "pool")


def translated(error: Exception, words: Provider, *, silence: float, spoke: bool) -> Failed:
    """The failure in our words. `silence` is the longest that was allowed, in seconds; `spoke` tells whether deltas had come."""
    match error:
        case ModelTimeoutError() if error.phase not in _NO_CONNECTION:
            return words.silent(silence)
        case ModelTimeoutError():
            return words.unreachable(f"`{words.host}` did not answer")
        case ModelConnectionError() if error.phase in _NO_CONNECTION:
            return _not_connected(_innermost(error), words)
        case ModelConnectionError():
            return words.cut(spoke=spoke)
        case ModelQuotaExceededError():
            return words.quota_used_up(_said(error.body))
        case ModelHTTPError():
            wait = error.retry_after
            return words.bad_status(error.status_code, error.body, {} if wait is None else {"Retry-After": f"{wait:f}"})
        case ModelAPIError() if error.in_stream:
            return words.error_in_stream(error.body.get("error") if isinstance(error.body, dict) else error.body)
        case UnexpectedModelBehavior():
            return words.cut(spoke=spoke)
        case ModelAPIError():
            return words.garbage("sent something that is not an answer", error.message.encode())
    return Failed(ModelError(f"`{words.model}` failed ({type(error).__name__}): {words.scrub(str(error))}"))


def _said(body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("message") or "") if isinstance(error, dict) else ""


def _not_connected(reason: BaseException, words: Provider) -> Failed:
    if isinstance(reason, ConnectionRefusedError):
        return words.unreachable(f"`{words.host}` refused the connection")
    if isinstance(reason, socket.gaierror):
        return words.unreachable(f"the name `{words.host}` is not known", "Check `base_url` and the network.")
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return words.unreachable(f"`{words.host}` could not be connected ({text})")


def _innermost(error: BaseException) -> BaseException:
    """The reason below all wrapping."""
    while below := error.__cause__ or error.__context__:
        error = below
    return error
