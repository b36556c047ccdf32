"""The answering half of the OpenAI chat completion protocol: streamed chunks become deltas. No I/O.

Servers that say they speak it differ most in tool calls: with or without index, id and finish reason, in one piece or in many, and
in the old form `function_call`. All of them are read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.ids import new_id
from hector_nb.messages import INVALID_ARGUMENTS, ToolCall, Usage
from hector_nb.models.base import ModelDelta, ModelFinish, ModelFinished
from hector_nb.models.tool_calls import read_arguments

_FINISH: Mapping[str, ModelFinish] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class ChunkReader:
    """Turns the chunks of one answer into deltas.

    Args:
        by: Who answers; marks the state that only this provider gets back.

    Attributes:
        spoke: Whether any delta has come.
        finish_reason: What the provider said of the end, None before.
    """

    def __init__(self, by: str = "") -> None:
        self.spoke = False
        self.finish_reason: str | None = None
        self._by = by
        self._usage: Usage | None = None
        self._calls = _Calls()
        self._reasoning_key: str | None = None
        self._reasoning_details: list[dict[str, Any]] = []

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
        calls = self._calls.whole(cut=reason == "length")
        if calls and reason == "stop":
            reason = "tool_calls"
        state = {"by": self._by, **self._calls.state(), **self._reasoning_state()} if calls else None
        return [*calls, ModelFinished(finish_reason=reason, usage=self._usage, provider_state=state)]

    def _read_delta(self, delta: Mapping[str, Any], into: list[ModelDelta]) -> None:
        for key in ("reasoning_content", "reasoning"):
            thinking = delta.get(key)
            if thinking and isinstance(thinking, str):
                self._reasoning_key = key
                self._think(thinking, into)
                break
        text = delta.get("content") or delta.get("refusal")
        if text and isinstance(text, str):
            into.append(TextDelta(text=_well_formed(text)))
            self.spoke = True
        elif text:
            self._read_parts(text, into)
        calls = delta.get("tool_calls") or delta.get("function_call")
        if calls:
            self.spoke = self._calls.read(calls) or self.spoke
        details = delta.get("reasoning_details")
        if details and isinstance(details, list):
            self._keep_details(details)

    def _read_parts(self, parts: object, into: list[ModelDelta]) -> None:
        """Content that is a list, as Mistral's reasoning models send it."""
        for part in parts if isinstance(parts, list) else ():
            match part:
                case {"type": "text", "text": str(text)} if text:
                    into.append(TextDelta(text=_well_formed(text)))
                    self.spoke = True
                case {"type": "thinking", "thinking": list(thoughts)}:
                    self._think("".join(each["text"] for each in thoughts if _is_text(each)), into)

    def _think(self, text: str, into: list[ModelDelta]) -> None:
        if text:
            into.append(ThinkingDelta(text=_well_formed(text)))
            self.spoke = True

    def _keep_details(self, details: list[Any]) -> None:
        """OpenRouter's form of signed reasoning; pieces of one block become one."""
        for piece in details:
            if not isinstance(piece, dict):
                continue
            last = self._reasoning_details[-1] if self._reasoning_details else {}
            if last and all(last.get(key) == piece.get(key) for key in ("type", "index")):
                joined = {key: last.get(key, "") + piece[key] for key in ("text", "summary", "data") if piece.get(key)}
                last.update({key: value for key, value in piece.items() if value is not None} | joined)
            else:
                self._reasoning_details.append(dict(piece))

    def _reasoning_state(self) -> dict[str, Any]:
        if self._reasoning_details:
            return {"reasoning_details": self._reasoning_details}
        return {"reasoning_key": self._reasoning_key} if self._reasoning_key else {}


@dataclass(slots=True)
class _PartialCall:
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    extra: Any = None

    @property
    def complete(self) -> bool:
        """Whether no more arguments can follow."""
        return INVALID_ARGUMENTS not in read_arguments(self.arguments or "-")


@dataclass(slots=True)
class _Calls:
    """The calls of one answer, put together from their pieces."""

    _calls: list[_PartialCall] = field(default_factory=list)
    _by_index: dict[int, _PartialCall] = field(default_factory=dict)

    def read(self, pieces: object) -> bool:
        """Take in pieces, of several calls or, in the old form, of the only one; False where there is none."""
        some = False
        for piece in pieces if isinstance(pieces, list) else [{"index": 0, "function": pieces}]:
            match piece:
                case {"function": dict(function)}:
                    self._read_piece(piece, function)
                    some = True
        return some

    def whole(self, *, cut: bool) -> list[ToolCall]:
        """The calls, of which the last may have been `cut` at the answer's limit."""
        calls: list[ToolCall] = []
        taken = {""}
        for partial in self._calls:
            arguments = read_arguments(partial.arguments, cut=cut and partial is self._calls[-1])
            if partial.call_id in taken:
                partial.call_id = ""
            taken.add(partial.call_id)
            calls.append(ToolCall(call_id=partial.call_id or new_id("call"), name=partial.name, arguments=arguments))
        return calls

    def state(self) -> dict[str, Any]:
        """What the provider wants back with its calls, in their order: its own ids, and what else it gave beside them."""
        state: dict[str, Any] = {"ids": [call.call_id for call in self._calls]}
        if any(call.extra for call in self._calls):
            state["extra_content"] = [call.extra for call in self._calls]
        return state

    def _read_piece(self, piece: Mapping[str, Any], function: Mapping[str, Any]) -> None:
        name, call_id = str(function.get("name") or ""), str(piece.get("id") or "")
        call = self._call_of(piece.get("index"), name, call_id)
        call.call_id = call.call_id or call_id
        call.name = call.name or name
        call.extra = piece.get("extra_content") or call.extra
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments)
        if isinstance(arguments, str):
            call.arguments += arguments

    def _call_of(self, index: object, name: str, call_id: str) -> _PartialCall:
        """The call that a piece belongs to: the one with its index, else the last one.

        Some servers send no index, or 0 for every call; then another id begins a new call, and so does a name after whole arguments.
        """
        call = self._by_index.get(index) if isinstance(index, int) else self._calls[-1] if self._calls else None
        if call is None or _begins_another(call, name, call_id):
            call = _PartialCall()
            self._calls.append(call)
        if isinstance(index, int):
            self._by_index[index] = call
        return call


def _begins_another(call: _PartialCall, name: str, call_id: str) -> bool:
    if call_id or call.call_id:
        return bool(call_id and call.call_id) and call_id != call.call_id
    return bool(name and call.name and call.complete)


def _usage(raw: object) -> Usage | None:
    if not isinstance(raw, dict):
        return None
    prompt, completion = raw.get("prompt_tokens"), raw.get("completion_tokens")
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion)


def _is_text(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _well_formed(text: str) -> str:
    """Without lone surrogates, which no store and no wire could take."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
