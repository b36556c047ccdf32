"""An answer of the Python API while it comes. Above are `asynchronous.py` and `plain.py`, below is `answers.py`."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any, Self, TypeAlias

from hector_nb.approvals import Approval
from hector_nb.errors import ApprovalNotFound, Conflict, HectorError
from hector_nb.events import ApprovalAsked, LoggedEvent
from hector_nb.frontends.answers import Answer, AnswerParts
from hector_nb.frontends.approving import Speaker
from hector_nb.service import SessionService, TurnStream

Reached: TypeAlias = Callable[[], SessionService]
"""Gives the service, or raises `HectorError` where the connection is closed."""


class AsyncStream:
    """An answer as it comes: iterate over its text, or over its `events()`; `answer` is the whole, after the last of it.

    Whoever stops reading the answer to a message of his own (`break`, an error, the end of an `async with` block) stops the turn; what
    was said is kept. A turn that is only followed goes on.
    """

    def __init__(self, service: Reached, agent: str, stream: TurnStream, *, speak: Speaker | None, own: bool) -> None:
        self.agent = agent
        self.session_id = stream.session_id
        self.turn_id = stream.turn_id
        self.position = 0
        """The number of the last event that was read; `follow(turn_id, after=position)` goes on there."""
        self._service = service
        self._stream = stream
        self._speak = speak
        self._own = own
        self._parts = AnswerParts(session_id=stream.session_id, turn_id=stream.turn_id)

    def __repr__(self) -> str:
        return f"<{self.turn_id} of {self.agent}: {'complete' if self._parts.over else f'{self.position} events read'}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._leave()

    async def __aiter__(self) -> AsyncIterator[str]:
        """The text, piece by piece.

        Raises:
            HectorError: the turn failed; the class says how.
        """
        async with aclosing(self._batches()) as batches:
            async for batch in batches:
                self.position = batch[-1].seq
                if text := "".join([self._parts.feed(logged.event) for logged in batch]):
                    yield text

    async def events(self) -> AsyncGenerator[LoggedEvent]:
        """All that happens in the turn, numbered from 1: text, thinking, tool calls and their results, usage, the end.

        A turn that failed ends with a `TurnFailed`; nothing is raised.
        """
        async with aclosing(self._batches()) as batches:
            async for batch in batches:
                for logged in batch:
                    self.position = logged.seq
                    with suppress(HectorError):  # the event says it
                        self._parts.feed(logged.event)
                    yield logged

    @property
    def answer(self) -> Answer:
        """The whole answer.

        Raises:
            ModelInterrupted: the stream was not read to its end.
            HectorError: the turn failed; the class says how.
        """
        return self._parts.answer

    async def cancel(self) -> bool:
        """Stop the turn and keep what was said; whether it ran."""
        return await self._service().cancel_turn(self.agent, self.session_id, turn_id=self.turn_id) is not None

    async def _batches(self) -> AsyncGenerator[Sequence[LoggedEvent]]:
        try:
            async with self._stream as stream:
                while batch := await stream.read():
                    yield batch
                    await self._give_words(batch)
        except BaseException:
            await self._leave()
            raise

    async def _leave(self) -> None:
        if self._own and not self._parts.over:
            with suppress(HectorError):
                await self.cancel()

    async def _give_words(self, batch: Sequence[LoggedEvent]) -> None:
        """Answer what is asked in these events, and was not answered elsewhere."""
        asked = {event.call_id for _, event in batch if isinstance(event, ApprovalAsked)}
        if self._speak is None or not asked:
            return
        for approval in await self._service().list_approvals(self.agent, self.session_id):
            if approval.call_id in asked:
                await self._give_word(approval, self._speak)

    async def _give_word(self, approval: Approval, speak: Speaker) -> None:
        word = await speak(approval, self.agent)
        with suppress(ApprovalNotFound, Conflict):
            await self._service().decide_approval(
                self.agent, self.session_id, approval.call_id, word.decision, edited=word.edited
            )


class Beginning(Awaitable[AsyncStream]):
    """A stream that is about to begin: `await` it, or use it at once in `async for` and `async with`."""

    def __init__(self, beginning: Coroutine[Any, Any, AsyncStream]) -> None:
        self._beginning = beginning
        self._begun: AsyncStream | None = None

    def __await__(self) -> Generator[Any, Any, AsyncStream]:
        return self._beginning.__await__()

    async def __aiter__(self) -> AsyncIterator[str]:
        async with await self as stream:
            async for text in stream:
                yield text

    async def __aenter__(self) -> AsyncStream:
        self._begun = await self
        return self._begun

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._begun is not None:
            await self._begun.__aexit__(kind, error, traceback)
