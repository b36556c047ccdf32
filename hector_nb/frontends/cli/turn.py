"""One turn in a terminal: its events to the screen, Ctrl-C to the turn.

The first Ctrl-C stops the answer and keeps what was said; a second one, while that is under way, ends the program.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType

from hector_nb.config.schema import ReasoningConfig
from hector_nb.errors import HectorError, ModelInterrupted
from hector_nb.events import Event, TextDelta, ThinkingDelta, TurnDone, TurnFailed, TurnReset
from hector_nb.frontends.cli.screen import Screen
from hector_nb.service import SendMessage, SessionService, TurnStream, failure
from hector_nb.wire.framer import said
from hector_nb.wire.frames import View


class AnswerOnScreen:
    """Sends a message and shows the answer, until it ends or somebody presses Ctrl-C."""

    def __init__(self, service: SessionService, agent: str, screen: Screen, view: View) -> None:
        self._stopped = False
        self._service = service
        self._agent = agent
        self._screen = screen
        self._view = view
        self._starting: asyncio.Task[TurnStream] | None = None
        self._stream: TurnStream | None = None
        self._stopping: asyncio.Task[object] | None = None

    async def play(self, request: SendMessage) -> TurnDone | None:
        """The turn from its message to its last event; None if it was stopped before it began.

        Raises:
            HectorError: the message was refused, or the turn failed.
        """
        request = replace(request, on_disconnect="continue")
        with on_interrupt(self._stop):
            async with self._screen:
                self._starting = asyncio.ensure_future(self._service.stream_message(self._agent, request))
                try:
                    self._stream = await self._starting
                except asyncio.CancelledError:
                    if self._stopped:
                        return None
                    raise
                try:
                    return await self._read(self._stream)
                except OSError:
                    await self._cancel(self._stream)
                    raise
                finally:
                    if self._stopping:
                        await self._stopping

    async def _read(self, stream: TurnStream) -> TurnDone:
        async with stream:
            async for _, event in stream:
                self._show(event)
                if isinstance(event, TurnDone):
                    return event
                if isinstance(event, TurnFailed):
                    raise failure(event)
        raise ModelInterrupted("The stream ended before the turn did.")

    def _show(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            self._screen.text(event.text)
        elif isinstance(event, TurnReset):
            self._screen.note("Some of the answer was lost; this is what was kept:")
            self._screen.text(event.text)
        elif not (words := said(event, self._view)):
            return
        elif isinstance(event, ThinkingDelta):
            self._screen.thinking(words)
        else:
            self._screen.note(words.strip("\n"))

    def _stop(self) -> None:
        self._stopped = True
        self._screen.stopping()
        if self._stream:
            self._stopping = asyncio.ensure_future(self._cancel(self._stream))
        elif self._starting:
            self._starting.cancel()

    async def _cancel(self, stream: TurnStream) -> None:
        with suppress(HectorError):  # One-off sessions may be gone by the time the turn is over.
            await self._service.cancel_turn(self._agent, stream.session_id, turn_id=stream.turn_id)


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
