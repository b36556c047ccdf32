"""One turn under way in this process: from its place in the session's queue to its outcome in the store.

The engine's task (`_perform`) can be cancelled at any point; the task around it (`_supervise`) always writes how the turn ended.
Events go to readers at once and to the store in groups. The last event is published only when the outcome is durable, so that
whoever has seen the end of an answer finds it in the transcript.
"""

import asyncio
import logging
from collections.abc import MutableMapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from hector_nb.errors import HectorError, ModelInterrupted, StoreError
from hector_nb.events import ContextBuilt, Event, TurnDone, TurnFailed, TurnStarted
from hector_nb.ids import new_id
from hector_nb.memories import RecalledMemory
from hector_nb.messages import Message, MessageStatus, Usage
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.broadcast import Broadcast
from hector_nb.runtime.context import Context, Room, build_context, is_whole, room_of, window_of
from hector_nb.runtime.ledger import outline
from hector_nb.runtime.remembering import Remembering
from hector_nb.runtime.turn import Answer, estimated_usage, run_turn
from hector_nb.sessions import Session, Turn
from hector_nb.stores.base import BegunTurn, NewTurn, RepeatedTurn, Store, TurnOutcome
from hector_nb.stores.base_memories import LedgerRecord

_log = logging.getLogger("hector_nb.runtime")

_WRITE_EVERY = 0.05
"""Seconds between two writes of a running turn's events."""
_LOOK_EVERY = 1.0
"""The longest time a queued turn waits before it looks again whether its time has come."""
_ATTEND_EVERY = 1.0
"""Seconds between looks whether another process has readers of a turn that has none here."""
_DEAD_AFTER = 10.0
"""Seconds without a heartbeat after which another process's readers do not count."""
_SETTLE_EVERY = 0.5
"""Seconds between attempts to store an outcome that the database refused."""


class TurnRun:
    """A turn, its tasks and its log.

    `placed` is done when the user's message is durable: the turn has begun or stands in the queue. `finished` is set when the outcome
    is durable. `grace` is the number of seconds after which a turn without readers is cancelled, None for never. `repeats` is the
    turn that the same request started before, if there is one; then nothing happens here.
    """

    def __init__(
        self,
        new: NewTurn,
        *,
        agent: Agent,
        store: Store,
        remembering: Remembering,
        runs: MutableMapping[str, "TurnRun"],
        grace: float | None,
    ) -> None:
        self.new = new
        self.agent = agent
        self.log = Broadcast(on_empty=self._nobody_reads, on_join=self._somebody_reads)
        self.placed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.finished = asyncio.Event()
        self._store = store
        self._remembering = remembering
        self._runs = runs
        self._grace = grace
        self.repeats: Turn | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._answer = Answer()
        self._context: Context | None = None
        self._ledger: LedgerRecord | None = None
        self._session: Session | None = None
        self._stop_status: MessageStatus | None = None
        self._written = 0
        self._write_timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._work = asyncio.create_task(self._perform())
        self.task = asyncio.create_task(self._supervise())

    def cancel(self) -> None:
        """Stop it for somebody who wants no more; what was said is kept."""
        self._stop("cancelled")

    def interrupt(self) -> None:
        """Stop it because this process stops; what was said is kept."""
        self._stop("interrupted")

    def _stop(self, status: MessageStatus) -> None:
        if self._stop_status is None:
            self._stop_status = status
            self._work.cancel()

    def _nobody_reads(self) -> None:
        if self._grace is not None:
            self._leaving = asyncio.create_task(self._cancel_unattended(self._grace))

    async def _cancel_unattended(self, grace: float) -> None:
        """Cancel when nobody, in any process, has read for so many seconds."""
        left = grace
        while left > 0 or await self._read_elsewhere():
            pause = min(left, _ATTEND_EVERY) or _ATTEND_EVERY
            await asyncio.sleep(pause)
            left = grace if await self._read_elsewhere() else left - pause
        self.cancel()

    async def _read_elsewhere(self) -> bool:
        try:
            return await self._store.has_readers(self.new.turn_id, besides=self.new.holder, dead_after=_DEAD_AFTER)
        except StoreError:
            return False

    def _somebody_reads(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    async def _supervise(self) -> None:
        """Wait for the engine and write the outcome, whatever happens."""
        failure: HectorError | None = None
        status: MessageStatus = "complete"
        try:
            await self._work
        except asyncio.CancelledError:
            status = self._stop_status or "interrupted"
            if status == "interrupted":
                failure = ModelInterrupted("The server stopped before the answer was complete.")
        except HectorError as error:
            failure, status = error, "failed"
        except Exception as error:  # noqa: BLE001 - whatever it is, the turn must end and its readers must know
            _log.exception("A turn failed for a reason that is ours")
            failure, status = HectorError(f"Something went wrong inside ({type(error).__name__})."), "failed"
        if failure is not None and not self.placed.done():
            self.placed.set_exception(failure)
        elif self.repeats is None:
            await self._finish(failure, status)
        if not self.placed.done():
            self.placed.set_result(None)
        self._somebody_reads()
        self._runs.pop(self.new.turn_id, None)
        self.finished.set()

    async def _perform(self) -> None:
        """The turn itself."""
        room = await room_of(self.agent, await self.agent.schemas())
        begun = await self._begin(room)
        if begun is None:
            return
        self._session = begun.session
        self._context = await self._build_context(begun, room)
        self._ledger = self._context.record
        self._publish(
            TurnStarted(
                session_id=self.new.session_id,
                turn_id=self.new.turn_id,
                message_id=self.new.message.message_id,
                message_number=begun.message_number,
                memory_tokens=self._context.tokens,
            )
        )
        self._publish(ContextBuilt(context=outline(self._context)))
        async with aclosing(run_turn(self.agent, self._context, self._answer)) as events:
            async for event in events:
                self._publish(event)

    async def _build_context(self, begun: BegunTurn, room: Room) -> Context:
        """What the model is to see; where it would not see all, there may be a summary to wait for."""
        if self.agent.summarizer and not is_whole(begun):
            await self._remembering.make_room(self.agent, begun.session)
            begun = await self._begin(room) or begun
        return await build_context(self.agent, begun, room, self._recall if self.agent.longterm else None)

    async def _recall(self, seen: int | None, allowance: int) -> Sequence[RecalledMemory]:
        assert self.agent.longterm
        await self._remembering.settle()
        return await self.agent.longterm.recall(
            self._store,
            user=self.new.user,
            session_id=self.new.session_id,
            text=self.new.message.content,
            seen=seen,
            allowance=allowance,
        )

    async def _begin(self, room: Room) -> BegunTurn | None:
        """Queue, wait, and take the session; None if the request was made before."""
        wanted = window_of(self.agent, room)
        while True:
            place = await self._store.begin_turn(self.new, window=wanted, lifetime=self.agent.lifetime)
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
        async with self._store.watch(self.new.session_id) as watch:
            while (turn := await self._store.get_turn(self.new.user, turn_id)) and not turn.finished:
                await watch.wait(_LOOK_EVERY)

    def _publish(self, event: Event) -> None:
        self.log.publish(event)
        if self._write_timer is None and self._writing is None:
            self._write_timer = asyncio.get_running_loop().call_later(_WRITE_EVERY, self._start_writing)

    def _start_writing(self) -> None:
        self._write_timer = None
        self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        """Write the events that are new; where the store refuses, they wait for the next time."""
        upto, ledger = len(self.log.events), self._ledger
        try:
            events = [logged.event for logged in self.log.events[self._written : upto]]
            if await self._store.write_turn(self.new.turn_id, events=events, ledger=ledger) is None:
                self.interrupt()
            self._written = upto
            self._ledger = None if self._ledger is ledger else self._ledger
        except StoreError as error:
            _log.warning("Events of %s are not stored yet: %s", self.new.turn_id, error.message)
        finally:
            self._writing = None
            if len(self.log.events) > upto and not self._work.done():
                self._write_timer = asyncio.get_running_loop().call_later(_WRITE_EVERY, self._start_writing)

    async def _finish(self, failure: HectorError | None, status: MessageStatus) -> None:
        """Store the answer and the outcome, then tell the readers."""
        if self._write_timer is not None:
            self._write_timer.cancel()
        if self._writing is not None:
            await self._writing
        message = await self.agent.count(
            Message(
                message_id=new_id("msg"),
                turn_id=self.new.turn_id,
                role="assistant",
                content="".join(self._answer.text),
                thinking="".join(self._answer.thinking),
                status=status,
                created_at=datetime.now(UTC),
            )
        )
        last = await self._last_event(failure, status, message)
        while not await self._settle(message, last):
            await asyncio.sleep(_SETTLE_EVERY)
        if not self.log.finished:
            self.log.publish(last)
        if self._session:
            self._remembering.after_turn(self.agent, self._session)

    async def _last_event(self, failure: HectorError | None, status: MessageStatus, message: Message) -> Event:
        if failure is not None:
            return failed(failure)
        usage = self._answer.usage
        if usage is None and self._context is not None:
            usage = await estimated_usage(self.agent, self._context, self._answer)
        return TurnDone(
            turn_id=self.new.turn_id,
            message_id=message.message_id,
            finish_reason="cancelled" if status == "cancelled" else self._answer.finish_reason,
            usage=usage or Usage(estimated=True),
        )

    async def _settle(self, message: Message, last: Event) -> bool:
        """Try to make the outcome durable; readers are not kept waiting for a database that refuses."""
        events = [logged.event for logged in self.log.events[self._written :]]
        if not self.log.finished:
            events.append(last)
        try:
            written = await self._store.write_turn(
                self.new.turn_id,
                events=events,
                messages=[message],
                outcome=self._outcome(message.status, last),
                ledger=self._ledger,
            )
        except StoreError as error:
            _log.warning("The outcome of %s is not stored yet: %s", self.new.turn_id, error.message)
            if not self.log.finished:
                self.log.publish(failed(error))
            return False
        if written is None and not self.log.finished:
            self.log.publish(failed(ModelInterrupted("Another process has closed this turn.")))
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
