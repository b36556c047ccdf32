"""Gemini's streamGenerateContent as it is on the wire: the chunks of a stream and the bodies of errors, for `FakeUpstream`."""

import base64
import json
from typing import Any

from tests.fakes.upstream import Behaviour, send, status

NAME = "google"
PATH = "/v1beta/models/fake:streamGenerateContent"


def sign(signature: str) -> str:
    """Signatures are bytes in base64."""
    return base64.b64encode(signature.encode()).decode()


def chunk(*parts: dict[str, Any], reason: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    """One chunk of a stream."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    counted = usage or {"promptTokenCount": 25, "totalTokenCount": 25}
    return event({"candidates": [candidate], "usageMetadata": counted, "modelVersion": "fake", "responseId": "r1"})


def event(body: Any) -> bytes:
    return f"data: {json.dumps(body, ensure_ascii=False)}\r\n\r\n".encode()


def text(*pieces: str) -> list[bytes]:
    return [chunk({"text": piece}) for piece in pieces]


def thinking(*pieces: str) -> list[bytes]:
    return [chunk({"text": piece, "thought": True}) for piece in pieces]


def call(
    name: str, arguments: dict[str, Any], *, call_id: str | None = None, signature: str | None = None
) -> list[bytes]:
    function = {"name": name, "args": arguments} | ({"id": call_id} if call_id else {})
    return [chunk({"functionCall": function} | ({"thoughtSignature": sign(signature)} if signature else {}))]


def end(reason: str = "STOP") -> list[bytes]:
    usage = {"promptTokenCount": 25, "candidatesTokenCount": 9, "thoughtsTokenCount": 3, "totalTokenCount": 37}
    return [chunk({"text": ""}, reason=reason, usage=usage)]


def answer(*groups: list[bytes], reason: str = "STOP") -> Behaviour:
    """A whole answer."""
    return send(*(piece for group in groups for piece in group), *end(reason))


def plain(*pieces: str) -> Behaviour:
    """An answer of text alone."""
    return answer(text(*pieces))


def beginning(*pieces: str) -> list[bytes]:
    """The first bytes of an answer that does not end."""
    return text(*pieces)


def error(code: int, state: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": state, "details": list(details)}}


def overloaded_in_stream() -> bytes:
    return event(error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."))


_RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
_BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
_PER_DAY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}
_TOO_LONG = "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."
ERRORS: dict[str, Behaviour] = {
    "bad key": status(400, error(400, "INVALID_ARGUMENT", "API key not valid: secret-key", _BAD_KEY)),
    "rate limit": status(429, error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", _RETRY)),
    "overloaded": status(503, error(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")),
    "failed": status(500, error(500, "INTERNAL", "An internal error has occurred.")),
    "too long": status(400, error(400, "INVALID_ARGUMENT", _TOO_LONG)),
    "unknown model": status(404, error(404, "NOT_FOUND", "models/fake is not found for API version v1beta")),
    "no credit": status(429, error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", _PER_DAY)),
    "refused": status(400, error(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")),
}
