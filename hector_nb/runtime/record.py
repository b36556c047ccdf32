"""What a turn leaves behind while it runs: its log, as readers get it, and what of log and transcript is in the store.

Events reach readers at once and the store in groups, and messages go with them, so that the text of a stored message is always in the
stored log. What must be durable first (`keep`) reaches readers only when it is.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from hector_nb.approvals import Approval
from hector_nb.errors import ModelInterrupted, StoreError
from hector_nb.events import Event
from hector_nb.futures import disregard_failure
from hector_nb.messages import Message
from hector_nb.runtime.broadcast import Broadcast
from hector_nb.stores.base import Store
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_memories import LedgerRecord
from hector_nb.stores.base_turns import TurnOutcome
from hector_nb.telemetry.base import Telemetry

_log = logging.getLogger("hector_nb.runtime")

_WRITE_EVERY = 0.05
"""Seconds between two writes of a running turn."""


class TurnRecord:
    """A turn's log and messages, of which `messages` are those that follow the user's.

    `waiting` tells that the turn waits for approvals in the store, and may be left to another process at any time.
    `on_closed` is called when the turn turns out to be closed, or erased, by somebody else.
    """

    def __init__(
        self,
        turn_id: str,
        *,
        store: Store,
        log: Broadcast,
        messages: Sequence[Message] = (),
        on_closed: Callable[[], None],
        telemetry: Telemetry,
    ) -> None:
        self.log = log
        self.messages = list(messages)
        self.waiting = False
        self._turn_id = turn_id
        self._store = store
        self._on_closed = on_closed
        self._telemetry = telemetry
        self._ledger: LedgerRecord | None = None
        self._outputs: list[ToolOutput] = []
        self._events_stored = 0
        self._messages_stored = len(self.messages)
        self._outputs_stored = 0
        self._writing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    def publish(self, event: Event) -> None:
        """Tell the readers; the store hears of it soon."""
        self.log.publish(event)
        if self._timer is None:
            self._schedule()

    def add(self, message: Message, *outputs: ToolOutput) -> None:
        """Put a message into the transcript; it is stored soon, and not later than what is added after it."""
        self.messages.append(message)
        self._outputs += outputs
        self._schedule()

    def show(self, ledger: LedgerRecord) -> None:
        """The model is about to see this; it is stored with what comes next."""
        self._ledger = ledger

    async def keep(
        self,
        *messages: Message,
        events: Sequence[Event] = (),
        approvals: Sequence[Approval] = (),
        outcome: TurnOutcome | None = None,
    ) -> None:
        """Store messages, and all that came before them; then tell the readers of `events`.

        It is carried out even if the caller is cancelled. Nobody else may publish meanwhile where there are `events`.

        Raises:
            StoreError: the store refuses; the messages wait for the next time.
            ModelInterrupted: the turn was closed by somebody else.
        """
        self.messages += messages
        if outcome is not None and outcome.status != "waiting":
            self.waiting = False
        task = asyncio.create_task(self._write(events, approvals, outcome))
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        await asyncio.shield(task)

    async def rest(self) -> None:
        """Store nothing more by itself, and wait until what is being stored is."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        async with self._writing:
            pass

    async def flush(self) -> None:
        """Store what is not stored yet.

        Raises:
            StoreError, ModelInterrupted: as for `keep`.
        """
        if self._is_behind():
            await self._write((), (), None)

    async def close(self, last: Event, outcome: TurnOutcome) -> None:
        """Store everything with the outcome; readers are told of `last` by the caller.

        Raises:
            StoreError, ModelInterrupted: as for `keep`.
        """
        await self._write(() if self.log.finished else (last,), (), outcome, tell=False)

    def _is_behind(self) -> bool:
        return len(self.log.events) > self._events_stored or len(self.messages) > self._messages_stored

    def _schedule(self) -> None:
        if self._timer is None and not self._over and not self._writing.locked():
            self._timer = asyncio.get_running_loop().call_later(_WRITE_EVERY, self._start)

    def _start(self) -> None:
        self._timer = None
        task = asyncio.create_task(self._write_group())
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        disregard_failure(task)  # whoever kept something has it; nobody else is to be told

    async def _write_group(self) -> None:
        """Write what is new; where the store refuses, it waits for the next time."""
        try:
            if self._is_behind():
                await self._write((), (), None)
        except ModelInterrupted:
            self._on_closed()
        except StoreError as error:
            _log.warning("Events of %s are not stored yet: %s", self._turn_id, error.message)
            self._schedule()

    async def _write(
        self,
        events: Sequence[Event],
        approvals: Sequence[Approval],
        outcome: TurnOutcome | None,
        *,
        tell: bool = True,
    ) -> None:
        async with self._writing:
            upto = len(self.log.events), len(self.messages), len(self._outputs)
            ledger, began_at = self._ledger, time.perf_counter()
            written = await self._store.write_turn(
                self._turn_id,
                events=[*(logged.event for logged in self.log.events[self._events_stored : upto[0]]), *events],
                messages=self.messages[self._messages_stored : upto[1]],
                outputs=self._outputs[self._outputs_stored : upto[2]],
                approvals=approvals,
                outcome=outcome,
                ledger=ledger,
            )
            self._telemetry.stored(time.perf_counter() - began_at)
            if written is None:
                raise ModelInterrupted("Another process has closed this turn.")
            self._events_stored, self._messages_stored, self._outputs_stored = upto
            self._ledger = None if self._ledger is ledger else self._ledger
            self.waiting = self.waiting or (outcome is not None and outcome.status == "waiting")
            if tell:
                for event in events:
                    self.log.publish(event)
                self._events_stored += len(events)
        if self._is_behind():
            self._schedule()
