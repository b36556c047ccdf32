"""The service as a notebook's plain code reaches it: opened when first needed, kept open, closed when the extension is unloaded."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from hector_nb.frontends.connect import LoopThread, open_service
from hector_nb.frontends.running_turn import RunningTurn
from hector_nb.service import SendMessage, SessionService

T = TypeVar("T")


class NotebookService:
    """One open service in this process; after a fork the child opens its own."""

    def __init__(self, opener: Callable[[], AbstractAsyncContextManager[SessionService]] = open_service) -> None:
        self._first = self._opener = opener
        self._opened: _Opened | None = None

    def connect(self, opener: Callable[[], AbstractAsyncContextManager[SessionService]] | None) -> None:
        """Use another service from now on, once it has been opened; None: the first one again.

        Raises:
            HectorError: it cannot be opened; the one before stays.
        """
        chosen = opener or self._first
        opened = _Opened(chosen, LoopThread.shared())
        opened.loop.run(opened.open())
        self.close()
        self._opener, self._opened = chosen, opened

    @property
    def is_open(self) -> bool:
        """Whether anything was asked of it yet."""
        return self._opened is not None and self._opened.pid == os.getpid()

    def ask(self, question: Callable[[SessionService], Awaitable[T]]) -> T:
        """Call the service and wait; an interrupt ends the wait.

        Raises:
            HectorError: the service says why not.
        """

        async def answer() -> T:
            return await question(opened.service)

        opened = self._open()
        return opened.loop.run(answer())

    def start(
        self,
        agent: str,
        request: SendMessage,
        *,
        on_stored: Callable[[SessionService, str], Awaitable[None]] | None = None,
    ) -> RunningTurn:
        """Send a message and begin to read its turn; see `RunningTurn`."""
        opened = self._open()
        return RunningTurn(opened.service, agent, request, loop=opened.loop, on_stored=on_stored)

    def attach(self) -> tuple[SessionService, LoopThread]:
        """The service, opened, and the event loop that it belongs to, for what goes on beside the cells."""
        opened = self._open()
        return opened.service, opened.loop

    def close(self) -> None:
        """Free everything; the next call opens it again."""
        if self._opened is not None and self.is_open:
            opened, self._opened = self._opened, None
            opened.loop.run(opened.close())

    def _open(self) -> "_Opened":
        if self._opened is None or not self.is_open:
            opened = _Opened(self._opener, LoopThread.shared())
            opened.loop.run(opened.open())
            self._opened = opened
        return self._opened


class _Opened:
    """A service held open by a task of its own, which is ended with the loop at the latest."""

    def __init__(self, opener: Callable[[], AbstractAsyncContextManager[SessionService]], loop: LoopThread) -> None:
        self.pid = os.getpid()
        self.loop = loop
        self.service: SessionService
        self._opener = opener
        self._closing = asyncio.Event()
        self._holder: asyncio.Task[None] | None = None

    async def open(self) -> None:
        ready: asyncio.Future[SessionService] = asyncio.get_running_loop().create_future()
        self._holder = asyncio.create_task(self._hold(ready))
        try:
            self.service = await ready
        except asyncio.CancelledError:
            self._holder.cancel()
            raise

    async def close(self) -> None:
        self._closing.set()
        if self._holder is not None:
            await self._holder

    async def _hold(self, ready: "asyncio.Future[SessionService]") -> None:
        try:
            async with self._opener() as service:
                if not ready.cancelled():
                    ready.set_result(service)
                    await self._closing.wait()
        except Exception as error:
            if ready.cancelled():  # whoever wanted it has gone
                return
            if ready.done():
                raise
            ready.set_exception(error)
