"""The turn loop: a context goes in, events come out. It knows no sockets and no database.

What it leaves behind is an `Answer`, filled while the events come, so that an interrupted turn can keep what was said.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from hector_nb.errors import ModelError, ModelInterrupted
from hector_nb.events import Event, FinishReason, ModelUsed, TextDelta, ThinkingDelta
from hector_nb.messages import Message, MessageStatus, ToolCall, Usage
from hector_nb.models.base import ModelFinished
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.context import Context


@dataclass(kw_only=True, slots=True)
class Answer:
    """What the model has said so far in a turn."""

    text: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    usage: Usage | None = None
    finish_reason: FinishReason = "stop"

    def message(self, template: Message, *, status: MessageStatus) -> Message:
        """The answer as a message, uncounted."""
        return replace(template, content="".join(self.text), thinking="".join(self.thinking), status=status)


async def run_turn(agent: Agent, context: Context, answer: Answer) -> AsyncGenerator[Event]:
    """Ask the model and pass on what it says.

    Raises:
        ModelError: the model failed; `answer` holds what it had said.
    """
    finished: ModelFinished | None = None
    async with aclosing(agent.model.stream(context.request)) as deltas:
        async for delta in deltas:
            match delta:
                case TextDelta():
                    answer.text.append(delta.text)
                    yield delta
                case ThinkingDelta():
                    answer.thinking.append(delta.text)
                    yield delta
                case ToolCall():
                    raise ModelError(f"The model called the tool {delta.name!r}, which this agent does not have.")
                case ModelFinished():
                    finished = delta
    if finished is None:
        raise ModelInterrupted()
    answer.finish_reason = finished.finish_reason
    answer.usage = finished.usage or await estimated_usage(agent, context, answer)
    yield ModelUsed(usage=answer.usage)


async def estimated_usage(agent: Agent, context: Context, answer: Answer) -> Usage:
    """Our own count, for models that report none and for answers that were cut."""
    text = "".join(answer.thinking) + "".join(answer.text)
    return Usage(
        prompt_tokens=context.tokens,
        completion_tokens=await agent.counter.count(text) if text else 0,
        estimated=True,
    )
