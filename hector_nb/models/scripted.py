"""A model that plays a script: for tests, examples and `provider: scripted`. The form of scripts is told in `scripts.py`.

It fails where a request comes that the script does not have, or where it is not the one that the script expects; tests find
replies that nobody asked for with `assert_finished`.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Self

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import ConfigError, ModelError
from hector_nb.events import TextDelta
from hector_nb.ids import new_id
from hector_nb.messages import ToolCall
from hector_nb.models.base import ModelDelta, ModelFinished, ModelRequest
from hector_nb.models.scripts import Call as Call
from hector_nb.models.scripts import Expect as Expect
from hector_nb.models.scripts import Step as Step
from hector_nb.models.scripts import Wait as Wait
from hector_nb.models.scripts import read_script


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
        replies, repeat = read_script(path)
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
        complete = False
        try:
            async with aclosing(self._play(self._replies[number], request)) as deltas:
                async for delta in deltas:
                    complete = isinstance(delta, ModelFinished)
                    yield delta
        except Exception:
            complete = True
            raise
        finally:
            self.closed += not complete

    async def _play(self, reply: Sequence[Step], request: ModelRequest) -> AsyncGenerator[ModelDelta]:
        last = ModelFinished(finish_reason="stop")
        for step in reply:
            if isinstance(step, BaseException):
                raise step
            delta = await _play(step, request)
            if isinstance(delta, ToolCall):
                last = ModelFinished(finish_reason="tool_calls")
            if isinstance(delta, ModelFinished):
                last = delta
                break
            if delta is not None:
                yield delta
        yield last

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


async def _play(
    step: ModelDelta | Call | Expect | str | asyncio.Event | Wait, request: ModelRequest
) -> ModelDelta | None:
    match step:
        case str():
            return TextDelta(text=step)
        case Call():
            return ToolCall(call_id=new_id("call"), name=step.name, arguments=step.arguments)
        case Expect():
            _check(step, request)
        case asyncio.Event():
            await step.wait()
        case Wait():
            await asyncio.sleep(step.seconds)
        case _:
            return step
    return None


def _check(expected: Expect, request: ModelRequest) -> None:
    answers = [at for at, message in enumerate(request.messages) if message.role == "assistant"]
    new = [message.content for message in request.messages[answers[-1] + 1 if answers else 0 :]]
    if not any(expected.text in content for content in new):
        raise ModelError(f"The script expects {expected.text!r}, but is asked: {' | '.join(new)[:500]!r}")
