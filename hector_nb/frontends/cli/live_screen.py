"""An answer drawn in a terminal while it comes. `flow.py` says what is settled, `render.py` makes it safe."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from hector_nb.events import NestedDelta, ToolCalled, ToolReturned
from hector_nb.frontends.cli.flow import Flow, MarkdownFlow, NestedFlow, ThinkingFlow
from hector_nb.frontends.cli.keys import unseen_keys
from hector_nb.frontends.cli.tool_lines import doing, done, output_of
from hector_nb.frontends.render import PlainText, plain, plain_line
from hector_nb.models.progress import bar_is_shown

_FRAME = 1 / 12
"""Seconds between two drawings."""


class LiveScreen:
    """Draws Markdown while it comes. Only what is not settled is drawn again, at most as high as the terminal."""

    def __init__(self, console: Console, *, waiting_for: str) -> None:
        self._console = console
        self._waiting_for = f"Waiting for {plain_line(waiting_for)}"
        self._waiting = True
        self._since = time.monotonic()
        self._running: dict[str, tuple[ToolCalled, float]] = {}
        self._stopping = False
        self._paused = False
        self._voice = ""
        self._safe = PlainText()
        self._flow: Flow | None = None
        self._changed = asyncio.Event()
        self._live = Live(
            "",
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=sys.stderr.isatty(),
            vertical_overflow="crop",
        )
        self._painter: asyncio.Task[None] | None = None
        self._leaving = ExitStack()

    def text(self, piece: str) -> None:
        """See `Screen`."""
        self._feed(piece, MarkdownFlow, "answer")

    def thinking(self, piece: str) -> None:
        """See `Screen`."""
        self._feed(piece, ThinkingFlow, "thinking")

    def note(self, line: str) -> None:
        """See `Screen`."""
        self._finish_flow()
        self._voice = ""
        self._console.print(Text(plain(line), "dim"))

    def called(self, call: ToolCalled) -> None:
        """See `Screen`."""
        self._begin_rows()
        self._running[call.call_id] = call, time.monotonic()
        self._waiting = False
        self._changed.set()

    def returned(self, result: ToolReturned) -> None:
        """See `Screen`."""
        self._begin_rows()
        call, began = self._running.pop(result.call_id, (None, 0.0))
        call = call or ToolCalled(call_id=result.call_id, name=result.name, arguments={})
        self._console.print(done(call, result, time.monotonic() - began if began else 0.0, self._console.width))
        if output := output_of(result):
            self._console.print(output)
        if not self._running:
            self._waiting, self._since = True, time.monotonic()
        self._changed.set()

    def nested(self, piece: NestedDelta) -> None:
        """See `Screen`."""
        self._feed(piece.text, lambda: NestedFlow(plain_line(piece.agent)), piece.call_id)

    def stopping(self) -> None:
        """See `Screen`."""
        self._stopping = True
        self._changed.set()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """See `Screen`."""
        self._finish_flow()
        self._voice = "question"
        self._paused = True
        self._leaving.close()
        try:
            yield
        finally:
            self._paused = False
            self._enter()
            self._changed.set()

    def _feed(self, piece: str, make: Callable[[], Flow], voice: str) -> None:
        if voice != self._voice or self._flow is None:
            if self._flow:
                self._finish_flow()
            if self._voice and not (self._running and self._voice == "rows"):
                self._console.print()
            self._flow, self._voice = make(), voice
        self._waiting = False
        self._flow.feed(self._safe.feed(piece))
        self._changed.set()

    def _begin_rows(self) -> None:
        """Rows stand together, apart from what is said."""
        if self._flow:
            apart = not isinstance(self._flow, NestedFlow)
            self._finish_flow()
            if apart:
                self._console.print()
        self._voice = "rows"

    def _finish_flow(self) -> None:
        if self._flow:
            flow, self._flow = self._flow, None
            flow.feed(self._safe.close())
            with self._console:
                for part in flow.settle(final=True):
                    self._console.print(part)
                self._live.update("", refresh=True)

    def draw(self) -> None:
        """Print what has settled, and draw the rest again."""
        with self._console:
            for part in self._flow.settle() if self._flow else ():
                self._console.print(part)
            tail = [self._flow.tail()] if self._flow else []
            self._live.update(_Bottom(Group(*tail, *self._status())), refresh=True)

    def _status(self) -> list[RenderableType]:
        if self._stopping:
            return [Text("Stopping…", "dim")]
        lines = [_with_seconds(doing(call, self._console.width - 8), began) for call, began in self._running.values()]
        return [*lines, _with_seconds(Text(self._waiting_for, "dim"), self._since)] if self._waiting else [*lines]

    async def _paint(self) -> None:
        while True:
            began = time.monotonic()
            if not bar_is_shown() and not self._paused:
                self.draw()
            self._changed.clear()
            await asyncio.sleep(max(_FRAME, 4 * (time.monotonic() - began)))
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0 if self._waiting or self._running else None):
                    await self._changed.wait()

    async def __aenter__(self) -> Self:
        """See `Screen`."""
        self._enter()
        self._painter = asyncio.create_task(self._paint())
        return self

    def _enter(self) -> None:
        self._leaving.enter_context(unseen_keys())
        self._leaving.enter_context(self._live)

    async def __aexit__(self, *_: object) -> None:
        """See `Screen`."""
        if self._painter:
            self._painter.cancel()
            await asyncio.gather(self._painter, return_exceptions=True)
        with self._leaving, self._console:
            self._finish_flow()
            self._live.update("", refresh=True)


def _with_seconds(line: Text, since: float) -> Text:
    seconds = int(time.monotonic() - since)
    return line.append(f" · {seconds} s") if seconds else line


class _Bottom:
    """The last lines of something, as many as the terminal has room for."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._content, options, pad=False)
        for line in lines[-max(console.size.height - 2, 1) :]:
            yield from line
            yield Segment.line()
