"""The Python API for plain code: `hector = hector_nb.connect()`. The names of `asynchronous.py` without `await`.

Everything runs on the process's event-loop thread, so it works in scripts, in IPython and in notebooks, whose own loop is never blocked
by it and never nested. While a call waits on the main thread, agents can call the functions that were defined there.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hector_nb.approvals import Approval, Decision
from hector_nb.frontends.answers import Answer
from hector_nb.frontends.approving import Approver
from hector_nb.frontends.asynchronous import AsyncHector, AsyncSession, AsyncStream
from hector_nb.frontends.connect import LoopThread
from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.frontends.listing import Listing
from hector_nb.frontends.memory_view import MemoryListing, MemoryView
from hector_nb.frontends.transcript import Transcript
from hector_nb.memories import Memory
from hector_nb.service import AgentInfo
from hector_nb.sessions import IfBusy, Session, SessionStatus


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


class Hector:
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
        self._loop = LoopThread.shared()
        self._inner = AsyncHector(config, user=user, token=token, approve=approve, plain=True)
        self._loop.run(self._inner.__aenter__())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free everything; answers under way are stopped, and what was said is kept."""
        self._loop.run(self._inner.aclose())

    def agents(self) -> Sequence[AgentInfo]:
        """The configured agents."""
        return self._loop.run(self._inner.agents())

    def session(
        self,
        agent: str | None = None,
        session_id: str | None = None,
        *,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> "PlainSession":
        """See `AsyncHector.session`."""
        return PlainSession(
            self._loop, self._loop.run(self._inner.session(agent, session_id, title=title, metadata=metadata))
        )

    def sessions(
        self,
        agent: str | None = None,
        *,
        query: str | None = None,
        status: SessionStatus | None = None,
        limit: int = 50,
    ) -> Listing[Session]:
        """See `AsyncHector.sessions`."""
        return self._loop.run(self._inner.sessions(agent, query=query, status=status, limit=limit))

    def ask(self, message: str, agent: str | None = None) -> PlainAnswer:
        """One question without a session."""
        answer = self._loop.run(self._inner.ask(message, agent))
        return _plain(answer, lambda: self._loop.run(self._inner.context(answer.turn_id, agent)))


class PlainSession:
    """One conversation with an agent."""

    def __init__(self, loop: LoopThread, inner: AsyncSession) -> None:
        self.agent = inner.agent
        self.session_id = inner.session_id
        self._loop = loop
        self._inner = inner

    def __repr__(self) -> str:
        return repr(self._inner)

    def send(self, message: str, *, if_busy: IfBusy = "queue", idempotency_key: str | None = None) -> PlainAnswer:
        """See `AsyncSession.send`."""
        answer = self._loop.run(self._inner.send(message, if_busy=if_busy, idempotency_key=idempotency_key))
        return _plain(answer, lambda: self.context(answer))

    def stream(self, message: str, *, if_busy: IfBusy = "queue", idempotency_key: str | None = None) -> "PlainStream":
        """See `AsyncSession.stream`."""
        inner = self._inner.stream(message, if_busy=if_busy, idempotency_key=idempotency_key)
        return PlainStream(self._loop, self._loop.run(inner), self)

    def info(self) -> Session:
        """Its state: title, status, counts, times."""
        return self._loop.run(self._inner.info())

    def messages(self) -> Transcript:
        """The whole transcript, oldest first."""
        return self._loop.run(self._inner.messages())

    @property
    def memory(self) -> MemoryView:
        """What the session remembers: what its model would see now, and the memories it may recall."""
        return self._loop.run(self._inner.memory())

    def search_memory(self, query: str, *, limit: int = 10) -> MemoryListing:
        """The memories that a text would recall, best first."""
        return self._loop.run(self._inner.search_memory(query, limit=limit))

    def correct_memory(self, memory_id: str, text: str) -> Memory:
        """Give a memory another text; that is what is recalled from now on."""
        return self._loop.run(self._inner.correct_memory(memory_id, text))

    def forget_memory(self, memory_id: str) -> None:
        """Erase a memory."""
        self._loop.run(self._inner.forget_memory(memory_id))

    def context(self, turn: Answer | str) -> LedgerView:
        """What a turn's model saw; `turn` is an answer or the id of a turn."""
        return self._loop.run(self._inner.context(turn))

    def approvals(self) -> Sequence[Approval]:
        """The tool calls that wait for somebody's word."""
        return self._loop.run(self._inner.approvals())

    def decide(self, call_id: str, decision: Decision, *, edited: Mapping[str, Any] | None = None) -> Approval:
        """Approve or deny a tool call; with `edited` it is made with these arguments."""
        return self._loop.run(self._inner.decide(call_id, decision, edited=edited))

    def cancel(self) -> bool:
        """Stop the running turn and keep what was said; whether one ran."""
        return self._loop.run(self._inner.cancel())

    def fork(self, *, after: str | None = None) -> "PlainSession":
        """A new session with this one's history, up to the message `after` or whole."""
        return PlainSession(self._loop, self._loop.run(self._inner.fork(after=after)))

    def rewind(self, *, after: str | None = None) -> None:
        """Take back what follows the message `after`; None: everything."""
        self._loop.run(self._inner.rewind(after=after))

    def rename(self, title: str) -> None:
        """Give it another title."""
        self._loop.run(self._inner.rename(title))

    def end(self) -> None:
        """Mark it complete; it stays readable."""
        self._loop.run(self._inner.end())

    def delete(self, *, forget: bool = False) -> None:
        """Erase it; with `forget` also what it gave to wider memories."""
        self._loop.run(self._inner.delete(forget=forget))


class PlainStream:
    """An answer as it comes: iterate over its text. `answer` is the whole, once the iteration has ended."""

    def __init__(self, loop: LoopThread, inner: AsyncStream, session: PlainSession) -> None:
        self.session_id = inner.session_id
        self.turn_id = inner.turn_id
        self._loop = loop
        self._inner = inner
        self._session = session

    def __iter__(self) -> Iterator[str]:
        texts = aiter(self._inner)
        try:
            while (text := self._loop.run(_next(texts))) is not None:
                yield text
        finally:
            self._loop.run(_close(texts))

    @property
    def answer(self) -> PlainAnswer:
        """See `AsyncStream.answer`."""
        return _plain(self._inner.answer, lambda: self._session.context(self.turn_id))

    def cancel(self) -> bool:
        """Stop the turn and keep what was said; whether it ran."""
        return self._loop.run(self._inner.cancel())


def _plain(answer: Answer, look: Callable[[], LedgerView]) -> PlainAnswer:
    return PlainAnswer(**{each.name: getattr(answer, each.name) for each in fields(answer)}, look=look)


async def _next(texts: AsyncIterator[str]) -> str | None:
    return await anext(texts, None)


async def _close(texts: AsyncIterator[str]) -> None:
    await texts.aclose()  # type: ignore[attr-defined]
