"""A program that runs in a process group of its own, until it ends or is ended with all that it started.

POSIX only. Output and errors come in one stream, of which the beginning and the end are kept. A program that leaves its group (a
daemon) is not found again, but does not keep the call waiting either.
"""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_HALF = 512 * 1024
"""Bytes of output that are kept from its beginning, and as many from its end."""
_FLOOD = 64 * 1024 * 1024
"""Bytes of output after which a program is stopped."""
_AT_ONCE = 64 * 1024
_GRACE = 1.0
"""Seconds between the request to end (SIGTERM) and the end (SIGKILL)."""
_LAST_WORDS = 0.5
"""Seconds in which the rest of the output is read when the program is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """How a program ended. `code` is negative for a signal, None where it was stopped; `dropped` are bytes between `head` and `tail`."""

    code: int | None
    flooded: bool
    head: bytes
    tail: bytes
    dropped: int


async def run_program(
    arguments: Sequence[str], *, executable: str, folder: Path, environment: Mapping[str, str], timeout: float
) -> Finished:
    """Run a program for at most `timeout` seconds, and 64 MiB of output. When this returns, or is cancelled, nothing of its group runs any more.

    Raises:
        OSError: it cannot be started.
    """
    reader, writer = os.pipe()
    try:
        program = _Program(arguments, executable=executable, folder=folder, environment=environment, output=writer)
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    output = _Output(reader)
    try:
        await asyncio.wait([program.ended, output.flooded], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        code = program.code
    finally:
        try:
            await program.end()
            await output.rest()
        finally:
            output.close()
    flooded = code is None and output.flooded.done()
    return Finished(code=code, flooded=flooded, head=bytes(output.head), tail=output.tail(), dropped=output.dropped)


class _Program:
    """A process that leads a group, and the thread that waits for it."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        executable: str,
        folder: Path,
        environment: Mapping[str, str],
        output: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._process = subprocess.Popen(  # noqa: S603 -- what it is for
            arguments,
            executable=executable,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        threading.Thread(target=self._wait, name="hector-command", daemon=True).start()

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.returncode if self.ended.done() else None

    async def end(self) -> None:
        """End the whole group, kindly first where its leader still runs."""
        try:
            if not self.ended.done():
                self._signal(signal.SIGTERM)
                await asyncio.wait([self.ended], timeout=_GRACE)
        finally:
            self._signal(signal.SIGKILL)
        await asyncio.wait([self.ended], timeout=_GRACE)

    def _signal(self, which: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, which)

    def _wait(self) -> None:
        self._process.wait()
        with suppress(RuntimeError):  # the loop may be closed by now
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class _Output:
    """What comes out of a pipe: its first half megabyte, its last, and how much was between them."""

    def __init__(self, pipe: int) -> None:
        self.head = bytearray()
        self.dropped = 0
        self._tail = bytearray()
        self._pipe = pipe
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self.flooded: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(pipe, False)
        self._loop.add_reader(pipe, self._read)

    def tail(self) -> bytes:
        """The end, where it is not in `head`."""
        self._trim(_HALF)
        return bytes(self._tail)

    async def rest(self) -> None:
        """Read what is still in the pipe; somebody who left the group may hold it open, so only for a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await self._over.wait()

    def close(self) -> None:
        """Read no more."""
        if self._pipe >= 0:
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = -1

    def _read(self) -> None:
        try:
            data = os.read(self._pipe, _AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            self._loop.remove_reader(self._pipe)
            self._over.set()
        room = _HALF - len(self.head)
        self.head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * _HALF:
            self._trim(_HALF)

        if self.dropped > _FLOOD and not self.flooded.done():
            self.flooded.set_result(None)

    def _trim(self, size: int) -> None:
        too_much = max(len(self._tail) - size, 0)
        self.dropped += too_much
        del self._tail[:too_much]
