"""The Python API for plain code: `hector = hector_nb.connect()`. The names of `asynchronous.py` without `await`.

Everything runs on the process's event-loop thread, so it works in scripts, in IPython and in notebooks, whose own loop is never blocked
by it and never nested. While a call waits on the main thread, agents can call the functions that were defined there.
"""

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from hector_nb.events import LoggedEvent
from hector_nb.frontends.answer_stream import AsyncStream, Beginning
from hector_nb.frontends.answers import Answer
from hector_nb.frontends.approving import Approver
from hector_nb.frontends.asynchronous import AsyncHector, AsyncSession
from hector_nb.frontends.connect import LoopThread
from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.frontends.memory_view import MemoryView
from hector_nb.frontends.transfer import Importable
from hector_nb.sessions import IfBusy

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, repr=False)
class PlainAnswer(Answer):
    """An answer that can say what its model saw."""

    look: Callable[[], LedgerView] = field(compare=False)

    @property
    def context(self) -> LedgerView:
        """What the model saw in the answer's turn.

        Raises:
            TurnNotFound: the turn is gone, or never asked its model.
        """
        return self.look()


class _Plain(Generic[A]):
    """The plain face of something asynchronous."""

    _loop: LoopThread
    _inner: A

    def __repr__(self) -> str:
        return repr(self._inner).replace("<Async", "<")


def _plainly(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[_Plain[A], P], T]:
    """The same method for callers that wait: its name, its parameters, its docstring."""

    @functools.wraps(method)
    def call(plain: _Plain[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return plain._loop.run(method(plain._inner, *args, **kwargs))

    return call


class Hector(_Plain[AsyncHector]):
    """One user's sessions. It is open from the start; use it as a context manager, or call `close` at the end."""

    def __init__(
        self,
        config: str | Path | None = None,
        *,
        user: str | None = None,
        token: str | None = None,
        approve: Approver = None,
    ) -> None:
        """The arguments are those of `AsyncHector`; a function that approves is called on the main thread."""
        self._open(AsyncHector(config, user=user, token=token, approve=approve, plain=True))

    def _open(self, inner: AsyncHector) -> None:
        self._loop = LoopThread.shared()
        self._inner = inner
        self._loop.run(inner.__aenter__())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    close = _plainly(AsyncHector.aclose)
    agents = _plainly(AsyncHector.agents)
    tools = _plainly(AsyncHector.tools)
    sessions = _plainly(AsyncHector.sessions)

    def session(
        self,
        agent: str | None = None,
        session_id: str | None = None,
        *,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> "PlainSession":
        """A new session with an agent (default: the first one), or the one that has this id; an unknown id is created.

        Raises:
            AgentNotFound: there is no such agent.
            Conflict: the id is in use with another agent.
        """
        made = self._inner.session(agent, session_id, title=title, metadata=metadata)
        return PlainSession(self._loop, self._loop.run(made))

    def import_session(self, source: Importable, agent: str | None = None) -> "PlainSession":
        """A new session, with an agent (default: the first one), that begins with the messages of an export.

        Args:
            source: What `export()` gave, its file as a `Path`, or an object such as `{"messages": [{"role": "user", "content": "Hi"}]}`.
            agent: The agent's name.

        Raises:
            InvalidRequest: it is no conversation; the message says where.
            OSError: the file cannot be read.
        """
        return PlainSession(self._loop, self._loop.run(self._inner.import_session(source, agent)))

    def ask(self, message: str, agent: str | None = None) -> PlainAnswer:
        """One question without a session.

        Raises:
            HectorError: the message was refused or the turn failed; the class says which.
        """
        answer = self._loop.run(self._inner.ask(message, agent))
        return _plain(answer, lambda: self._loop.run(self._inner.context(answer.turn_id, agent)))


class PlainSession(_Plain[AsyncSession]):
    """One conversation with an agent. `agent` and `session_id` name it."""

    def __init__(self, loop: LoopThread, inner: AsyncSession) -> None:
        self.agent = inner.agent
        self.session_id = inner.session_id
        self._loop = loop
        self._inner = inner

    def _ipython_display_(self) -> None:
        """In a notebook a session is shown as a chat."""
        from hector_nb.frontends.widget.opening import show_session

        show_session(
            self._inner._service, self._loop, agent=self.agent, session_id=self.session_id, otherwise=repr(self)
        )

    def send(self, message: str, *, if_busy: IfBusy = "queue", idempotency_key: str | None = None) -> PlainAnswer:
        """Send a message and wait for the whole answer. The arguments are those of `stream`.

        Raises:
            HectorError: the message was refused or the turn failed; the class says which.
        """
        answer = self._loop.run(self._inner.send(message, if_busy=if_busy, idempotency_key=idempotency_key))
        return _plain(answer, lambda: self.context(answer))

    def stream(self, message: str, *, if_busy: IfBusy = "queue", idempotency_key: str | None = None) -> "PlainStream":
        """Send a message; the stream gives the text as it comes: `for text in session.stream("Hello")`.

        To stop reading early (`break`) is to stop the turn; what was said is kept. The stream knows its `turn_id`, and its `answer` at
        the end.

        Args:
            message: The text, at most 1 MiB.
            if_busy: What to do while another turn of the session runs: wait for it (`queue`), fail (`reject`) or stop it (`interrupt`).
            idempotency_key: The same key with the same message begins one turn only.

        Raises:
            HectorError: the message was refused, or (while the text is read) the turn failed; the class says which.
        """
        return self._begin(self._inner.stream(message, if_busy=if_busy, idempotency_key=idempotency_key))

    def follow(self, turn: Answer | str | None = None, *, after: int = 0) -> "PlainStream":
        """Read a turn that somebody has begun, here or anywhere else, from its first event, whether it still runs or not.

        Args:
            turn: An answer, or the id of a turn; None: the one that runs now.
            after: The number of the last event that is known already (`stream.position`): only what follows it is read.

        Raises:
            TurnNotFound: there is no such turn, its events are gone (an hour after its end), or none runs now.
            InvalidRequest: `after` is no number of an event.
        """
        return self._begin(self._inner.follow(turn, after=after))

    def _begin(self, beginning: Beginning) -> "PlainStream":
        return PlainStream(self._loop, self._loop.run(_begun(beginning)), self)

    @property
    def memory(self) -> MemoryView:
        """What the session remembers: what its model would see now, and the memories it may recall."""
        return self._loop.run(self._inner.memory())

    def fork(self, *, after: str | None = None) -> "PlainSession":
        """A new session with this one's history, up to the message `after` or whole."""
        return PlainSession(self._loop, self._loop.run(self._inner.fork(after=after)))

    info = _plainly(AsyncSession.info)
    messages = _plainly(AsyncSession.messages)
    search_memory = _plainly(AsyncSession.search_memory)
    correct_memory = _plainly(AsyncSession.correct_memory)
    forget_memory = _plainly(AsyncSession.forget_memory)
    context = _plainly(AsyncSession.context)
    approvals = _plainly(AsyncSession.approvals)
    decide = _plainly(AsyncSession.decide)
    cancel = _plainly(AsyncSession.cancel)
    rewind = _plainly(AsyncSession.rewind)
    export = _plainly(AsyncSession.export)
    rename = _plainly(AsyncSession.rename)
    end = _plainly(AsyncSession.end)
    delete = _plainly(AsyncSession.delete)


class PlainStream(_Plain[AsyncStream]):
    """An answer as it comes: iterate over its text, or over its `events()`; `answer` is the whole, after the last of it.

    Whoever stops reading the answer to a message of his own (`break`, an error, the end of a `with` block) stops the turn; what was said
    is kept. A turn that is only followed goes on.
    """

    def __init__(self, loop: LoopThread, inner: AsyncStream, session: PlainSession) -> None:
        self.agent = inner.agent
        self.session_id = inner.session_id
        self.turn_id = inner.turn_id
        self._loop = loop
        self._inner = inner
        self._session = session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.run(self._inner.__aexit__(kind, error, traceback))

    def __iter__(self) -> Iterator[str]:
        """The text, piece by piece.

        Raises:
            HectorError: the turn failed; the class says how.
        """
        return self._each(aiter(self._inner))

    def events(self) -> Iterator[LoggedEvent]:
        """All that happens in the turn, numbered from 1: text, thinking, tool calls and their results, usage, the end.

        A turn that failed ends with a `TurnFailed`; nothing is raised.
        """
        return self._each(self._inner.events())

    def _each(self, values: AsyncIterator[T]) -> Iterator[T]:
        try:
            while (value := self._loop.run(_next(values))) is not None:
                yield value
        finally:
            self._loop.run(_close(values))

    @property
    def position(self) -> int:
        """The number of the last event that was read; `follow(turn_id, after=position)` goes on there."""
        return self._inner.position

    @property
    def answer(self) -> PlainAnswer:
        """The whole answer.

        Raises:
            ModelInterrupted: the stream was not read to its end.
            HectorError: the turn failed; the class says how.
        """
        return _plain(self._inner.answer, lambda: self._session.context(self.turn_id))

    cancel = _plainly(AsyncStream.cancel)


def _plain(answer: Answer, look: Callable[[], LedgerView]) -> PlainAnswer:
    return PlainAnswer(**{each.name: getattr(answer, each.name) for each in fields(answer)}, look=look)


async def _begun(beginning: Beginning) -> AsyncStream:
    return await beginning


async def _next(values: AsyncIterator[T]) -> T | None:
    return await anext(values, None)


async def _close(values: AsyncIterator[Any]) -> None:
    await values.aclose()  # type: ignore[attr-defined]
