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
    ids: dict[str, str] = {}
    for at, message in enumerate(messages):
        if message.role == "tool":
            call_id = message.call_id or ""
            yield {"role": "tool", "tool_call_id": ids.get(call_id, call_id), "content": message.content or NO_OUTPUT}
        elif message.role == "user":
            yield {"role": "user", "content": message.content}
        elif message.content or message.tool_calls:
            state = _state(message, by)
            ids |= {
                call.call_id: own for call, own in zip(message.tool_calls, state.get("ids", ()), strict=False) if own
            }
            yield _answered(message, state, ids, with_thinking=at > turn_begins)


def _state(message: Message, by: str) -> Mapping[str, Any]:
    """What this provider gave with the answer, if it fits the answer's calls."""
    state = message.provider_state or {}
    return state if state.get("by") == by and len(state.get("ids", ())) == len(message.tool_calls) else {}


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


def _answered(
    message: Message, state: Mapping[str, Any], ids: Mapping[str, str], *, with_thinking: bool
) -> dict[str, Any]:
    body: dict[str, Any] = {"role": "assistant", "content": message.content or None}
    if not message.tool_calls:
        return body
    if with_thinking and "reasoning_details" in state:
        body["reasoning_details"] = state["reasoning_details"]
    elif with_thinking and "reasoning_key" in state and message.thinking:
        body[state["reasoning_key"]] = message.thinking
    extras = state.get("extra_content") or [None] * len(message.tool_calls)
    body["tool_calls"] = [_call(call, ids, extra) for call, extra in zip(message.tool_calls, extras, strict=True)]
    return body


def _call(call: ToolCall, ids: Mapping[str, str], extra: Any) -> dict[str, Any]:
    arguments = to_json(dict(call.arguments)).decode()  # always an object: many servers decode what they are given
    function = {"name": sendable_name(call.name), "arguments": arguments}
    body = {"id": ids.get(call.call_id, call.call_id), "type": "function", "function": function}
    return {**body, "extra_content": extra} if extra else body
