"""One turn in one cell: its events are shown as they come, an interrupt stops it and keeps what was said."""

import time
from collections.abc import Callable, Sequence
from itertools import groupby

from hector_nb.errors import HectorError, ModelInterrupted
from hector_nb.events import (
    ApprovalAsked,
    ContextBuilt,
    Event,
    TextDelta,
    ToolCalled,
    TurnDone,
    TurnFailed,
    TurnReset,
    TurnStarted,
)
from hector_nb.frontends.aside import Aside
from hector_nb.frontends.cell_approvals import CellApprovals
from hector_nb.frontends.inline import AnswerView
from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.frontends.reply import CellReply, describe_turn
from hector_nb.frontends.running_turn import RunningTurn
from hector_nb.messages import ToolCall, Usage
from hector_nb.service import AgentInfo, failure

_LAST_WORDS = 2.0
"""Seconds that an interrupted turn has to end."""


class CellTurn:
    """A turn under way, and what shows it. `form` makes what is displayed in the end out of the whole answer."""

    def __init__(
        self,
        turn: RunningTurn,
        *,
        info: AgentInfo,
        session_id: str,
        view: AnswerView,
        aside: Aside,
        cell: int | None,
        look: Callable[[str], LedgerView],
        approvals: CellApprovals,
        form: Callable[[str], str] | None = None,
        kept: str | None = None,
    ) -> None:
        self._turn = turn
        self._info = info
        self._session_id = session_id
        self._view = view
        self._aside = aside
        self._cell = cell
        self._look = look
        self._approvals = approvals
        self._form = form
        self._kept = kept
        self._stopping = False
        self._recalled: set[str] = set()
        self._started = time.monotonic()
        self._text: list[str] = []
        self._calls: list[ToolCall] = []
        self._last: TurnDone | TurnFailed | None = None
        self._shown = False

    def show(self) -> CellReply:
        """Show the turn to its end.

        Raises:
            HectorError: the message was refused, the turn failed, or the answer has not the form that was asked for; what was said stays
                displayed.
            KeyboardInterrupt: after the turn was stopped.
        """
        try:
            for batch in self._turn.batches():
                self._take(batch)
        except KeyboardInterrupt:
            self._stop()
            raise
        except HectorError:
            self._fail()
            raise
        return self._finished()

    @property
    def is_answered(self) -> bool:
        """Whether the agent has come to its end."""
        return isinstance(self._last, TurnDone)

    def reply(self) -> CellReply:
        """What there is of the answer."""
        done = self._last if isinstance(self._last, TurnDone) else None
        return CellReply(
            text="".join(self._text),
            agent=self._info.name,
            model=self._info.model,
            host=self._info.host,
            session_id=self._session_id,
            turn_id=self._turn.turn_id,
            message_id=done.message_id if done else None,
            finish_reason=done.finish_reason if done else "cancelled",
            usage=done.usage if done else Usage(),
            tool_calls=tuple(self._calls),
            thinking=self._aside.thoughts,
            seconds=time.monotonic() - self._started,
            recalled=len(self._recalled),
            shown_in=self._cell,
            kept=self._kept,
            look=self._look,
        )

    def _take(self, batch: Sequence[Event]) -> None:
        for is_text, events in groupby(batch, lambda event: isinstance(event, TextDelta)):
            together = list(events)
            for event in together:
                self._aside.take(event)
                self._note(event)
            if is_text:
                # One update for all that came together.
                said = "".join(event.text for event in together if isinstance(event, TextDelta))
                self._text.append(said)
                self._view.add(said)
        self._view.tick()
        for event in batch:
            if isinstance(event, ApprovalAsked) and not self._stopping:
                self._approvals.ask(event, self._turn)

    def _note(self, event: Event) -> None:
        if isinstance(event, ToolCalled):
            self._calls.append(ToolCall(call_id=event.call_id, name=event.name, arguments=event.arguments))
        elif isinstance(event, TurnStarted | ContextBuilt):
            memories = (event.context or {}).get("memories", ())
            self._recalled.update(each["memory_id"] for each in memories)
        elif isinstance(event, TurnReset):
            self._text = [event.text]
            self._view.restart()
            self._view.add(event.text)
        elif isinstance(event, TurnDone | TurnFailed):
            self._last = event

    def _stop(self) -> None:
        """Let the turn end and show what was said. Nothing may keep an interrupted cell from ending."""
        try:
            self._stopping = True
            if self._last is None:
                self._turn.stop()
                self._hear_last_words()
        except (KeyboardInterrupt, HectorError):
            pass
        finally:
            self._turn.leave()
            self._end(stopped=not isinstance(self._last, TurnDone) or self._last.finish_reason == "cancelled")

    def _hear_last_words(self) -> None:
        until = time.monotonic() + _LAST_WORDS
        for batch in self._turn.batches():
            self._take(batch)
            if time.monotonic() > until:
                break

    def _finished(self) -> CellReply:
        match self._last:
            case TurnDone(finish_reason="cancelled"):
                self._end(stopped=True)
                return self.reply()
            case TurnDone():
                try:
                    self._reshape()
                finally:
                    self._end(stopped=False)
                return self.reply()
            case TurnFailed():
                self._fail()
                raise failure(self._last)
            case None:
                self._fail()
                raise ModelInterrupted("The answer ended before the turn did.", hint="See %hector history.")

    def _reshape(self) -> None:
        if self._form is not None:
            shape = self._form("".join(self._text))
            self._view.restart()
            self._view.add(shape)

    def _end(self, *, stopped: bool) -> None:
        if self._shown:
            return
        self._shown = True
        self._aside.end()
        self._view.end(self._metadata("cancelled" if stopped else "complete"), stopped=stopped)

    def _fail(self) -> None:
        if not self._shown:
            self._shown = True
            self._aside.end()
            self._view.fail(self._metadata("failed"))

    def _metadata(self, status: str) -> dict[str, object]:
        return dict(
            describe_turn(
                self._info,
                session_id=self._session_id,
                turn_id=self._turn.turn_id,
                usage=self.reply().usage,
                status=status,
            )
        )
