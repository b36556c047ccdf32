"""The asking half of the OpenAI chat completion protocol: requests become JSON. No I/O.

Spoken by `openai_compatible.py` over HTTP and by `local.py` within the process; the answering half is in `openai_chunks.py`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from hector_nb.messages import Message, ToolCall, ToolSchema
from hector_nb.models.base import ModelRequest
from hector_nb.models.tool_calls import NO_OUTPUT, object_schema, sendable_name


def chat_messages(request: ModelRequest, by: str = "") -> list[dict[str, Any]]:
    """The messages in the protocol's form; answers that were stopped before their first word are left out.

    `by` is who gets them: of the state that answers carry, only what came from there is passed on.
    """
    system = [{"role": "system", "content": request.system}] if request.system else []
    return [*system, *_messages(request.messages, by)]


def _messages(messages: Sequence[Message], by: str) -> Iterator[dict[str, Any]]:
    """Thinking goes back only in the turn under way, where some providers insist on it; of older turns they want none."""
    turn_begins = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    for at, message in enumerate(messages):
        if message.role != "assistant":
            yield _said_or_returned(message)
        elif message.content or message.tool_calls:
            yield _answered(message, _state(message, by), with_thinking=at > turn_begins)


def _state(message: Message, by: str) -> Mapping[str, Any]:
    state = message.provider_state or {}
    return state if state.get("by") == by else {}


def tool_schemas(tools: Sequence[ToolSchema]) -> list[dict[str, Any]]:
    """The tools in the protocol's form."""
    return [{"type": "function", "function": _function(tool)} for tool in tools]


def _function(tool: ToolSchema) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "parameters": object_schema(tool.parameters)}


def to_json(value: Any) -> bytes:
    """UTF-8 JSON; lone surrogates, which UTF-8 has not, become question marks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def parse(data: bytes | str) -> Any:
    """Decoded JSON.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return from_json(data)
    except ValueError:
        return json.loads(data)  # takes the lone surrogates of careless servers


def _said_or_returned(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.content or NO_OUTPUT}
    return {"role": message.role, "content": message.content}


def _answered(message: Message, state: Mapping[str, Any], *, with_thinking: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"role": "assistant", "content": message.content or None}
    if not message.tool_calls:
        return body
    if with_thinking and "reasoning_details" in state:
        body["reasoning_details"] = state["reasoning_details"]
    elif with_thinking and "reasoning_key" in state and message.thinking:
        body[state["reasoning_key"]] = message.thinking
    extras = state.get("extra_content", {})
    body["tool_calls"] = [_call(call, extras.get(call.call_id)) for call in message.tool_calls]
    return body


def _call(call: ToolCall, extra: Any) -> dict[str, Any]:
    arguments = to_json(dict(call.arguments)).decode()  # always an object: many servers decode what they are given
    body = {
        "id": call.call_id,
        "type": "function",
        "function": {"name": sendable_name(call.name), "arguments": arguments},
    }
    return {**body, "extra_content": extra} if extra else body
