"""The tool calls of one turn: checked, approved where a person is to be asked, run side by side, and closed whatever happens.

A call is in the store before it is made. No call of a message is made before all of that message's approvals are decided, so that a
turn that waits has nothing under way and can go on in any process. Results stand in the transcript in the order of the calls.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

from hector_nb.approvals import Approval
from hector_nb.events import ApprovalAsked, ApprovalDecided, Event, ToolCalled, ToolReturned
from hector_nb.ids import new_id
from hector_nb.messages import Message, MessageStatus, ToolCall
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.approvals import asked, new_approval, words
from hector_nb.runtime.record import TurnRecord
from hector_nb.runtime.transcript import open_calls
from hector_nb.stores.base import Store
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_turns import TurnOutcome
from hector_nb.telemetry.base import TurnTelemetry
from hector_nb.tools.base import CallContext
from hector_nb.tools.toolbox import CheckedCall, ToolOutcome

DENIED = "The user did not allow this call."
EXPIRED = "Nobody answered in time, which means no."
STOPPED = "The turn was stopped before this call returned; it may have taken effect."
NOT_BEGUN = "The turn was stopped before this call was made."

Checked: TypeAlias = Mapping[str, CheckedCall | ToolOutcome]


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who calls: the turn, and the agents (`above`) whose calls led to it, the topmost first."""

    user: str
    agent: str
    session_id: str
    turn_id: str
    above: Sequence[str] = ()

    def context(self, call_id: str, emit: Callable[[Event], None]) -> CallContext:
        """What a tool is told of it."""
        return CallContext(
            user=self.user,
            agent=self.agent,
            session_id=self.session_id,
            turn_id=self.turn_id,
            call_id=call_id,
            emit=emit,
            depth=len(self.above),
            callers=(*self.above, self.agent),
        )


class ToolCalls:
    """Makes the calls of one turn.

    `on_wait` is called when the turn, or an agent that it called, begins to wait for a person; `waiting_below` are the calls for which
    such agents wait. `told` are the calls of a resumed turn of whose decision its log tells already; `told_to` hears of every call.
    """

    def __init__(
        self,
        *,
        agent: Agent,
        store: Store,
        caller: Caller,
        record: TurnRecord,
        on_wait: Callable[[], None],
        told: Collection[str] = (),
    ) -> None:
        self._agent = agent
        self._store = store
        self._caller = caller
        self._record = record
        self._on_wait = on_wait
        self._told = told
        self.told_to = TurnTelemetry()
        self.waiting_below: set[str] = set()
        self._begun: set[str] = set()
        self._running: set[str] = set()
        self._given: dict[str, tuple[Message, ToolOutput | None]] = {}

    async def check(self, calls: Sequence[ToolCall]) -> Checked:
        """The calls as they may be made, by their ids; or what the model is told of them instead."""
        return {call.call_id: await self._agent.toolbox.check(call) for call in calls}

    async def make(self, message: Message, checked: Checked) -> None:
        """Store the message that makes the calls, then make them.

        Raises:
            StoreError: the store refuses.
            ModelInterrupted: the turn was closed by somebody else.
        """
        approvals = self._questions(checked)
        await self._ask(approvals, message)
        await self._make_all(checked, await self._decisions(approvals))

    async def resume(self) -> None:
        """Make the calls that the turn was waiting for.

        Raises:
            StoreError, ModelInterrupted: as for `make`.
        """
        checked = await self.check(open_calls(self._record.messages))
        known = await self._store.approvals(self._caller.user, self._caller.session_id)
        approvals = [approval for approval in known if approval.call_id in checked]
        asked_before = {approval.call_id for approval in approvals}
        new = self._questions({call_id: each for call_id, each in checked.items() if call_id not in asked_before})
        if new:
            await self._ask(new)
        await self._make_all(checked, await self._decisions([*approvals, *new]))

    async def close(self, status: MessageStatus) -> None:
        """Give every call that is still open a result: its own, or one that says that the turn was stopped."""
        for call in open_calls(self._record.messages):
            stopped = ToolOutcome(text=STOPPED if call.call_id in self._begun else NOT_BEGUN, is_error=True)
            message, output = self._given.get(call.call_id) or (self._result(call.call_id, stopped, status), None)
            self._add(await self._agent.count(message), output)

    def _questions(self, checked: Checked) -> list[Approval]:
        caller = self._caller
        return [
            new_approval(each, session_id=caller.session_id, turn_id=caller.turn_id)
            for each in checked.values()
            if isinstance(each, CheckedCall) and self._agent.toolbox.needs_approval(each)
        ]

    async def _ask(self, approvals: Sequence[Approval], *messages: Message) -> None:
        """Store the questions, if there are any, and that the turn waits."""
        if not approvals:
            await self._record.keep(*messages)
            return
        await self._record.keep(
            *messages,
            events=[asked(approval) for approval in approvals],
            approvals=approvals,
            outcome=TurnOutcome(status="waiting"),
        )
        self._on_wait()

    async def _decisions(self, approvals: Sequence[Approval]) -> Mapping[str, ApprovalDecided]:
        """The words on these calls, when all of them are there."""
        given: dict[str, ApprovalDecided] = {}
        async with aclosing(words(self._store, self._caller.user, self._caller.session_id, approvals)) as coming:
            async for word in coming:
                given[word.call_id] = word
                complete = len(given) == len(approvals)
                await self._record.keep(
                    events=[] if word.call_id in self._told else [word],
                    outcome=TurnOutcome(status="running") if complete else None,
                )
        return given

    async def _make_all(self, checked: Checked, given: Mapping[str, ApprovalDecided]) -> None:
        async with asyncio.TaskGroup() as group:
            for call_id, each in checked.items():
                group.create_task(self._settle(call_id, each, given.get(call_id)))

    async def _settle(self, call_id: str, checked: CheckedCall | ToolOutcome, word: ApprovalDecided | None) -> None:
        """Give one call its result."""
        note = ""
        if word is not None and word.decision == "deny":
            checked = ToolOutcome(text=EXPIRED if word.expired else DENIED, is_error=True)
        elif word is not None and word.edited is not None and isinstance(checked, CheckedCall):
            checked = await self._agent.toolbox.check(replace(checked.call, arguments=word.edited))
            note = f"The user changed the arguments to {json.dumps(dict(word.edited), ensure_ascii=False)}.\n"
        outcome = await self._run(checked) if isinstance(checked, CheckedCall) else checked
        if checked is outcome and not (word and word.decision == "deny"):
            self._tell_refused(call_id, outcome)
        message = self._result(call_id, replace(outcome, text=note + outcome.text))
        output = None if outcome.full is None else ToolOutput(call_id=call_id, text=outcome.full)
        self._given[call_id] = message, output
        self._given[call_id] = await self._agent.count(message), output
        self._add_finished()

    async def _run(self, checked: CheckedCall) -> ToolOutcome:
        call = checked.call
        self._begun.add(call.call_id)
        self._running.add(call.call_id)
        self._record.publish(ToolCalled(call_id=call.call_id, name=call.name, arguments=call.arguments))

        def emit(event: Event) -> None:
            if call.call_id in self._running:
                self._record.publish(event)
                self._note(event)

        is_error = True
        self.told_to.called(call.call_id, call.name)
        try:
            outcome = await self._agent.toolbox.run(checked, self._caller.context(call.call_id, emit))
            is_error = outcome.is_error
        finally:
            self._running.discard(call.call_id)
            self.told_to.returned(call.call_id, is_error=is_error)
        self._record.publish(
            ToolReturned(call_id=call.call_id, name=call.name, output=outcome.text, is_error=outcome.is_error)
        )
        return outcome

    def _tell_refused(self, call_id: str, outcome: ToolOutcome) -> None:
        """Readers see a call that cannot be made, and why, as they see the others; of a person's no they know already."""
        for call in open_calls(self._record.messages):
            if call.call_id == call_id:
                self._record.publish(ToolCalled(call_id=call_id, name=call.name, arguments=call.arguments))
                self._record.publish(ToolReturned(call_id=call_id, name=call.name, output=outcome.text, is_error=True))

    def _note(self, event: Event) -> None:
        """Keep in mind which calls of other agents wait for a person."""
        if isinstance(event, ApprovalAsked):
            self.waiting_below.add(event.call_id)
            self._on_wait()
        elif isinstance(event, ApprovalDecided):
            self.waiting_below.discard(event.call_id)

    def _add_finished(self) -> None:
        """Put the results that are there into the transcript, as far as none is missing before them."""
        for call in open_calls(self._record.messages):
            if call.call_id not in self._given:
                return
            self._add(*self._given[call.call_id])

    def _add(self, message: Message, output: ToolOutput | None) -> None:
        self._record.add(message, *([output] if output is not None else []))

    def _result(self, call_id: str, outcome: ToolOutcome, status: MessageStatus = "complete") -> Message:
        return Message(
            message_id=new_id("msg"),
            turn_id=self._caller.turn_id,
            role="tool",
            content=outcome.text,
            created_at=datetime.now(UTC),
            status=status,
            call_id=call_id,
            is_error=outcome.is_error,
        )
