"""Where a chat's messages come from: a line editor in a terminal, or one message a line from a pipe."""

import asyncio
import codecs
import os
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import Completer, WordCompleter
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.shortcuts import CompleteStyle


class LineInput(Protocol):
    """Gives messages."""

    async def next(self, placeholder: str) -> str | None:
        """The next message; None at the end.

        Raises:
            KeyboardInterrupt: Ctrl-C where there was nothing to clear.
        """
        ...


class TerminalInput:
    """A line editor with history. Enter sends, Alt-Enter begins a new line; pasted lines stay together."""

    def __init__(self, *, history: Path | None, commands: Iterable[str]) -> None:
        self._prompt: PromptSession[str] = PromptSession(
            history=_open_history(history),
            completer=_commands_only(commands),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            key_bindings=enter_sends(),
            enable_history_search=True,
            reserve_space_for_menu=0,
        )

    async def next(self, placeholder: str) -> str | None:
        """See `LineInput`."""
        while True:
            try:
                return await self._prompt.prompt_async([("bold", "> ")], placeholder=lambda: _unless_done(placeholder))
            except EOFError:
                return None
            except KeyboardInterrupt:
                if not self._prompt.default_buffer.text:
                    raise


class PipedInput:
    """One message a line; empty lines are passed over."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        # A thread, for files cannot be waited for; a daemon, for a read from an idle pipe cannot be ended.
        threading.Thread(target=self._read, name="hector stdin", daemon=True).start()

    async def next(self, placeholder: str) -> str | None:
        """See `LineInput`."""
        return await self._lines.get()

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest = ""
        with suppress(RuntimeError):  # the loop is closed
            while data := self._more():
                *lines, rest = (rest + decoder.decode(data)).split("\n")
                self._put(lines)
            self._put([rest + decoder.decode(b"", final=True)])
            self._loop.call_soon_threadsafe(self._lines.put_nowait, None)

    def _more(self) -> bytes:
        """What has come; nothing at the end, and where the terminal has gone."""
        try:
            return os.read(self._descriptor, 65536)
        except OSError:
            return b""

    def _put(self, lines: Iterable[str]) -> None:
        for line in lines:
            if line.strip():
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line.rstrip("\r"))


def _open_history(path: Path | None) -> History:
    """Earlier messages, for nobody else's eyes; kept in memory where the file cannot be written."""
    if path is None:
        return InMemoryHistory()
    try:
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)


def _commands_only(commands: Iterable[str]) -> Completer:
    return WordCompleter([f"/{name}" for name in commands], sentence=True)


def _unless_done(placeholder: str) -> StyleAndTextTuples:
    """The placeholder is not left standing when the prompt is over."""
    return [] if get_app().is_done else [("fg:ansibrightblack", placeholder)]


def enter_sends() -> KeyBindings:
    """Enter sends, Alt-Enter begins a new line."""
    keys = KeyBindings()

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
