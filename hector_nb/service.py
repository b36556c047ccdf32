"""The one Protocol that people-facing code and transports speak: the sessions of one user, wherever the engine runs.

`runtime/` implements it in process, `client/` over a wire. Above are transports and front ends; below only vocabulary.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar

from hector_nb.approvals import Approval, Decision
from hector_nb.config.schema import ReasoningConfig, RequireApproval, StreamingConfig
from hector_nb.errors import ModelInterrupted, error_classes
from hector_nb.events import FinishReason, LoggedEvent, TextDelta, ToolCalled, TurnDone, TurnFailed, TurnReset
from hector_nb.memories import Ledger, Memory, RecalledMemory, SessionMemory
from hector_nb.messages import Message, ToolCall, Usage
from hector_nb.sessions import IfBusy, Page, Session, SessionStatus, Turn

MAX_MESSAGE_BYTES = 1024 * 1024
"""The largest message, in bytes of UTF-8."""
MAX_METADATA_BYTES = 64 * 1024
"""The largest metadata of a session, in bytes of JSON."""
MAX_TITLE = 500
"""The longest title of a session, in characters."""
_PAGE = 200
"""Messages of a transcript that are read at once."""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentInfo:
    """What may be known of an agent. `host` is where its model runs, None for this process."""

    name: str
    description: str
    model: str
    provider: str
    host: str | None
    tools: Sequence[str] = ()
    memory: Mapping[str, Any] = field(default_factory=dict)
    reasoning: ReasoningConfig = field(default_factory=ReasoningConfig)
    streaming: StreamingConfig = field(default_factory=StreamingConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolInfo:
    """What may be known of a tool of an agent. `require_approval` says whether a person is asked before a call."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    require_approval: RequireApproval


@dataclass(frozen=True, kw_only=True, slots=True)
class SendMessage:
    """A message to an agent. Without `session_id` it is a one-off turn.

    `on_disconnect` overrides the agent's setting: programs that stop turns themselves say `continue`.
    """

    message: str
    session_id: str | None = None
    if_busy: IfBusy = "queue"
    idempotency_key: str | None = None
    on_disconnect: Literal["cancel", "continue"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A whole answer. `tool_calls` are those of the model that were made, or refused for what was wrong with them; a person's no leaves none."""

    session_id: str
    turn_id: str
    message_id: str | None
    response: str
    finish_reason: FinishReason
    usage: Usage
    tool_calls: Sequence[ToolCall] = ()


class TurnStream(Protocol):
    """One reader of one turn's event log, from its start or from where it resumed, to the turn's last event.

    Use it as an asynchronous context manager: inside the block the turn has a reader; leaving it early is leaving the turn. `read`
    gives all events that are there, waiting for at least one; an empty list is the end. `last_seq` is that of the turn's last event,
    where the turn was over when the stream was made.
    """

    session_id: str
    turn_id: str
    last_seq: int | None

    async def read(self) -> Sequence[LoggedEvent]:
        """The next events, in order; empty at the end."""
        ...

    async def __aenter__(self) -> Self:
        """Join."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""
        ...

    async def __aiter__(self) -> AsyncIterator[LoggedEvent]:
        """The events one by one."""
        while batch := await self.read():
            for logged in batch:
                yield logged


class SessionFeed(Protocol):
    """The turns of one session, one after the other, as they come.

    `position` is where the feed begins, in the form of an event id: the id of the session's last event then, or `start`.
    """

    position: str

    async def next_turn(self) -> TurnStream | None:
        """The next turn from its beginning, waiting for it; None when the session is over."""
        ...


class SessionService(Protocol):
    """What one user can do. Every method raises a `HectorError` that says what to do next."""

    async def list_agents(self) -> Sequence[AgentInfo]:
        """The configured agents, in the file's order."""
        ...

    async def get_agent(self, agent: str) -> AgentInfo:
        """One agent."""
        ...

    async def list_tools(self, agent: str) -> Sequence[ToolInfo]:
        """The tools that an agent can call now, those of this process's notebook included.

        Raises:
            ToolUnavailable: one of its sources cannot be used.
        """
        ...

    async def create_session(
        self,
        agent: str,
        *,
        session_id: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> tuple[Session, bool]:
        """A new session and True, or the one that has this id, or was made with this key, already and False."""
        ...

    async def list_sessions(
        self,
        agent: str | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
        status: SessionStatus | None = None,
        query: str | None = None,
    ) -> Page[Session]:
        """This user's sessions, newest activity first; `agent` None: with every agent."""
        ...

    async def get_session(self, agent: str, session_id: str) -> Session:
        """One session."""
        ...

    async def find_session(self, session_id: str) -> Session:
        """One session, whatever its agent."""
        ...

    async def delete_session(self, agent: str, session_id: str, *, forget: bool = False) -> None:
        """Stop what runs in it, then erase it."""
        ...

    async def update_session(
        self, agent: str, session_id: str, *, title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Session:
        """Change title or metadata."""
        ...

    async def end_session(self, agent: str, session_id: str) -> Session:
        """Stop what runs in it and mark it complete; it stays readable."""
        ...

    async def fork_session(self, agent: str, session_id: str, *, after: str | None = None) -> Session:
        """A new session that shares this one's history, up to the message `after` or whole."""
        ...

    async def rewind_session(self, agent: str, session_id: str, *, after: str | None = None) -> Session:
        """The same session without what follows the message `after` (None: emptied)."""
        ...

    async def import_session(
        self,
        agent: str,
        messages: Sequence[Message],
        *,
        title: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> Session:
        """A new session with this transcript; messages without `tokens` are counted."""
        ...

    async def list_messages(
        self, agent: str, session_id: str, *, limit: int = 100, cursor: str | None = None, newest: bool = False
    ) -> Page[Message]:
        """The transcript, oldest first; `newest`: its last page first, the one before it next, each of them oldest first."""
        ...

    async def stream_message(self, agent: str, request: SendMessage) -> TurnStream:
        """Start a turn. The user's message is stored when this returns; the stream may still be waiting for its place in the session's queue."""
        ...

    async def follow_turn(
        self, agent: str, turn_id: str, *, session_id: str | None = None, after: int = 0
    ) -> TurnStream:
        """Join a turn, or read a finished one, from the event after `after`."""
        ...

    async def follow_session(self, agent: str, session_id: str, *, after: str | None = None) -> SessionFeed:
        """Follow a session: the turns that follow the turn `after`; `start`: all; None: the running one and later ones.

        Raises:
            SessionEnded: nothing more will come.
        """
        ...

    async def get_memory(
        self, agent: str, session_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> SessionMemory:
        """What the session remembers: the ledger of what its model would see now, and a page of its long-term memories."""
        ...

    async def search_memory(
        self, agent: str, session_id: str, query: str, *, limit: int = 10
    ) -> Sequence[RecalledMemory]:
        """The long-term memories that the session would recall for a text, best first, those in the window included."""
        ...

    async def correct_memory(self, agent: str, session_id: str, memory_id: str, text: str) -> Memory:
        """Give a memory another text; that is what is recalled from now on.

        Raises:
            MemoryNotFound: the session has no such memory.
            Forbidden: somebody else gave it.
            InvalidRequest: the text is empty or too long.
        """
        ...

    async def forget_memory(self, agent: str, session_id: str, memory_id: str) -> None:
        """Erase a memory; errors as for `correct_memory`."""
        ...

    async def restore_memory(self, agent: str, session_id: str, memory_id: str) -> Memory:
        """Put a memory back that was forgotten less than 10 seconds ago, by way of the same process.

        Raises:
            MemoryNotFound: it was forgotten too long ago, or elsewhere, or its session has been deleted since.
        """
        ...

    async def get_context(self, agent: str, turn_id: str, *, session_id: str | None = None) -> Ledger:
        """What a turn's model saw.

        Raises:
            TurnNotFound: there is no such turn, or it never asked its model.
        """
        ...

    async def list_approvals(self, agent: str, session_id: str) -> Sequence[Approval]:
        """The tool calls of the session that wait for a person's word."""
        ...

    async def decide_approval(
        self,
        agent: str,
        session_id: str,
        call_id: str,
        decision: Decision,
        *,
        edited: Mapping[str, Any] | None = None,
    ) -> Approval:
        """Give the word on a tool call; the turn goes on, wherever it runs. With `edited` the call is made with these arguments.

        Raises:
            ApprovalNotFound: no such call waits.
            Conflict: it was decided otherwise before.
            InvalidRequest: the edited arguments do not fit the tool.
        """
        ...

    async def get_tool_output(self, agent: str, session_id: str, call_id: str) -> str:
        """All that a tool said, also what its message leaves out.

        Raises:
            MessageNotFound: no tool of this session has answered this call.
        """
        ...

    async def cancel_turn(self, agent: str, session_id: str, *, turn_id: str | None = None) -> Turn | None:
        """Stop the session's running turn (or the one named), keep what was said; None if nothing ran."""
        ...


async def collect(stream: TurnStream) -> Reply:
    """Read a turn to its end.

    Raises:
        HectorError: the turn failed; the class is that of the failure's code.
    """
    text: list[str] = []
    calls: list[ToolCall] = []
    async with stream:
        async for _, event in stream:
            match event:
                case TextDelta():
                    text.append(event.text)
                case TurnReset():
                    text = [event.text]
                case ToolCalled():
                    calls.append(ToolCall(call_id=event.call_id, name=event.name, arguments=event.arguments))
                case TurnFailed():
                    raise failure(event)
                case TurnDone():
                    return Reply(
                        session_id=stream.session_id,
                        turn_id=stream.turn_id,
                        message_id=event.message_id,
                        response="".join(text),
                        finish_reason=event.finish_reason,
                        usage=event.usage,
                        tool_calls=tuple(calls),
                    )
    raise ModelInterrupted("The stream ended before the turn did.", hint="Follow the turn to get the rest.")


async def every(fetch: Callable[[str | None], Awaitable[Page[T]]], *, pages: int | None = None) -> AsyncIterator[T]:
    """The items of so many pages (None: of all); `fetch` gets a page's cursor, None for the first."""
    cursor: str | None = None
    for _ in count() if pages is None else range(pages):
        page = await fetch(cursor)
        for item in page.items:
            yield item
        if (cursor := page.next_cursor) is None:
            return


def transcript_of(service: SessionService, agent: str, session_id: str) -> AsyncIterator[Message]:
    """All messages of a session, oldest first, read page by page."""
    return every(lambda cursor: service.list_messages(agent, session_id, limit=_PAGE, cursor=cursor))


async def all_messages(service: SessionService, agent: str, session_id: str) -> list[Message]:
    """The whole transcript of a session, oldest first."""
    return [message async for message in transcript_of(service, agent, session_id)]


def failure(event: TurnFailed) -> Exception:
    """The exception that a failed turn stands for."""
    cls = error_classes().get(event.code, ModelInterrupted)
    return cls(event.message, hint=event.hint)


__all__ = [
    "MAX_MESSAGE_BYTES",
    "MAX_METADATA_BYTES",
    "MAX_TITLE",
    "AgentInfo",
    "Reply",
    "SendMessage",
    "SessionFeed",
    "SessionService",
    "ToolInfo",
    "TurnStream",
    "all_messages",
    "collect",
    "every",
    "failure",
    "transcript_of",
]
