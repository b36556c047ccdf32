"""The turn loop: model → tool calls → results → model …, until the model has nothing to call any more or has been asked often enough.

It knows no sockets and no database: events and messages go to a record, calls to `tool_calls.py`. What the model is saying just now is
an `Answer`, filled while it speaks, so that an interrupted turn can keep what was said.
"""

import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from hector_nb.errors import HectorError, ModelInterrupted
from hector_nb.events import ContextBuilt, FinishReason, ModelUsed, TextDelta, ThinkingDelta
from hector_nb.ids import new_id
from hector_nb.messages import APART, Message, MessageStatus, ToolCall, Usage
from hector_nb.models.base import ModelFinished
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.context import Context
from hector_nb.runtime.ledger import outline
from hector_nb.runtime.record import TurnRecord
from hector_nb.runtime.tool_calls import ToolCalls
from hector_nb.telemetry.base import TurnTelemetry

_CLOSE = (
    "You have used all the steps of this task and cannot call tools any more. Close with a message: say what is done, "
    "what you found, and what is left to do."
)
_NOTHING_SAID = "I have stopped after {} requests to the model, without a result."


@dataclass(kw_only=True, slots=True)
class Answer:
    """What the model has said so far in the request under way, and what the turn's requests have cost.

    `context` is what the request under way shows, None between requests.
    """

    text: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    provider_state: Mapping[str, Any] | None = None
    context: Context | None = None
    usage: Usage | None = None
    requests: int = 0
    finish_reason: FinishReason = "stop"

    def message(self, turn_id: str, *, status: MessageStatus = "complete", calls: bool = False) -> Message:
        """What was said as a message, uncounted; with the calls of tools, where they are to be made."""
        return Message(
            message_id=new_id("msg"),
            turn_id=turn_id,
            role="assistant",
            content="".join(self.text),
            thinking="".join(self.thinking),
            tool_calls=tuple(self.calls) if calls else (),
            provider_state=self.provider_state if calls else None,
            status=status,
            created_at=datetime.now(UTC),
        )

    def clear(self) -> None:
        """What was said is a message of the transcript now."""
        self.text, self.thinking, self.calls, self.provider_state = [], [], [], None

    def add_usage(self, usage: Usage) -> None:
        """One request is over."""
        self.usage = usage if self.usage is None else self.usage + usage
        self.context = None

    async def total(self, agent: Agent) -> Usage:
        """The cost of the whole turn, with our own count for a request that was cut."""
        if self.context is not None:
            self.add_usage(await estimated_usage(agent, self.context, self))
        return self.usage or Usage(estimated=True)


class TurnLoop:
    """One turn's conversation with its model. `context` is what the model sees before the turn's own messages."""

    def __init__(
        self,
        agent: Agent,
        context: Context,
        *,
        turn_id: str,
        record: TurnRecord,
        calls: ToolCalls,
        answer: Answer,
        told: TurnTelemetry,
    ) -> None:
        self._agent = agent
        self._context = context
        self._turn_id = turn_id
        self._record = record
        self._calls = calls
        self._answer = answer
        self._told = told

    async def run(self) -> None:
        """Go on until the answer is there; its last message is left in `answer`.

        Raises:
            ModelError: the model failed; `answer` holds what it had said.
            ToolUnavailable: a tool cannot be used at all.
            StoreError: a call could not be stored, and was not made.
        """
        while not await self._ask():
            message = await self._agent.count(self._answer.message(self._turn_id, calls=True))
            checked = await self._calls.check(message.tool_calls)
            self._answer.clear()
            await self._calls.make(message, checked)

    async def _ask(self) -> bool:
        """Ask the model once; whether that was the last time."""
        answer = self._answer
        most = self._agent.config.reasoning.max_iterations
        tools = await self._agent.toolbox.schemas([*self._context.history, *self._record.messages])
        last = answer.requests + 1 >= most and bool(tools or answer.requests)
        context = self._context.extended(
            self._record.messages,
            () if last else tools,
            0 if last else await self._agent.schema_tokens(tools),
            requests=answer.requests + 1,
            closing=_CLOSE if last else "",
            closing_tokens=await self._agent.counter.count(_CLOSE) if last else 0,
        )
        self._record.show(context.record)
        if answer.requests:
            self._record.publish(ContextBuilt(context=outline(context)))
        finished = await self._listening(context)
        if last:
            answer.calls.clear()
            answer.finish_reason = "max_iterations"
            if not answer.text:
                self._say(TextDelta(text=_NOTHING_SAID.format(most)))
        elif not answer.calls:
            answer.finish_reason = "stop" if finished.finish_reason == "tool_calls" else finished.finish_reason
        return not answer.calls

    async def _listening(self, context: Context) -> ModelFinished:
        """Ask, and tell what comes of it."""
        try:
            return await self._listen(context)
        except BaseException as error:
            self._told.unanswered(error.code if isinstance(error, HectorError) else "cancelled")
            raise

    async def _listen(self, context: Context) -> ModelFinished:
        """Pass on what the model says."""
        answer = self._answer
        answer.requests += 1
        answer.context = context
        finished: ModelFinished | None = None
        request, heard = context.request, False
        self._told.asked(answer.requests)
        async with aclosing(self._agent.model.stream(request)) as deltas:
            async for delta in deltas:
                if not heard:
                    heard = True
                    self._told.heard()
                match delta:
                    case TextDelta():
                        self._say(delta)
                    case ThinkingDelta():
                        answer.thinking.append(delta.text)
                        self._record.publish(delta)
                    case ToolCall():  # ids of models are neither unique in a session nor fit for addresses
                        answer.calls.append(replace(delta, call_id=new_id("call")))
                    case ModelFinished():
                        finished = delta
                        answer.provider_state = delta.provider_state
        if finished is None:
            raise ModelInterrupted()
        usage = finished.usage or await estimated_usage(self._agent, context, answer)
        answer.add_usage(usage)
        self._told.answered(usage, finished.finish_reason)
        self._record.publish(ModelUsed(usage=usage))
        return finished

    def _say(self, delta: TextDelta) -> None:
        """Some text; the first of a message is set apart from what was said before in this turn."""
        if not delta.text:
            return
        if not self._answer.text and any(each.content for each in self._record.messages if each.role == "assistant"):
            self._record.publish(TextDelta(text=APART + delta.text))
        else:
            self._record.publish(delta)
        self._answer.text.append(delta.text)


async def estimated_usage(agent: Agent, context: Context, answer: Answer) -> Usage:
    """Our own count, for models that report none and for answers that were cut."""
    calls = (call.name + json.dumps(dict(call.arguments), ensure_ascii=False) for call in answer.calls)
    text = "".join((*answer.thinking, *answer.text, *calls))
    return Usage(
        prompt_tokens=context.total_tokens,
        completion_tokens=await agent.counter.count(text) if text else 0,
        estimated=True,
    )
