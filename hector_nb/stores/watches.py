"""Who waits for changes of which session, on whichever event loop of the process."""

import asyncio
import threading
from collections.abc import Iterable
from contextlib import suppress


class LoopWatch:
    """A `Watch`: changes wake it, `wait` consumes them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    async def wait(self, timeout: float) -> bool:
        """See `Watch`."""
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    def wake(self) -> None:
        """From any thread: something changed."""
        with suppress(RuntimeError):  # its loop is closed
            self._loop.call_soon_threadsafe(self._changed.set)


class Watches:
    """All watches of one store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_session: dict[str, set[LoopWatch]] = {}

    def __bool__(self) -> bool:
        """Whether anybody watches."""
        return bool(self._by_session)

    def add(self, session_id: str, watch: LoopWatch) -> None:
        """Begin to watch."""
        with self._lock:
            self._by_session.setdefault(session_id, set()).add(watch)

    def remove(self, session_id: str, watch: LoopWatch) -> None:
        """Watch no more."""
        with self._lock:
            watches = self._by_session[session_id]
            watches.discard(watch)
            if not watches:
                del self._by_session[session_id]

    def wake(self, session_ids: Iterable[str]) -> None:
        """Wake those who watch one of these sessions."""
        with self._lock:
            woken = [watch for session_id in session_ids for watch in self._by_session.get(session_id, ())]
        for watch in woken:
            watch.wake()

    def wake_all(self) -> None:
        """Wake everybody: another process changed something."""
        with self._lock:
            woken = [watch for watches in self._by_session.values() for watch in watches]
        for watch in woken:
            watch.wake()
