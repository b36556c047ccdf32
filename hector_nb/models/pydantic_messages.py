"""Our messages as those of `pydantic-ai-slim`, and back. Imported only where it is installed.

Providers sign what they thought before a call and refuse the call's result without it. What was signed is kept beside the message
as `provider_state`: the order of the parts, their lengths, signatures and ids. Texts and arguments are the message's own, which may
have given its calls other ids.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.messages import ModelRequest as PydanticRequest
from pydantic_ai.tools import ToolDefinition

from hector_nb.messages import Message, ToolCall, ToolSchema
from hector_nb.models.base import ModelRequest
from hector_nb.models.tool_calls import NO_OUTPUT, object_schema, read_arguments, sendable_name


def offered(tools: Sequence[ToolSchema]) -> list[ToolDefinition]:
    """The tools."""
    return [
        ToolDefinition(
            name=tool.name, description=tool.description or None, parameters_json_schema=object_schema(tool.parameters)
        )
        for tool in tools
    ]


def called_before(messages: Sequence[Message]) -> list[ToolDefinition]:
    """Tools that were called, for requests that offer none any more: Anthropic refuses to see calls of tools that it is not told of."""
    names = dict.fromkeys(sendable_name(call.name) for message in messages for call in message.tool_calls)
    return [ToolDefinition(name=name, parameters_json_schema=object_schema({})) for name in names]


def asked(request: ModelRequest, *, by: str) -> list[ModelMessage]:
    """The messages for the provider `by`; neighbouring results and questions are one message."""
    messages: list[ModelMessage] = []
    waiting: list[ModelRequestPart] = []
    made: dict[str, ToolCallPart] = {}
    turn_begins = max((at for at, each in enumerate(request.messages) if each.role == "user"), default=-1)
    for at, message in enumerate(request.messages):
        if message.role != "assistant":
            waiting.append(_question_or_result(message, made))
            continue
        state = message.provider_state or {}
        # Anthropic binds thinking to what stands before it, which changes from turn to turn; Google does not.
        usable = state.get("by") == by and (by != "anthropic" or at > turn_begins)
        if parts := list(_answer_parts(message, state if usable else {}, by)):
            calls = [part for part in parts if isinstance(part, ToolCallPart)]
            made |= {call.call_id: part for call, part in zip(message.tool_calls, calls, strict=True)}
            if waiting:
                messages.append(PydanticRequest(parts=waiting))
                waiting = []
            messages.append(ModelResponse(parts=parts, provider_name=by))
    messages.append(PydanticRequest(parts=waiting, instructions=request.system or None))
    return messages


def called(response: ModelResponse, *, cut: bool) -> list[ToolCall]:
    """The calls of an answer, of which the last may have been `cut` at the answer's limit."""
    parts = [part for part in response.parts if isinstance(part, ToolCallPart)]
    return [
        ToolCall(
            call_id=part.tool_call_id,
            name=part.tool_name,
            arguments=part.args
            if isinstance(part.args, dict)
            else read_arguments(part.args or "", cut=cut and part is parts[-1]),
        )
        for part in parts
    ]


def kept(response: ModelResponse, *, by: str) -> dict[str, Any] | None:
    """What the provider `by` wants back with this answer; only calls need it."""
    parts = [each for part in response.parts if (each := _kept_part(part))]
    return {"by": by, "parts": parts} if any("call" in each for each in parts) else None


def _kept_part(part: ModelResponsePart) -> dict[str, Any] | None:
    match part:
        case ThinkingPart():
            place: dict[str, Any] = {"thinking": len(part.content), "id": part.id, "signature": part.signature}
        case TextPart():
            place = {"text": len(part.content)}
        case ToolCallPart():
            place = {"call": part.tool_call_id}
        case _:
            return None
    thought = (part.provider_details or {}).get("thought_signature")
    place["details"] = {"thought_signature": thought} if thought else None
    return {key: value for key, value in place.items() if value is not None}


def _question_or_result(message: Message, made: Mapping[str, ToolCallPart]) -> ModelRequestPart:
    if message.role == "user":
        return UserPromptPart(content=message.content)
    call = made.get(message.call_id or "")
    return ToolReturnPart(
        tool_name=call.tool_name if call else "unnamed",
        content=message.content or NO_OUTPUT,
        tool_call_id=call.tool_call_id if call else message.call_id or "",
        outcome="failed" if message.is_error else "success",
    )


def _answer_parts(message: Message, state: Mapping[str, Any], by: str) -> Iterator[ModelResponsePart]:
    """Text, the calls in their order and, where it was signed, thinking."""
    parts = state.get("parts", [])
    if not _fits(parts, message):
        if message.content.strip():
            yield TextPart(content=message.content)
        yield from (_call_part(call, call.call_id) for call in message.tool_calls)
        return
    calls = iter(message.tool_calls)
    text = thinking = 0
    for part in parts:
        signed = {"provider_name": by, "provider_details": part.get("details")}
        if "thinking" in part:
            content = message.thinking[thinking : (thinking := thinking + part["thinking"])]
            yield ThinkingPart(content=content, id=part.get("id"), signature=part.get("signature"), **signed)
        elif "text" in part:
            yield TextPart(content=message.content[text : (text := text + part["text"])], **signed)
        else:
            yield _call_part(next(calls), part["call"], **signed)


def _fits(parts: Sequence[Mapping[str, Any]], message: Message) -> bool:
    """Whether the message is still what was signed; it may have been changed since."""
    lengths = [sum(part.get(kind, 0) for part in parts) for kind in ("text", "thinking")]
    calls = sum("call" in part for part in parts)
    return [*lengths, calls] == [len(message.content), len(message.thinking), len(message.tool_calls)]


def _call_part(call: ToolCall, call_id: str, **signed: Any) -> ToolCallPart:
    return ToolCallPart(tool_name=sendable_name(call.name), args=dict(call.arguments), tool_call_id=call_id, **signed)
