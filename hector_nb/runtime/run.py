"""One turn under way in this process: from its place in the session's queue to its outcome in the store.

The engine's task (`_perform`) can be cancelled at any point; the task around it (`_supervise`) always writes how the turn ended, but
for a turn that waits for approvals when its process stops: that is left to whichever process gets the answer. The last event is
published only when the outcome is durable, so that whoever has seen the end of an answer finds it in the transcript; where that takes
too long, readers are told so, and what a resume shows is what was stored in the end.
"""

import asyncio
import logging
import time
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from hector_nb.errors import HectorError, ModelInterrupted, StoreError
from hector_nb.events import ApprovalDecided, Event, ModelUsed, TurnDone, TurnFailed, TurnStarted
from hector_nb.futures import disregard_failure
from hector_nb.memories import RecalledMemory
from hector_nb.messages import Message, MessageStatus
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.attendance import Attendance
from hector_nb.runtime.broadcast import Broadcast
from hector_nb.runtime.context import Context, build_context, room_of, window_of
from hector_nb.runtime.intervals import LOOK_EVERY
from hector_nb.runtime.ledger import outline
from hector_nb.runtime.record import TurnRecord
from hector_nb.runtime.remembering import Remembering
from hector_nb.runtime.tool_calls import Caller, ToolCalls
from hector_nb.runtime.turn import Answer, TurnLoop
from hector_nb.sessions import Session, Turn
from hector_nb.stores.base import Store
from hector_nb.stores.base_turns import BegunTurn, NewTurn, RepeatedTurn, TurnOutcome
from hector_nb.telemetry.base import ARRIVAL, Telemetry, TurnFacts, TurnTelemetry

_log = logging.getLogger("hector_nb.runtime")

_SETTLE_EVERY = 0.5
"""Seconds between attempts to store an outcome that the database refused."""
_COME_BACK = (
    "Do not send it again: resume the turn to see how it ended. The answer is stored as soon as that is possible."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumedTurn:
    """A turn that waited for approvals and goes on in this process; `events` are its log so far, up to `last_seq`."""

    begun: BegunTurn
    holder: str
    events: Sequence[Event]
    last_seq: int


class TurnRun:
    """A turn, its tasks and its log.

    Args:
        start: A new turn, or one that goes on here.
        agent: Whose turn it is.
        store: Where it is written down.
        remembering: Is told when it is over.
        runs: The turns of this process by their ids; it takes itself out at the end.
        grace: Seconds after which a turn without readers is cancelled; None: never. Readers who left before it waited for an approval,
            its own or that of an agent it called, do not count.
        above: The agents whose calls led to this turn.
        telemetry: Is told what happens.

    Attributes:
        placed: Done when the user's message is durable: the turn has begun or stands in the queue.
        finished: Set when the outcome is durable, or the turn is left waiting.
        repeats: The turn that the same request started before, if there is one; then nothing happens here.
    """

    def __init__(
        self,
        start: NewTurn | ResumedTurn,
        *,
        agent: Agent,
        store: Store,
        remembering: Remembering,
        runs: MutableMapping[str, "TurnRun"],
        grace: float | None,
        above: Sequence[str] = (),
        telemetry: Telemetry,
    ) -> None:
        resumed = start if isinstance(start, ResumedTurn) else None
        turn = start.begun.turn if isinstance(start, ResumedTurn) else start
        self.turn_id, self.session_id, self.user = turn.turn_id, turn.session_id, turn.user
        self.agent = agent
        self.store = store
        self._remembering = remembering
        self._session: Session | None = None
        self.holder = start.holder
        self._attendance = Attendance(
            store,
            self.turn_id,
            holder=self.holder,
            grace=grace,
            excused=lambda: self._record.waiting or bool(self._calls.waiting_below),
            cancel=self.cancel,
        )
        self.log = Broadcast(
            on_empty=self._attendance.left,
            on_join=self._attendance.joined,
            start=resumed.last_seq if resumed else 0,
        )
        self.placed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if resumed:
            self.placed.set_result(None)
        self.finished = asyncio.Event()
        self.repeats: Turn | None = None
        self._start = start
        self._runs = runs
        self._above = above
        self._telemetry = telemetry
        self._told: TurnTelemetry | None = None
        self._queued_at, self._started_at = time.perf_counter(), time.time_ns()
        self._stop_status: Literal["cancelled", "interrupted", "waiting"] | None = None
        self._answer = Answer()
        events = resumed.events if resumed else ()
        for used in (event for event in events if isinstance(event, ModelUsed)):
            self._answer.requests += 1
            self._answer.add_usage(used.usage)
        self._record = TurnRecord(
            self.turn_id,
            store=store,
            log=self.log,
            messages=resumed.begun.so_far if resumed else (),
            on_closed=self.interrupt,
            telemetry=telemetry,
        )
        self._calls = ToolCalls(
            agent=agent,
            store=store,
            caller=Caller(
                user=self.user, agent=agent.name, session_id=self.session_id, turn_id=self.turn_id, above=above
            ),
            record=self._record,
            on_wait=self._attendance.joined,
            told={event.call_id for event in events if isinstance(event, ApprovalDecided)},
        )
        self._work = asyncio.create_task(self._perform())
        self.task = asyncio.create_task(self._supervise())

    def cancel(self) -> None:
        """Stop it for somebody who wants no more; what was said is kept."""
        self._stop("cancelled")

    def interrupt(self) -> None:
        """Stop it because this process stops; what was said is kept, and a turn that waits for an approval goes on waiting.

        A turn that an agent has asked for ends with its caller.
        """
        self._stop("waiting" if self._record.waiting and not self._above else "interrupted")

    def _stop(self, status: Literal["cancelled", "interrupted", "waiting"]) -> None:
        if self._stop_status is None:
            self._stop_status = status
            self._work.cancel()

    async def _supervise(self) -> None:
        """Wait for the engine and write the outcome, whatever happens."""
        failure: HectorError | None = None
        status: MessageStatus = "complete"
        try:
            await self._work
        except asyncio.CancelledError:
            status = "cancelled" if self._stop_status == "cancelled" else "interrupted"
            if status == "interrupted":
                failure = ModelInterrupted("The server stopped before the answer was complete.")
        except HectorError as error:
            failure, status = error, "failed"
        except Exception as error:  # noqa: BLE001 - whatever it is, the turn must end and its readers must know
            _log.exception("A turn failed for a reason that is ours")
            failure, status = HectorError(f"Something went wrong inside ({type(error).__name__})."), "failed"
        if failure is not None and not self.placed.done():
            self.placed.set_exception(failure)
            disregard_failure(self.placed)  # whoever waited for it may have gone
        elif self._stop_status == "waiting" and self._record.waiting:
            await self._leave_waiting()
        elif self.repeats is None:
            await self._finish_somehow(failure, status)
        if not self.placed.done():
            self.placed.set_result(None)
        self._attendance.joined()
        self._runs.pop(self.turn_id, None)
        self.finished.set()

    async def _perform(self) -> None:
        """The turn itself."""
        begun = self._start.begun if isinstance(self._start, ResumedTurn) else await self._begin(self._start)
        if begun is None:
            return
        self._session = begun.session
        self._calls.told_to = told = self._telling()
        context = await self._context(begun)
        if isinstance(self._start, ResumedTurn):
            await self._calls.resume()
        else:
            self._record.publish(self._started(begun, context))
        await self._loop(context, told).run()

    async def _context(self, begun: BegunTurn) -> Context:
        """What the model is to see; where something is neither in view nor summarized, there may be a summary to wait for."""
        room = await room_of(self.agent, await self.agent.toolbox.schemas())
        new = self._start if isinstance(self._start, NewTurn) and self.agent.summarizer else None
        if new and (await build_context(self.agent, begun, room)).left_out:
            await self._remembering.make_room(self.agent, begun.session)
            begun = await self._begin(new) or begun
        recall = partial(self._recall, begun.message.content) if self.agent.longterm else None
        return await build_context(self.agent, begun, room, recall)

    async def _recall(self, text: str, seen: int, allowance: int) -> Sequence[RecalledMemory]:
        assert self.agent.longterm
        if self.agent.longterm.scope in {"conversational", "all"}:
            await self._remembering.settle(self.agent, self.user, besides=self.session_id)
        return await self.agent.longterm.recall(
            self.store, user=self.user, session_id=self.session_id, text=text, seen=seen, allowance=allowance
        )

    def _started(self, begun: BegunTurn, context: Context) -> TurnStarted:
        return TurnStarted(
            session_id=self.session_id,
            turn_id=self.turn_id,
            message_id=begun.message.message_id,
            message_number=begun.message_number,
            memory_tokens=context.total_tokens,
            context=outline(context),
        )

    def _telling(self) -> TurnTelemetry:
        """Who is told of this turn, from the time when it gets its session."""
        if self._told is None:
            model = self.agent.model
            facts = TurnFacts(
                turn_id=self.turn_id,
                session_id=self.session_id,
                agent=self.agent.name,
                provider=self.agent.provider,
                model=model.name,
                host=model.host,
                queued_at=self._queued_at,
                began_at=time.perf_counter(),
                started_at=self._started_at,
                arrival=ARRIVAL.get(),
                above=self._above,
            )
            self._told = self._telemetry.turn(facts)
        return self._told

    def _loop(self, context: Context, told: TurnTelemetry) -> TurnLoop:
        return TurnLoop(
            self.agent,
            context,
            turn_id=self.turn_id,
            record=self._record,
            calls=self._calls,
            answer=self._answer,
            told=told,
        )

    async def _begin(self, new: NewTurn) -> BegunTurn | None:
        """Queue, wait, and take the session; None if the request was made before."""
        wanted = await window_of(self.agent)
        while True:
            place = await self.store.begin_turn(new, window=wanted, lifetime=self.agent.lifetime)
            if isinstance(place, RepeatedTurn):
                self.repeats = place.turn
                return None
            if not self.placed.done():
                self.placed.set_result(None)
            if isinstance(place, BegunTurn):
                return place
            await self._wait_behind(place.ahead)

    async def _wait_behind(self, turn_id: str) -> None:
        """Wait until the turn that is ahead is over, in whichever process it runs."""
        if ahead := self._runs.get(turn_id):
            await ahead.finished.wait()
            return
        async with self.store.watch(self.session_id) as watch:
            while (turn := await self.store.get_turn(self.user, turn_id)) and not turn.finished:
                await watch.wait(LOOK_EVERY)

    async def _leave_waiting(self) -> None:
        """Leave the turn as it is to whichever process gets the answer; readers here are cut off and may come back there."""
        await self._record.rest()
        with suppress(StoreError, ModelInterrupted):
            await self._record.flush()
        self.log.close()
        self._telling().ended("waiting", code=None, finish_reason=None, usage=self._answer.usage)

    async def _finish_somehow(self, failure: HectorError | None, status: MessageStatus) -> None:
        """Finish; where that fails for a reason that is ours, let nobody wait for the end."""
        try:
            await self._finish(failure, status)
        except Exception as error:  # noqa: BLE001 - whatever it is, readers must know
            _log.exception("How %s ended is not stored, for a reason that is ours", self.turn_id)
            if not self.log.finished:
                self.log.publish(failed(HectorError(f"Something went wrong inside ({type(error).__name__}).")))

    async def _finish(self, failure: HectorError | None, status: MessageStatus) -> None:
        """Store the answer and the outcome, then tell the readers."""
        await self._record.rest()
        await self._calls.close(status)
        message = await self.agent.count(self._answer.message(self.turn_id, status=status))
        self._record.add(message)
        last = await self._last_event(failure, status, message)
        while not await self._settle(status, last):
            await asyncio.sleep(_SETTLE_EVERY)
        if not self.log.finished:
            self.log.publish(last)
        done = last if isinstance(last, TurnDone) else None
        self._telling().ended(
            status,
            code=failure.code if failure else None,
            finish_reason=done.finish_reason if done else None,
            usage=self._answer.usage,
        )
        if self._session:
            self._remembering.after_turn(self.agent, self._session)

    async def _last_event(self, failure: HectorError | None, status: MessageStatus, message: Message) -> Event:
        if failure is not None:
            return failed(failure)
        return TurnDone(
            turn_id=self.turn_id,
            message_id=message.message_id,
            finish_reason="cancelled" if status == "cancelled" else self._answer.finish_reason,
            usage=await self._answer.total(self.agent),
        )

    async def _settle(self, status: MessageStatus, last: Event) -> bool:
        """Try to make the outcome durable; readers are not kept waiting for a database that refuses, and may come back for it."""
        try:
            await self._record.close(last, self._outcome(status, last))
        except StoreError as error:
            _log.warning("The outcome of %s is not stored yet: %s", self.turn_id, error.message)
            self.log.notify(replace(failed(error), hint=_COME_BACK, retryable=True))
            return False
        except ModelInterrupted as error:
            if not self.log.finished:
                self.log.publish(failed(error))
        return True

    def _outcome(self, status: MessageStatus, last: Event) -> TurnOutcome:
        done = last if isinstance(last, TurnDone) else None
        return TurnOutcome(
            status=status,
            finish_reason=done.finish_reason if done else None,
            usage=done.usage if done else None,
            keep_events=self.agent.sessions.keep_events,
            take_in=self.agent.longterm is not None,
        )


def failed(error: HectorError) -> TurnFailed:
    """The event that tells of an error."""
    return TurnFailed(code=error.code, message=error.message, hint=error.hint, retryable=error.retryable)
