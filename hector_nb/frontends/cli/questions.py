"""The questions of one turn: which tool calls wait for a word, and the one that is being asked now. Above is `turn.py`."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from types import TracebackType
from typing import Self

from hector_nb.approvals import Approval
from hector_nb.errors import ApprovalNotFound, Conflict, HectorError
from hector_nb.events import ApprovalAsked, ApprovalDecided, LoggedEvent
from hector_nb.frontends.asking import Word
from hector_nb.frontends.cli.approving import Person, Question, told
from hector_nb.frontends.cli.exits import report
from hector_nb.service import SessionService, TurnStream


class Questions:
    """Has a person asked, one question after the other.

    Args:
        service: Takes the answers.
        agent: Whose turn it is.
        person: Who is asked.
        pause: Leaves the terminal to them meanwhile.
        on_stop: They want the turn to stop.
        on_end: There is no question any more.
    """

    def __init__(
        self,
        service: SessionService,
        agent: str,
        person: Person,
        *,
        pause: Callable[[], AbstractContextManager[None]],
        on_stop: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._service = service
        self._agent = agent
        self._person = person
        self._pause = pause
        self._on_stop = on_stop
        self._on_end = on_end
        self._open: dict[str, ApprovalAsked] = {}
        self._now: str | None = None
        self._asking: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> bool:
        """Whether somebody is being asked."""
        return self._asking is not None

    def heard(self, event: ApprovalAsked | ApprovalDecided) -> None:
        """A call waits; or a word was given, here or elsewhere, or its time is over."""
        if isinstance(event, ApprovalAsked):
            self._open[event.call_id] = event
            return
        self._open.pop(event.call_id, None)
        if event.call_id == self._now:
            where = "" if event.expired else "Elsewhere: "
            self._person.dismiss(where + told(event.decision, edited=event.edited is not None, expired=event.expired))

    def begin(self, session_id: str) -> None:
        """Ask what is to be asked."""
        if self._open and self._asking is None:
            self._asking = asyncio.create_task(self._ask_all(session_id))

    async def end(self) -> None:
        """The turn is over."""
        self._open.clear()
        if self._asking is not None:
            self._person.dismiss("The turn is over.")
            await self._asking

    async def _ask_all(self, session_id: str) -> None:
        try:
            with self._pause():
                while self._open:
                    self._now = next(iter(self._open))
                    await self._ask(session_id, self._now)
                    self._open.pop(self._now, None)
        except KeyboardInterrupt:
            self._on_stop()
        except HectorError as error:
            report(error)
        finally:
            self._now = self._asking = None
            self._on_end()

    async def _ask(self, session_id: str, call_id: str) -> None:
        waiting = await self._service.list_approvals(self._agent, session_id)
        approval = next((each for each in waiting if each.call_id == call_id), None)
        if approval is None:
            return
        asked = Question(approval=approval, agent=await self._caller(approval, session_id), session_id=session_id)
        if call_id not in self._open:
            return

        async def submit(word: Word) -> None:
            await self._service.decide_approval(self._agent, session_id, call_id, word.decision, edited=word.edited)

        with suppress(ApprovalNotFound, Conflict):  # somebody else was faster
            await self._person.ask(asked, submit)

    async def _caller(self, approval: Approval, session_id: str) -> str:
        """Who wants to make the call: the agent of the turn, or one that it has called."""
        if approval.session_id == session_id:
            return self._agent
        return (await self._service.find_session(approval.session_id)).agent


class Answering(TurnStream):
    """Another stream, whose questions are put to a person while it is read."""

    def __init__(self, stream: TurnStream, service: SessionService, agent: str, person: Person) -> None:
        self.session_id = stream.session_id
        self.turn_id = stream.turn_id
        self.last_seq = stream.last_seq
        self._stream = stream
        self._questions = Questions(
            service, agent, person, pause=nullcontext, on_stop=lambda: None, on_end=lambda: None
        )

    async def read(self) -> Sequence[LoggedEvent]:
        """See `TurnStream`."""
        batch = await self._stream.read()
        for _, event in batch:
            if isinstance(event, ApprovalAsked | ApprovalDecided):
                self._questions.heard(event)
        self._questions.begin(self.session_id)
        return batch

    async def __aenter__(self) -> Self:
        """Join."""
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""
        await self._questions.end()
        await self._stream.__aexit__(kind, error, traceback)
