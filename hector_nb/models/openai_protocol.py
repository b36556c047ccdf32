"""The OpenAI chat completion protocol as values: requests to JSON, streamed chunks to deltas. No I/O.

Spoken by `openai_compatible.py` over HTTP and by `local.py` within the process.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.ids import new_id
from hector_nb.messages import INVALID_ARGUMENTS, Message, ToolCall, ToolSchema, Usage
from hector_nb.models.base import ModelDelta, ModelFinish, ModelFinished, ModelRequest

_FINISH: Mapping[str, ModelFinish] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


def chat_messages(request: ModelRequest) -> list[dict[str, Any]]:
    """The messages in the protocol's form; answers that were stopped before their first word are left out."""
    system = [{"role": "system", "content": request.system}] if request.system else []
    return system + [_message(message) for message in request.messages if _says_something(message)]


def tool_schemas(tools: Sequence[ToolSchema]) -> list[dict[str, Any]]:
    """The tools in the protocol's form."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in tools
    ]


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


def _says_something(message: Message) -> bool:
    return message.role != "assistant" or bool(message.content or message.tool_calls)


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.content}
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        body["content"] = message.content or None
        body["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": to_json(dict(call.arguments)).decode()},
            }
            for call in message.tool_calls
        ]
    return body


@dataclass(slots=True)
class _PartialCall:
    call_id: str = ""
    name: str = ""
    arguments: str = ""

    def whole(self) -> ToolCall:
        return ToolCall(call_id=self.call_id or new_id("call"), name=self.name, arguments=_arguments(self.arguments))


def _arguments(raw: str) -> Mapping[str, Any]:
    try:
        value = parse(raw) if raw.strip() else {}
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {INVALID_ARGUMENTS: raw}


class ChunkReader:
    """Turns the chunks of one answer into deltas.

    Attributes:
        spoke: Whether any delta has come.
        finish_reason: What the provider said of the end, None before.
    """

    def __init__(self) -> None:
        self.spoke = False
        self.finish_reason: str | None = None
        self._usage: Usage | None = None
        self._calls: list[_PartialCall] = []
        self._slots: dict[int, _PartialCall] = {}

    def read(self, chunk: Mapping[str, Any], into: list[ModelDelta]) -> None:
        """Append what this chunk says to `into`. Shapes that the protocol does not have are passed over."""
        usage = chunk.get("usage")
        if usage:
            self._usage = _usage(usage) or self._usage
        choices = chunk.get("choices")
        if not choices or not isinstance(choices, list) or not isinstance(choices[0], dict):
            return
        choice = choices[0]
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            self._read_delta(delta, into)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self.finish_reason = reason

    def finish(self) -> list[ModelDelta]:
        """What remains to be said: the tool calls, now whole, and the end."""
        reason = _FINISH.get((self.finish_reason or "stop").lower(), "stop")
        calls = [call.whole() for call in self._calls]
        if calls and reason == "stop":
            reason = "tool_calls"
        return [*calls, ModelFinished(finish_reason=reason, usage=self._usage)]

    def _read_delta(self, delta: Mapping[str, Any], into: list[ModelDelta]) -> None:
        thinking = delta.get("reasoning_content") or delta.get("reasoning")
        if thinking and isinstance(thinking, str):
            into.append(ThinkingDelta(text=_well_formed(thinking)))
            self.spoke = True
        text = delta.get("content")
        if text and isinstance(text, str):
            into.append(TextDelta(text=_well_formed(text)))
            self.spoke = True
        calls = delta.get("tool_calls")
        if calls and isinstance(calls, list):
            for call in calls:
                if isinstance(call, dict):
                    self._read_call(call)

    def _read_call(self, piece: Mapping[str, Any]) -> None:
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        call = self._slot(piece.get("index"), str(piece.get("id") or ""))
        call.name = call.name or str(function.get("name") or "")
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments)
        if isinstance(arguments, str):
            call.arguments += arguments
        self.spoke = True

    def _slot(self, index: object, call_id: str) -> _PartialCall:
        """The call that a piece belongs to. Some providers send no index, or 0 for every call: then a new id is a new call."""
        key = index if isinstance(index, int) else 0
        call = self._slots.get(key)
        if call is None or (call_id and call.call_id and call_id != call.call_id):
            call = self._slots[key] = _PartialCall()
            self._calls.append(call)
        call.call_id = call.call_id or call_id
        return call


def _usage(raw: object) -> Usage | None:
    if not isinstance(raw, dict):
        return None
    prompt, completion = raw.get("prompt_tokens"), raw.get("completion_tokens")
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion)


def _well_formed(text: str) -> str:
    """Without lone surrogates, which no store and no wire could take."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
