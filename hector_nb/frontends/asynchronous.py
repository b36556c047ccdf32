"""The Python API for code with an event loop: `async with hector_nb.aconnect() as hector`.

`AsyncHector` is one user's way in, `AsyncSession` one conversation; answers as they come are in `answer_stream.py`. `plain.py` has the same
names without `await`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, get_args

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import HectorError, InvalidRequest, TurnNotFound
from hector_nb.frontends.answer_stream import AsyncStream, Beginning
from hector_nb.frontends.answers import Answer
from hector_nb.frontends.approving import Approver, speaker
from hector_nb.frontends.connect import open_service
from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.frontends.listing import Listing
from hector_nb.frontends.looking import found_memories, ledger_view, memory_view
from hector_nb.frontends.memory_view import MemoryListing, MemoryView
from hector_nb.frontends.transcript import Transcript
from hector_nb.frontends.transfer import ExportFormat, Importable, exported, imported
from hector_nb.memories import Memory
from hector_nb.service import AgentInfo, SendMessage, SessionService, ToolInfo, TurnStream, all_messages
from hector_nb.sessions import IfBusy, Session, SessionStatus

_PAGE = 100
Value = TypeVar("Value")
_AGENT: Mapping[str, Callable[[AgentInfo], object]] = {
    "agent": lambda each: each.name,
    "model": lambda each: each.model,
    "where": lambda each: each.host or "this process",
    "tools": lambda each: ", ".join(each.tools),
    "description": lambda each: each.description,
}
_TOOL: Mapping[str, Callable[[ToolInfo], object]] = {
    "tool": lambda each: each.name,
    "asks first": lambda each: each.require_approval,
    "description": lambda each: each.description.partition("\n")[0],
}
_SESSION: Mapping[str, Callable[[Session], object]] = {
    "session": lambda each: each.session_id,
    "agent": lambda each: each.agent,
    "title": lambda each: each.title,
    "status": lambda each: each.status,
    "messages": lambda each: each.message_count,
}


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
        self._speak = speaker(approve, plain=plain)

    async def __aenter__(self) -> Self:
        if self._service is None:
            self._service = await self._stack.enter_async_context(self._opening())
        return self

    def _opening(self) -> AbstractAsyncContextManager[SessionService]:
        return open_service(self._config, user=self._user, token=self._token)

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

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'open' if self._service else 'closed'}>"

    async def agents(self) -> Listing[AgentInfo]:
        """The configured agents."""
        return Listing(await self.service.list_agents(), columns=_AGENT, empty="There are no agents.")

    async def tools(self, agent: str | None = None) -> Listing[ToolInfo]:
        """What an agent (default: the first one) can call now, the functions of this program (`@hector_nb.tool`) included.

        Raises:
            AgentNotFound: there is no such agent.
            ToolUnavailable: one of its tools cannot be used.
        """
        info = await self._agent(agent)
        return Listing(await self.service.list_tools(info.name), columns=_TOOL, empty=f"{info.name} has no tools.")

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
        limit: int | None = 50,
    ) -> Listing[Session]:
        """The sessions, newest activity first.

        Args:
            agent: Only those with this agent.
            query: Only those in whose titles or messages these words are.
            status: Only `active`, `ended` or `expired` ones.
            limit: The most sessions; None: all.
        """
        if status is not None:
            _one_of("status", status, SessionStatus)
        found: list[Session] = []
        cursor: str | None = None
        while limit is None or len(found) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = await self.service.list_sessions(agent, limit=size, cursor=cursor, status=status, query=query)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return Listing(found, columns=_SESSION, empty="There are no sessions.")

    async def import_session(self, source: Importable, agent: str | None = None) -> "AsyncSession":
        """A new session, with an agent (default: the first one), that begins with the messages of an export.

        Args:
            source: What `export()` gave, its file as a `Path`, or an object such as `{"messages": [{"role": "user", "content": "Hi"}]}`.
            agent: The agent's name.

        Raises:
            InvalidRequest: it is no conversation; the message says where.
            OSError: the file cannot be read.
        """
        info = await self._agent(agent)
        return AsyncSession(self, info, (await imported(self.service, info.name, source)).session_id)

    async def ask(self, message: str, agent: str | None = None) -> Answer:
        """One question without a session."""
        info = await self._agent(agent)
        return await _whole(Beginning(self._begin(info.name, SendMessage(message=_text(message)))))

    async def context(self, turn: Answer | str, agent: str | None = None) -> LedgerView:
        """What a turn's model saw; `turn` is an answer or the id of a turn, `agent` the one that was asked (default: the first one)."""
        info = await self._agent(agent)
        return await ledger_view(self.service, info, turn if isinstance(turn, str) else turn.turn_id)

    async def _agent(self, name: str | None) -> AgentInfo:
        return await self.service.get_agent(name) if name else (await self.service.list_agents())[0]

    async def _begin(self, agent: str, request: SendMessage) -> AsyncStream:
        """Start a turn. A message that is on its way into the store cannot be taken back, but its turn can be stopped."""
        starting = asyncio.ensure_future(self.service.stream_message(agent, request))
        try:
            return self._stream(agent, await asyncio.shield(starting), own=True)
        except asyncio.CancelledError:
            with suppress(HectorError):
                await self._stream(agent, await starting, own=True).cancel()
            raise

    def _stream(self, agent: str, stream: TurnStream, *, own: bool) -> AsyncStream:
        return AsyncStream(lambda: self.service, agent, stream, speak=self._speak, own=own)


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
        return await _whole(self.stream(message, if_busy=if_busy, idempotency_key=idempotency_key))

    def stream(self, message: str, *, if_busy: IfBusy = "queue", idempotency_key: str | None = None) -> Beginning:
        """Send a message; the stream gives the text as it comes: `async for text in session.stream("Hello")`.

        To stop reading early is to stop the turn; what was said is kept. `await` it to have the stream itself, which knows its
        `turn_id`, and its `answer` at the end.

        Args:
            message: The text, at most 1 MiB.
            if_busy: What to do while another turn of the session runs: wait for it (`queue`), fail (`reject`) or stop it (`interrupt`).
            idempotency_key: The same key with the same message begins one turn only.

        Raises:
            HectorError: the message was refused, or (while the text is read) the turn failed; the class says which.
        """
        request = SendMessage(
            message=_text(message),
            session_id=self.session_id,
            if_busy=_one_of("if_busy", if_busy, IfBusy),
            idempotency_key=idempotency_key,
            on_disconnect="continue",  # this program stops its turns itself
        )
        return Beginning(self._hector._begin(self.agent, request))

    def follow(self, turn: Answer | str | None = None, *, after: int = 0) -> Beginning:
        """Read a turn that somebody has begun, here or anywhere else, from its first event, whether it still runs or not.

        Args:
            turn: An answer, or the id of a turn; None: the one that runs now.
            after: The number of the last event that is known already (`stream.position`): only what follows it is read.

        Raises:
            TurnNotFound: there is no such turn, its events are gone (an hour after its end), or none runs now.
            InvalidRequest: `after` is no number of an event.
        """
        return Beginning(self._follow(turn if isinstance(turn, str | None) else turn.turn_id, after))

    async def _follow(self, turn_id: str | None, after: int) -> AsyncStream:
        turn_id = turn_id or (await self.info()).running_turn
        if turn_id is None:
            raise TurnNotFound("No turn runs in this session now.", hint="Name one: follow(turn_id).")
        stream = await self._service.follow_turn(self.agent, turn_id, session_id=self.session_id, after=after)
        return self._hector._stream(self.agent, stream, own=False)

    async def info(self) -> Session:
        """Its state: title, status, counts, times."""
        return await self._service.get_session(self.agent, self.session_id)

    async def messages(self) -> Transcript:
        """The whole transcript, oldest first."""
        return Transcript(await all_messages(self._service, self.agent, self.session_id))

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
        _one_of("decision", decision, Decision)
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

    async def export(self, format: ExportFormat = "json") -> str:  # noqa: A002 -- it is called so in every way in
        """The conversation as the text of a file: `json`, which `import_session` reads again, `markdown` or `ipynb`."""
        return await exported(self._service, self.agent, self.session_id, format)

    async def rename(self, title: str) -> None:
        """Give it another title."""
        await self._service.update_session(self.agent, self.session_id, title=title)

    async def end(self) -> None:
        """Mark it complete; it stays readable."""
        await self._service.end_session(self.agent, self.session_id)

    async def delete(self, *, forget: bool = False) -> None:
        """Erase it; with `forget` also what it gave to wider memories."""
        await self._service.delete_session(self.agent, self.session_id, forget=forget)


def _text(message: str) -> str:
    if not isinstance(message, str):
        raise InvalidRequest(f"A message is a text, not {type(message).__name__}.", hint="Write it out: str(value).")
    return message


def _one_of(name: str, value: Value, allowed: Any) -> Value:
    """Refuse what a type checker would have refused."""
    if value not in get_args(allowed):
        raise InvalidRequest(f"There is no {name} {value!r}.", hint=f"One of {', '.join(get_args(allowed))}.")
    return value


async def _whole(beginning: Beginning) -> Answer:
    async with beginning as stream:
        async for _ in stream:
            pass
        return stream.answer
