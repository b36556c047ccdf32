"""The Python API for code with an event loop: `async with hector_nb.aconnect() as hector`.

`AsyncHector` is one user's way in, `AsyncSession` one conversation, `AsyncStream` an answer as it comes, `AsyncMemory` what a session
remembers. `plain.py` has the same names without `await`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import ApprovalNotFound, Conflict, HectorError
from hector_nb.events import ApprovalAsked, LoggedEvent
from hector_nb.frontends.answers import Answer, AnswerParts
from hector_nb.frontends.approving import Approver, speaker
from hector_nb.frontends.connect import open_service
from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.frontends.listing import Listing
from hector_nb.frontends.looking import found_memories, ledger_view, memory_view
from hector_nb.frontends.memory_view import MemoryListing, MemoryView
from hector_nb.frontends.transcript import Transcript
from hector_nb.memories import Memory
from hector_nb.service import AgentInfo, SendMessage, SessionService, TurnStream
from hector_nb.sessions import IfBusy, Session, SessionStatus

_PAGE = 200


class AsyncHector:
    """One user's sessions. Use it as an asynchronous context manager; it can be opened again.

    Args:
        config: The configuration file, or a server's address; None: the first file that is found.
        user: The owner of the sessions; None: the one that this process belongs to. A server knows whose its token is.
        token: What the server wants to see; None: the `?token=` of its address, else `HECTOR_TOKEN`.
        approve: Who gives the word on tool calls that need it: a function of the `Approval` that answers True, False or the arguments
            to use instead, `"ask"` for the person at the terminal, or None: the turn waits until somebody decides it, with `decide` or
            from any other way in, and no answer in time means no.
    """

    def __init__(
        self,
        config: str | Path | None = None,
        *,
        user: str | None = None,
        token: str | None = None,
        approve: Approver = None,
        plain: bool = False,
    ) -> None:
        self._config = config
        self._user = user
        self._token = token
        self._stack = AsyncExitStack()
        self._service: SessionService | None = None
        self.speak = speaker(approve, plain=plain)

    async def __aenter__(self) -> Self:
        if self._service is None:
            opening = open_service(self._config, user=self._user, token=self._token)
            self._service = await self._stack.enter_async_context(opening)
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
                "This connection is closed.",
                hint="Connect again: `hector_nb.connect()`, or `async with hector_nb.aconnect() as hector:`.",
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
        info = await self._agent(agent)
        made, _ = await self.service.create_session(info.name, session_id=session_id, title=title, metadata=metadata)
        return AsyncSession(self, info, made.session_id)

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
        info = await self._agent(agent)
        return await _whole(await _begin(self, info.name, SendMessage(message=message)))

    async def context(self, turn: Answer | str, agent: str | None = None) -> LedgerView:
        """What a turn's model saw; `turn` is an answer or the id of a turn, `agent` the one that was asked (default: the first one)."""
        info = await self._agent(agent)
        return await ledger_view(self.service, info, turn if isinstance(turn, str) else turn.turn_id)

    async def _agent(self, name: str | None) -> AgentInfo:
        return await self.service.get_agent(name) if name else (await self.agents())[0]


class AsyncSession:
    """One conversation with an agent."""

    def __init__(self, hector: AsyncHector, info: AgentInfo, session_id: str) -> None:
        self.agent = info.name
        self.session_id = session_id
        self._hector = hector
        self._info = info

    @property
    def _service(self) -> SessionService:
        return self._hector.service

    def __repr__(self) -> str:
        return f"<{self.session_id} with {self.agent}>"

    async def send(self, message: str, *, if_busy: IfBusy = "queue", idempotency_key: str | None = None) -> Answer:
        """Send a message and wait for the whole answer.

        Raises:
            HectorError: the message was refused or the turn failed; the class says which.
        """
        return await _whole(await self.stream(message, if_busy=if_busy, idempotency_key=idempotency_key))

    async def stream(
        self, message: str, *, if_busy: IfBusy = "queue", idempotency_key: str | None = None
    ) -> "AsyncStream":
        """Send a message; the stream gives the text as it comes. Leaving it early is leaving the turn; cancelling it stops the turn."""
        request = SendMessage(
            message=message, session_id=self.session_id, if_busy=if_busy, idempotency_key=idempotency_key
        )
        return await _begin(self._hector, self.agent, request)

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
        return await memory_view(self._service, self._info, self.session_id)

    async def search_memory(self, query: str, *, limit: int = 10) -> MemoryListing:
        """The memories that a text would recall, best first."""
        return await found_memories(self._service, self._info, self.session_id, query, limit=limit)

    async def correct_memory(self, memory_id: str, text: str) -> Memory:
        """Give a memory another text; that is what is recalled from now on."""
        return await self._service.correct_memory(self.agent, self.session_id, memory_id, text)

    async def forget_memory(self, memory_id: str) -> None:
        """Erase a memory."""
        await self._service.forget_memory(self.agent, self.session_id, memory_id)

    async def context(self, turn: Answer | str) -> LedgerView:
        """What a turn's model saw; `turn` is an answer or the id of a turn."""
        turn_id = turn if isinstance(turn, str) else turn.turn_id
        return await ledger_view(self._service, self._info, turn_id, session_id=self.session_id)

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
        return AsyncSession(self._hector, self._info, forked.session_id)

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

    def __init__(self, hector: AsyncHector, agent: str, stream: TurnStream) -> None:
        self.session_id = stream.session_id
        self.turn_id = stream.turn_id
        self._hector = hector
        self._agent = agent
        self._stream = stream
        self._parts = AnswerParts(session_id=stream.session_id, turn_id=stream.turn_id)

    async def __aiter__(self) -> AsyncIterator[str]:
        try:
            async with self._stream as stream:
                while batch := await stream.read():
                    if text := "".join([self._parts.feed(logged.event) for logged in batch]):
                        yield text
                    await self._give_words(batch)
        except GeneratorExit:
            raise
        except BaseException:
            if self._parts.done is None and not self._parts.failed:
                await self.cancel()
            raise

    @property
    def answer(self) -> Answer:
        """The whole answer.

        Raises:
            ModelInterrupted: the stream was not read to its end.
        """
        return self._parts.answer

    async def cancel(self) -> bool:
        """Stop the turn and keep what was said; whether it ran."""
        service = self._hector.service
        return await service.cancel_turn(self._agent, self.session_id, turn_id=self.turn_id) is not None

    async def _give_words(self, batch: Sequence[LoggedEvent]) -> None:
        """Answer what is asked in these events, and was not answered elsewhere."""
        asked = {event.call_id for _, event in batch if isinstance(event, ApprovalAsked)}
        if self._hector.speak is None or not asked:
            return
        service = self._hector.service
        for approval in await service.list_approvals(self._agent, self.session_id):
            if approval.call_id in asked:
                word = await self._hector.speak(approval, self._agent)
                with suppress(ApprovalNotFound, Conflict):
                    await service.decide_approval(
                        self._agent, self.session_id, approval.call_id, word.decision, edited=word.edited
                    )


async def _begin(hector: AsyncHector, agent: str, request: SendMessage) -> AsyncStream:
    """Start a turn. A message that is on its way into the store cannot be taken back, but its turn can be stopped."""
    starting = asyncio.ensure_future(hector.service.stream_message(agent, request))
    try:
        return AsyncStream(hector, agent, await asyncio.shield(starting))
    except asyncio.CancelledError:
        with suppress(HectorError):
            await AsyncStream(hector, agent, await starting).cancel()
        raise


async def _whole(stream: AsyncStream) -> Answer:
    async for _ in stream:
        pass
    return stream.answer
