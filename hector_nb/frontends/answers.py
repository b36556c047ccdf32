"""What an agent answers, as values of the Python API. Above are `asynchronous.py` and `plain.py`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hector_nb.errors import ModelInterrupted
from hector_nb.events import Event, FinishReason, TextDelta, ThinkingDelta, ToolCalled, TurnDone, TurnFailed, TurnReset
from hector_nb.frontends.answer_forms import code_of, json_of
from hector_nb.frontends.render import plain
from hector_nb.messages import ToolCall, Usage
from hector_nb.service import failure
from hector_nb.wire.safe_markdown import neutralise


@dataclass(frozen=True, kw_only=True, repr=False)
class Answer:
    """A whole answer. `str()` is its text; in a notebook it is shown as safe Markdown."""

    text: str
    session_id: str
    turn_id: str
    message_id: str | None
    finish_reason: FinishReason
    usage: Usage
    tool_calls: Sequence[ToolCall] = ()
    thinking: str = ""

    @property
    def code(self) -> str | None:
        """The code in it; None: there is none."""
        return code_of(self.text)

    @property
    def json(self) -> Any:
        """The value that it is written as.

        Raises:
            InvalidRequest: it is not JSON.
        """
        return json_of(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return plain(self.text)

    def _repr_markdown_(self) -> str:
        return neutralise(self.text)


@dataclass(kw_only=True)
class AnswerParts:
    """An answer while it comes. Feed it a turn's events in their order; `answer` is there after the last one."""

    session_id: str
    turn_id: str
    texts: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    done: TurnDone | None = None
    failed: TurnFailed | None = None

    @property
    def over(self) -> bool:
        """Whether the last event has come."""
        return self.done is not None or self.failed is not None

    def feed(self, event: Event) -> str:
        """The text that the event adds.

        Raises:
            HectorError: the turn has failed; the class is that of the failure's code.
        """
        match event:
            case TextDelta():
                self.texts.append(event.text)
                return event.text
            case ThinkingDelta():
                self.thinking.append(event.text)
            case ToolCalled():
                self.calls.append(ToolCall(call_id=event.call_id, name=event.name, arguments=event.arguments))
            case TurnReset():
                self.texts = [event.text]
            case TurnDone():
                self.done = event
            case TurnFailed():
                self.failed = event
                raise failure(event)
        return ""

    @property
    def answer(self) -> Answer:
        """The whole.

        Raises:
            ModelInterrupted: the last event has not come.
            HectorError: the turn has failed.
        """
        if self.failed is not None:
            raise failure(self.failed)
        if self.done is None:
            raise ModelInterrupted("The answer is not complete.", hint="Read the stream to its end.")
        return Answer(
            text="".join(self.texts),
            session_id=self.session_id,
            turn_id=self.turn_id,
            message_id=self.done.message_id,
            finish_reason=self.done.finish_reason,
            usage=self.done.usage,
            tool_calls=tuple(self.calls),
            thinking="".join(self.thinking),
        )
