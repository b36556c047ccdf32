"""Scripts for `scripted.py`: what the steps are, and how they are read from a YAML file.

A script is a list of replies, one for each request to the model: a turn that calls tools takes one more for each round of results.
A reply is a list of steps, and a step is a string, which is text, or one of

    {thinking: text}                                  reasoning, before what it is about
    {tool_call: {name: …, arguments: {…}, id: …}}     a call; several in one reply are parallel ones
    {expect: text}                                    a check: the text stands in the message or the results that are answered
    {finish: length}                                  why the answer ends: stop, length or content_filter
    {error: code, message: text}                      the model fails
    {wait_ms: number}                                 a pause

Each call gets a new id unless it has an `id` of its own. `arguments` that are a text stand for what a model wrote that is no JSON
object. A script that shall start again after its last reply is written `{replies: […], repeat: true}`. For example

    - - thinking: A file, then run it.
      - tool_call: {name: write_file, arguments: {path: hello.py, content: print('Hello')}}
      - tool_call: {name: list_files}
    - - expect: hello.py
      - It is there.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from hector_nb.errors import ConfigError, HectorError, ModelError, error_classes
from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.messages import INVALID_ARGUMENTS, ToolCall
from hector_nb.models.base import ModelDelta, ModelFinished

_STEPS = (
    "{thinking: text}, {tool_call: {name, arguments, id}}, {expect: text}, {finish: stop, length or content_filter}, "
    "{error: code, message: text} or {wait_ms: number}"
)


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool, with a new id each time it is played."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Expect:
    """A check: what is answered, which is the last message or the results after the last answer, holds this text."""

    text: str


Step: TypeAlias = ModelDelta | Call | Expect | str | BaseException | asyncio.Event | Wait
"""What happens next: a delta is sent, a `str` is sent as text, an exception is raised, an event is waited for."""


def read_script(path: Path) -> tuple[list[list[Step]], bool]:
    """The replies, and whether they are repeated.

    Raises:
        ConfigError: there is no such file, or it is not a script; all problems at once.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"The script {path} cannot be read: {reason}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"The script {path} is not YAML: {error}") from error
    repeat = False
    if isinstance(document, dict) and set(document) <= {"replies", "repeat"}:
        repeat = document.get("repeat", False)
        document = document.get("replies")
    if not isinstance(document, list) or not isinstance(repeat, bool):
        raise ConfigError(
            f"The script {path} must be a list of replies, or {{replies: [...], repeat: true}}.",
            hint="A reply is a list of steps, for example: - [Hello, ' world']",
        )
    return read_replies(document, f"{path}: "), repeat


def read_replies(replies: Sequence[object], where: str = "") -> list[list[Step]]:
    """Replies of steps that are written as in a YAML file, or are steps already; `where` stands before problems.

    Raises:
        ConfigError: some are none; all problems at once.
    """
    problems: list[str] = []
    read = [_read_reply(reply, f"{where}reply {number}", problems) for number, reply in enumerate(replies, 1)]
    if problems:
        raise ConfigError(problems=problems)
    return read


def _read_reply(reply: object, where: str, problems: list[str]) -> list[Step]:
    if not isinstance(reply, list):
        problems.append(f"{where} must be a list of steps, not {type(reply).__name__}.")
        return []
    steps = []
    for number, raw in enumerate(reply, 1):
        step = _read_step(raw)
        if step is None:
            problems.append(f"{where}, step {number}: {_complaint(raw)}")
        else:
            steps.append(step)
    return steps


def _complaint(raw: object) -> str:
    match raw:
        case {"error": str(code), **rest} if set(rest) <= {"message"} and code not in _model_errors():
            return f"a model has no error {code!r}. There are {', '.join(_model_errors())}."
    return f"{raw!r} is not a step. A step is a string, {_STEPS}."


def _read_step(raw: object) -> Step | None:
    match raw:
        case str():
            return raw
        case {"thinking": str(text), **rest} if not rest:
            return ThinkingDelta(text=text)
        case {"tool_call": {"name": str(name), **call}, **rest} if not rest and set(call) <= {"arguments", "id"}:
            return _tool_call(name, call.get("arguments", {}), call.get("id"))
        case {"expect": str(text), **rest} if not rest:
            return Expect(text)
        case {"finish": "stop" | "length" | "content_filter" as reason, **rest} if not rest:
            return ModelFinished(finish_reason=reason)
        case BaseException() | asyncio.Event() | Wait() | Call() | Expect() | ModelFinished() | ToolCall():
            return raw
        case TextDelta() | ThinkingDelta():
            return raw
        case {"error": str(code), **rest} if set(rest) <= {"message"}:
            return _error(code, rest.get("message"))
        case {"wait_ms": int() | float() as milliseconds, **rest} if not rest and milliseconds >= 0:
            return Wait(milliseconds / 1000)
    return None


def _tool_call(name: str, arguments: object, call_id: object) -> ToolCall | Call | None:
    match arguments:
        case str():
            given: dict[str, Any] = {INVALID_ARGUMENTS: arguments}
        case dict() if all(isinstance(key, str) for key in arguments):
            given = arguments
        case _:
            return None
    if call_id is None:
        return Call(name, given)
    return ToolCall(call_id=call_id, name=name, arguments=given) if isinstance(call_id, str) else None


def _error(code: str, message: object) -> HectorError | None:
    cls = _model_errors().get(code)
    return None if cls is None or not isinstance(message, str | None) else cls(message)


def _model_errors() -> dict[str, type[ModelError]]:
    """What a model may fail with, by its code."""
    return {code: cls for code, cls in error_classes().items() if issubclass(cls, ModelError)}
