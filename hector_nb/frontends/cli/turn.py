"""One turn in a terminal: its events to the screen, Ctrl-C to the turn.

The first Ctrl-C stops the answer and keeps what was said; a second one, while that is under way, ends the program.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType
from typing import Any

from hector_nb.config.schema import ReasoningConfig
from hector_nb.errors import HectorError, ModelInterrupted
from hector_nb.events import (
    ApprovalAsked,
    ApprovalDecided,
    Event,
    NestedDelta,
    TextDelta,
    ThinkingDelta,
    ToolCalled,
    ToolReturned,
    TurnDone,
    TurnFailed,
    TurnReset,
    TurnStarted,
    is_last,
)
from hector_nb.frontends.cli.approving import Person
from hector_nb.frontends.cli.questions import Questions
from hector_nb.frontends.cli.screen import Screen
from hector_nb.service import SendMessage, SessionService, TurnStream, failure
from hector_nb.wire.framer import said
from hector_nb.wire.frames import View


class AnswerOnScreen:
    """Shows a turn until it ends or somebody presses Ctrl-C; `person` is asked where a tool call waits for a word.

    With `person` None the turn is left where it waits. `turn_id` is that of the turn, when it is known.
    """

    def __init__(self, service: SessionService, agent: str, screen: Screen, view: View, person: Person | None) -> None:
        self.turn_id: str | None = None
        self._stopped = False
        self._service = service
        self._agent = agent
        self._screen = screen
        self._view = view
        self._starting: asyncio.Task[TurnStream] | None = None
        self._stream: TurnStream | None = None
        self._stopping: asyncio.Task[object] | None = None
        self._held: list[Event] = []
        self._questions: Questions | None = None
        if person is not None:
            self._questions = Questions(
                service, agent, person, pause=screen.paused, on_stop=self._stop, on_end=self._show_held
            )

    async def play(self, request: SendMessage) -> TurnDone | None:
        """Send a message; the turn from there to its last event; None if it was stopped before it began.

        Raises:
            HectorError: the message was refused, or the turn failed.
        """
        request = replace(request, on_disconnect="continue")
        return await self._show_turn(self._service.stream_message(self._agent, request))

    async def follow(self, session_id: str, turn_id: str, *, after: int = 0) -> TurnDone | None:
        """A turn that is under way, from the event after `after`; None if it is left where it waits.

        Raises:
            HectorError: it cannot be read, or it failed.
        """
        return await self._show_turn(
            self._service.follow_turn(self._agent, turn_id, session_id=session_id, after=after)
        )

    async def _show_turn(self, stream: Coroutine[Any, Any, TurnStream]) -> TurnDone | None:
        with on_interrupt(self._stop):
            async with self._screen:
                self._starting = asyncio.create_task(stream)
                try:
                    self._stream = await self._starting
                except asyncio.CancelledError:
                    if self._stopped:
                        return None
                    raise
                self.turn_id = self._stream.turn_id
                if self._stopped:  # in the moment in which it began
                    self._stop()
                try:
                    return await self._read(self._stream)
                except OSError:
                    await cancel(self._service, self._agent, self._stream)
                    raise
                finally:
                    await self._end_questions()
                    if self._stopping:
                        await self._stopping

    async def _end_questions(self) -> None:
        if self._questions:
            await self._questions.end()

    async def _read(self, stream: TurnStream) -> TurnDone | None:
        async with stream:
            while batch := await stream.read():
                for _, event in batch:
                    self._take(event)
                if is_last(last := batch[-1].event):
                    await self._end_questions()
                    if isinstance(last, TurnDone):
                        return last
                    if isinstance(last, TurnFailed):
                        raise failure(last)
                if self._questions:
                    self._questions.begin(stream.session_id)
                elif any(isinstance(event, ApprovalAsked) for _, event in batch):
                    return None
        raise ModelInterrupted("The stream ended before the turn did.")

    def _take(self, event: Event) -> None:
        if self._questions and isinstance(event, ApprovalAsked | ApprovalDecided):
            self._questions.heard(event)
        elif self._questions and self._questions.under_way:
            self._held.append(event)
        else:
            self._show(event)

    def _show_held(self) -> None:
        """What happened while somebody was asked."""
        held, self._held = self._held, []
        for event in held:
            self._show(event)

    def _show(self, event: Event) -> None:
        match event:
            case TextDelta():
                self._screen.text(event.text)
            case TurnReset():
                self._screen.note("Some of the answer was lost; this is what was kept:")
                self._screen.text(event.text)
            case ToolCalled() if self._view.tools:
                self._screen.called(event)
            case ToolReturned() if self._view.tools:
                self._screen.returned(event)
            case NestedDelta() if self._view.tools:
                self._screen.nested(event)
            case ThinkingDelta() if self._view.thinking:
                self._screen.thinking(event.text)
            case TurnStarted() | TurnDone():
                if words := said(event, self._view).strip("\n"):
                    self._screen.note(words)

    def _stop(self) -> None:
        self._stopped = True
        self._screen.stopping()
        if self._stream:
            self._stopping = self._stopping or asyncio.ensure_future(cancel(self._service, self._agent, self._stream))
        elif self._starting:
            self._starting.cancel()


async def cancel(service: SessionService, agent: str, stream: TurnStream) -> None:
    """Stop a turn, if there is anything left to stop."""
    with suppress(HectorError):  # One-off sessions may be gone by the time the turn is over.
        await service.cancel_turn(agent, stream.session_id, turn_id=stream.turn_id)


def choose_view(reasoning: ReasoningConfig, *, thinking: bool, debug: bool) -> View:
    """What is shown besides the answer: what the agent's settings say, and what was asked for besides."""
    view = View.choose(reasoning, debug=debug or None)
    return replace(view, thinking=view.thinking or thinking)


@contextmanager
def on_interrupt(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` on the running event loop at the first Ctrl-C; from the second on, Ctrl-C does what it did before."""
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)

    def pressed(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        signal.signal(signal.SIGINT, before)
        loop.call_soon_threadsafe(act)

    signal.signal(signal.SIGINT, pressed)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
