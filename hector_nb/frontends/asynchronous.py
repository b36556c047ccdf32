"""The Python API for code with an event loop: `async with hector_nb.aconnect() as hector`.

`AsyncHector` is one user's way in, `AsyncSession` one conversation, `AsyncStream` an answer as it comes, `AsyncMemory` what a session
remembers. `plain.py` has the same names without `await`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import HectorError
from hector_nb.frontends.answers import Answer, AnswerParts
from hector_nb.frontends.connect import open_service
from hector_nb.frontends.ledger_view import LedgerView, MemoryListing, MemoryView
from hector_nb.frontends.listing import Listing
from hector_nb.frontends.transcript import Transcript
from hector_nb.memories import Memory
from hector_nb.service import AgentInfo, SendMessage, SessionService, TurnStream
from hector_nb.sessions import IfBusy, Session, SessionStatus

_PAGE = 200


class AsyncHector:
    """One user's sessions. Use it as an asynchronous context manager, or call `aclose` at the end."""

    def __init__(self, config: str | Path | None = None, *, user: str | None = None) -> None:
        self._opening = open_service(config, user=user)
        self._stack = AsyncExitStack()
        self._service: SessionService | None = None

    async def __aenter__(self) -> Self:
        self._service = await self._stack.enter_async_context(self._opening)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Free everything; answers under way are stopped, and what was said is kept."""
        self._service = None
        await self._stack.aclose()

    @property
    def service(self) -> SessionService:
        """What all calls go to.

        Raises:
            HectorError: it is not open.
        """
        if self._service is None:
            raise HectorError(
                "This connection is closed.", hint="Use it inside `async with hector_nb.aconnect() as hector:`."
            )
        return self._service

    async def agents(self) -> Sequence[AgentInfo]:
        """The configured agents."""
        return await self.service.list_agents()

    async def session(
        self,
        agent: str | None = None,
        session_id: str | None = None,
        *,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> "AsyncSession":
        """A new session with an agent (default: the first one), or the one that has this id; an unknown id is created.

        Raises:
            AgentNotFound: there is no such agent.
            Conflict: the id is in use with another agent.
        """
        info = await self.service.get_agent(agent) if agent else (await self.agents())[0]
        made, _ = await self.service.create_session(info.name, session_id=session_id, title=title, metadata=metadata)
        return AsyncSession(self.service, info, made.session_id)

    async def sessions(
        self,
        agent: str | None = None,
        *,
        query: str | None = None,
        status: SessionStatus | None = None,
        limit: int = 50,
    ) -> Listing[Session]:
        """The sessions, newest activity first; `query` searches titles and messages."""
        page = await self.service.list_sessions(agent, limit=limit, status=status, query=query)
        return Listing(
            page.items,
            columns={
                "session": lambda each: each.session_id,
                "agent": lambda each: each.agent,
                "title": lambda each: each.title,
                "status": lambda each: each.status,
                "messages": lambda each: each.message_count,
            },
            empty="There are no sessions.",
        )

    async def ask(self, message: str, agent: str | None = None) -> Answer:
        """One question without a session."""
        info = await self.service.get_agent(agent) if agent else (await self.agents())[0]
        stream = AsyncStream(await self.service.stream_message(info.name, SendMessage(message=message)))
        async for _ in stream:
            pass
        return stream.answer


class AsyncSession:
    """One conversation with an agent."""

    def __init__(self, service: SessionService, info: AgentInfo, session_id: str) -> None:
        self.agent = info.name
        self.session_id = session_id
        self._service = service
        self._info = info

    def __repr__(self) -> str:
        return f"<{self.session_id} with {self.agent}>"

    async def send(self, message: str, *, if_busy: IfBusy = "queue", idempotency_key: str | None = None) -> Answer:
        """Send a message and wait for the whole answer.

        Raises:
            HectorError: the message was refused or the turn failed; the class says which.
        """
        stream = await self.stream(message, if_busy=if_busy, idempotency_key=idempotency_key)
        async for _ in stream:
            pass
        return stream.answer

    async def stream(
        self, message: str, *, if_busy: IfBusy = "queue", idempotency_key: str | None = None
    ) -> "AsyncStream":
        """Send a message; the stream gives the text as it comes. Leaving it early is leaving the turn."""
        request = SendMessage(
            message=message, session_id=self.session_id, if_busy=if_busy, idempotency_key=idempotency_key
        )
        return AsyncStream(await self._service.stream_message(self.agent, request))

    async def info(self) -> Session:
        """Its state: title, status, counts, times."""
        return await self._service.get_session(self.agent, self.session_id)

    async def messages(self) -> Transcript:
        """The whole transcript, oldest first."""
        found: Transcript = Transcript(())
        cursor: str | None = None
        while True:
            page = await self._service.list_messages(self.agent, self.session_id, limit=_PAGE, cursor=cursor)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def memory(self) -> MemoryView:
        """What the session remembers: what its model would see now, and the memories it may recall."""
        memory = await self._service.get_memory(self.agent, self.session_id)
        return MemoryView(memory, settings=self._info.memory.get("working"))

    async def search_memory(self, query: str, *, limit: int = 10) -> MemoryListing:
        """The memories that a text would recall, best first."""
        found = await self._service.search_memory(self.agent, self.session_id, query, limit=limit)
        return MemoryListing(found, empty="Nothing was found.")

    async def correct_memory(self, memory_id: str, text: str) -> Memory:
        """Give a memory another text; that is what is recalled from now on."""
        return await self._service.correct_memory(self.agent, self.session_id, memory_id, text)

    async def forget_memory(self, memory_id: str) -> None:
        """Erase a memory."""
        await self._service.forget_memory(self.agent, self.session_id, memory_id)

    async def context(self, turn: Answer | str) -> LedgerView:
        """What a turn's model saw; `turn` is an answer or the id of a turn."""
        turn_id = turn if isinstance(turn, str) else turn.turn_id
        ledger = await self._service.get_context(self.agent, turn_id, session_id=self.session_id)
        return LedgerView(ledger, settings=self._info.memory.get("working"))

    async def approvals(self) -> Sequence[Approval]:
        """The tool calls that wait for somebody's word."""
        return await self._service.list_approvals(self.agent, self.session_id)

    async def decide(self, call_id: str, decision: Decision, *, edited: Mapping[str, Any] | None = None) -> Approval:
        """Approve or deny a tool call; with `edited` it is made with these arguments."""
        return await self._service.decide_approval(self.agent, self.session_id, call_id, decision, edited=edited)

    async def cancel(self) -> bool:
        """Stop the running turn and keep what was said; whether one ran."""
        return await self._service.cancel_turn(self.agent, self.session_id) is not None

    async def fork(self, *, after: str | None = None) -> "AsyncSession":
        """A new session with this one's history, up to the message `after` or whole."""
        forked = await self._service.fork_session(self.agent, self.session_id, after=after)
        return AsyncSession(self._service, self._info, forked.session_id)

    async def rewind(self, *, after: str | None = None) -> None:
        """Take back what follows the message `after`; None: everything."""
        await self._service.rewind_session(self.agent, self.session_id, after=after)

    async def rename(self, title: str) -> None:
        """Give it another title."""
        await self._service.update_session(self.agent, self.session_id, title=title)

    async def end(self) -> None:
        """Mark it complete; it stays readable."""
        await self._service.end_session(self.agent, self.session_id)

    async def delete(self, *, forget: bool = False) -> None:
        """Erase it; with `forget` also what it gave to wider memories."""
        await self._service.delete_session(self.agent, self.session_id, forget=forget)


class AsyncStream:
    """An answer as it comes: iterate over its text. `answer` is the whole, once the iteration has ended."""

    def __init__(self, stream: TurnStream) -> None:
        self.session_id = stream.session_id
        self.turn_id = stream.turn_id
        self._stream = stream
        self._parts = AnswerParts(session_id=stream.session_id, turn_id=stream.turn_id)

    async def __aiter__(self) -> AsyncIterator[str]:
        async with self._stream as stream:
            while batch := await stream.read():
                if text := "".join([self._parts.feed(logged.event) for logged in batch]):
                    yield text

    @property
    def answer(self) -> Answer:
        """The whole answer.

        Raises:
            ModelInterrupted: the stream was not read to its end.
        """
        return self._parts.answer
