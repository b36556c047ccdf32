"""Anthropic's Messages API as it is on the wire: the events of a stream and the bodies of errors, for `FakeUpstream`."""

import json
from typing import Any

from tests.fakes.upstream import Behaviour, send, status

NAME = "anthropic"
PATH = "/v1/messages"


def event(kind: str, **body: Any) -> bytes:
    """One event."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **body}, ensure_ascii=False)}\n\n".encode()


def begin(input_tokens: int = 25) -> bytes:
    """The opening event, which knows the prompt's size."""
    message = {
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": [],
        "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": input_tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1},
    }  # fmt: skip
    return event("message_start", message=message) + event("ping")


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[bytes]:
    """One content block, an event for each delta."""
    return [
        event("content_block_start", index=index, content_block=start),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def text(index: int, *pieces: str) -> list[bytes]:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def thinking(index: int, signature: str, *pieces: str) -> list[bytes]:
    return block(
        index,
        {"type": "thinking", "thinking": "", "signature": ""},
        *({"type": "thinking_delta", "thinking": piece} for piece in pieces),
        {"type": "signature_delta", "signature": signature},
    )


def redacted(index: int, data: str) -> list[bytes]:
    return block(index, {"type": "redacted_thinking", "data": data})


def call(index: int, call_id: str, name: str, *pieces: str) -> list[bytes]:
    return block(
        index,
        {"type": "tool_use", "id": call_id, "name": name, "input": {}},
        *({"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)),
    )


def end(reason: str | None = "end_turn", output_tokens: int = 12) -> list[bytes]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [event("message_delta", delta=delta, usage={"output_tokens": output_tokens}), event("message_stop")]


def answer(*blocks: list[bytes], reason: str = "end_turn") -> Behaviour:
    """A whole answer."""
    return send(begin(), *(piece for each in blocks for piece in each), *end(reason))


def plain(*pieces: str) -> Behaviour:
    """An answer of text alone."""
    return answer(text(0, *pieces))


def beginning(*pieces: str) -> list[bytes]:
    """The first bytes of an answer that does not end."""
    return [begin(), *text(0, *pieces)[:-1]]


def error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def overloaded_in_stream() -> bytes:
    return event("error", error={"type": "overloaded_error", "message": "Overloaded"})


ERRORS: dict[str, Behaviour] = {
    "bad key": status(401, error("authentication_error", "invalid x-api-key: secret-key")),
    "rate limit": status(429, error("rate_limit_error", "Too many requests"), {"Retry-After": "7"}),
    "overloaded": status(529, error("overloaded_error", "Overloaded")),
    "failed": status(500, error("api_error", "Internal server error")),
    "too long": status(400, error("invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum")),
    "unknown model": status(404, error("not_found_error", "model: fake")),
    "no credit": status(400, error("invalid_request_error", "Your credit balance is too low to access the API.")),
    "refused": status(400, error("invalid_request_error", "messages: at least one message is required")),
}
