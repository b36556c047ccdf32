"""A model that plays a script: for tests, examples and `provider: scripted`.

A script is a list of replies, one for each request; a reply is a list of steps. In a YAML file a step is a string (text), or
one of `{thinking: text}`, `{tool_call: {name: …, arguments: {…}}}`, `{error: code, message: text}` and `{wait_ms: number}`.
A script that shall start again after its last reply is written `{replies: […], repeat: true}`.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import yaml

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import ConfigError, HectorError, ModelError, error_classes
from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.ids import new_id
from hector_nb.messages import ToolCall
from hector_nb.models.base import ModelDelta, ModelFinished, ModelRequest


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause, in seconds."""

    seconds: float


Step: TypeAlias = ModelDelta | str | BaseException | asyncio.Event | Wait
"""What happens next: a delta is sent, a `str` is sent as text, an exception is raised, an event is waited for."""


class ScriptedModel:
    """Plays one reply for each request and keeps the requests.

    Args:
        replies: One sequence of steps for each request. A reply ends with `ModelFinished` by itself.
        name: What people read.
        host: Where the text is said to go.
        context_window: Tokens.
        max_tokens: Tokens.
        encoding: A tiktoken encoding.
        repeat: Start again after the last reply.

    Attributes:
        requests: All requests so far.
        closed: How many answers were left before their end.
    """

    def __init__(
        self,
        replies: Sequence[Sequence[Step]],
        *,
        name: str = "scripted",
        host: str | None = None,
        context_window: int = 8192,
        max_tokens: int = 1024,
        encoding: str | None = None,
        repeat: bool = False,
    ) -> None:
        self.name = name
        self.host = host
        self.context_window = context_window
        self.max_tokens = max_tokens
        self.encoding = encoding
        self.can_call_tools = True
        self.requests: list[ModelRequest] = []
        self.closed = 0
        self._replies = replies
        self._repeat = repeat

    @classmethod
    def from_file(cls, path: Path, **settings: Any) -> Self:
        """A script from a YAML file; `settings` are the constructor's.

        Raises:
            ConfigError: there is no such file, or it is not a script; all problems at once.
        """
        replies, repeat = _read_script(path)
        return cls(replies, repeat=repeat, **settings)

    @classmethod
    def from_config(cls, config: LLMConfig, *, folder: Path) -> Self:
        """The model of an `llms` entry; a relative `model:` is looked up in `folder`.

        Raises:
            ConfigError: there is no script, or it is not one.
        """
        if not config.model:
            raise ConfigError("A scripted model needs a script.", hint="Set `model:` to a YAML file.")
        settings = {"context_window": config.context_window, "max_tokens": config.max_tokens}
        return cls.from_file(
            folder / Path(config.model).expanduser(),
            name=f"scripted {Path(config.model).name}",
            **{key: value for key, value in settings.items() if value is not None},
        )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta]:
        """The next reply of the script."""
        number = len(self.requests)
        self.requests.append(request)
        if self._repeat and self._replies:
            number %= len(self._replies)
        if number >= len(self._replies):
            raise ModelError(f"The script has no reply for request {number + 1}.")
        last = ModelFinished(finish_reason="stop")
        complete = False
        try:
            for step in self._replies[number]:
                if isinstance(step, BaseException):
                    complete = True
                    raise step
                delta = await _play(step)
                if isinstance(delta, ToolCall):
                    last = ModelFinished(finish_reason="tool_calls")
                if isinstance(delta, ModelFinished):
                    last = delta
                    break
                if delta is not None:
                    yield delta
            complete = True
            yield last
        finally:
            self.closed += not complete

    async def aclose(self) -> None:
        """Nothing is held."""

    def assert_finished(self) -> None:
        """Check that the whole script was played.

        Raises:
            AssertionError: replies are left.
        """
        unused = len(self._replies) - len(self.requests)
        if unused > 0:
            raise AssertionError(f"{unused} of the script's {len(self._replies)} replies were not asked for.")


async def _play(step: ModelDelta | str | asyncio.Event | Wait) -> ModelDelta | None:
    match step:
        case str():
            return TextDelta(text=step)
        case asyncio.Event():
            await step.wait()
        case Wait():
            await asyncio.sleep(step.seconds)
        case _:
            return step
    return None


def _read_script(path: Path) -> tuple[list[list[Step]], bool]:
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
    problems: list[str] = []
    replies = [_read_reply(reply, f"{path}: reply {number}", problems) for number, reply in enumerate(document, 1)]
    if problems:
        raise ConfigError(problems=problems)
    return replies, repeat


def _read_reply(reply: object, where: str, problems: list[str]) -> list[Step]:
    if not isinstance(reply, list):
        problems.append(f"{where} must be a list of steps, not {type(reply).__name__}.")
        return []
    steps = []
    for number, raw in enumerate(reply, 1):
        step = _read_step(raw)
        if step is None:
            problems.append(
                f"{where}, step {number}: {raw!r} is not a step. A step is a string, {{thinking: text}}, "
                "{tool_call: {name, arguments}}, {error: code, message: text} or {wait_ms: number}."
            )
        else:
            steps.append(step)
    return steps


def _read_step(raw: object) -> Step | None:
    match raw:
        case str():
            return raw
        case {"thinking": str(text), **rest} if not rest:
            return ThinkingDelta(text=text)
        case {"tool_call": {"name": str(name), **call}, **rest} if not rest and set(call) <= {"arguments"}:
            return _tool_call(name, call.get("arguments", {}))
        case {"error": str(code), **rest} if set(rest) <= {"message"}:
            return _error(code, rest.get("message"))
        case {"wait_ms": int() | float() as milliseconds, **rest} if not rest and milliseconds >= 0:
            return Wait(milliseconds / 1000)
    return None


def _tool_call(name: str, arguments: object) -> ToolCall | None:
    if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
        return None
    return ToolCall(call_id=new_id("call"), name=name, arguments=arguments)


def _error(code: str, message: object) -> HectorError | None:
    cls = error_classes().get(code)
    if cls is None or not issubclass(cls, ModelError) or not isinstance(message, str | None):
        return None
    return cls(message)
