"""Where an answer goes: drawn live as Markdown in a terminal, or written as it is into a pipe.

Below are `flow.py`, which says what is settled, and `render.py`, which makes model text safe. Above is `turn.py`.
"""

import asyncio
import os
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import Literal, Protocol, Self, TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from hector_nb.frontends.cli.flow import Flow, MarkdownFlow, ThinkingFlow
from hector_nb.frontends.cli.markdown import THEME
from hector_nb.frontends.render import PlainText, plain, well_formed

_FRAME = 1 / 12
"""Seconds between two drawings."""


class Screen(Protocol):
    """Shows one turn. Use it as an asynchronous context manager."""

    def text(self, piece: str) -> None:
        """A piece of the answer."""
        ...

    def thinking(self, piece: str) -> None:
        """A piece of the model's reasoning."""
        ...

    def note(self, line: str) -> None:
        """Something about the turn, on a line of its own."""
        ...

    def stopping(self) -> None:
        """The turn is being stopped."""
        ...

    async def __aenter__(self) -> Self:
        """Begin."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Show what is left."""
        ...


def make_console(stream: Literal["out", "err"] = "out") -> Console:
    """A console without automatic markup, links or highlighting, for text that is not ours."""
    return Console(stderr=stream == "err", theme=THEME, highlight=False, markup=False, emoji=False)


def can_draw() -> bool:
    """Whether standard output is a terminal on which lines can be drawn again."""
    return sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}


def make_screen(model: str) -> Screen:
    """The screen that fits standard output."""
    if can_draw():
        return LiveScreen(make_console(), waiting_for=model)
    return StreamScreen(sys.stdout, sys.stderr)


class StreamScreen:
    """Writes the answer to `out` and all else to `notes`: exactly into a pipe or file, made safe on a terminal."""

    def __init__(self, out: TextIO, notes: TextIO) -> None:
        self._out = out
        self._notes = notes
        self._safe = PlainText() if out.isatty() else None
        self._line_open = False

    def text(self, piece: str) -> None:
        """See `Screen`."""
        shown = self._safe.feed(piece) if self._safe else well_formed(piece)
        self._out.write(shown)
        self._out.flush()
        self._line_open = True

    def thinking(self, piece: str) -> None:
        """See `Screen`."""
        self._notes.write(plain(piece))
        self._notes.flush()

    def note(self, line: str) -> None:
        """See `Screen`."""
        if self._line_open and self._out.isatty():
            self._out.write("\n")
        print(plain(line), file=self._notes, flush=True)

    def stopping(self) -> None:
        """See `Screen`."""

    async def __aenter__(self) -> Self:
        """See `Screen`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """See `Screen`."""
        if self._safe:
            self._out.write(self._safe.close())
        if self._line_open:
            self._out.write("\n")
            self._out.flush()


class LiveScreen:
    """Draws Markdown while it comes. Only what is not settled is drawn again, at most as high as the terminal."""

    def __init__(self, console: Console, *, waiting_for: str) -> None:
        self._console = console
        self._waiting: str | None = f"Waiting for {plain(waiting_for)}"
        self._stopping = False
        self._started = time.monotonic()
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

    def text(self, piece: str) -> None:
        """See `Screen`."""
        self._feed(MarkdownFlow, piece)

    def thinking(self, piece: str) -> None:
        """See `Screen`."""
        self._feed(ThinkingFlow, piece)

    def note(self, line: str) -> None:
        """See `Screen`."""
        self._finish_flow()
        self._console.print(Text(plain(line), "dim"))

    def stopping(self) -> None:
        """See `Screen`."""
        self._stopping = True
        self._changed.set()

    def _feed(self, kind: type[Flow], piece: str) -> None:
        if not isinstance(self._flow, kind):
            if self._flow:
                self._finish_flow()
                self._console.print()
            self._flow = kind()
        self._waiting = None
        self._flow.feed(self._safe.feed(piece))
        self._changed.set()

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
        if self._waiting is None:
            return []
        seconds = int(time.monotonic() - self._started)
        return [Text(f"{self._waiting} · {seconds} s" if seconds else self._waiting, "dim")]

    async def _paint(self) -> None:
        while True:
            began = time.monotonic()
            self.draw()
            self._changed.clear()
            await asyncio.sleep(max(_FRAME, 4 * (time.monotonic() - began)))
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0 if self._waiting else None):
                    await self._changed.wait()

    async def __aenter__(self) -> Self:
        """See `Screen`."""
        self._live.start()
        self._painter = asyncio.create_task(self._paint())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """See `Screen`."""
        if self._painter:
            self._painter.cancel()
            await asyncio.gather(self._painter, return_exceptions=True)
        with self._console:
            self._finish_flow()
            self._live.update("")
            self._live.stop()


class _Bottom:
    """The last lines of something, as many as the terminal has room for."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._content, options, pad=False)
        for line in lines[-max(console.size.height - 2, 1) :]:
            yield from line
            yield Segment.line()
