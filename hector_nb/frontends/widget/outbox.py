"""What changed in a chat on its way to the front end, not more often than `pace.py` says. Belongs to one event loop."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from hector_nb.frontends.widget.pace import Pace
from hector_nb.frontends.widget.state import Recorder

Send: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Takes one message to all front ends; called on the event loop."""


class Outbox:
    """Sends what a recorder has."""

    def __init__(self, record: Recorder, send: Send) -> None:
        self.pace = Pace()
        self._record = record
        self._send = send
        self._due: asyncio.TimerHandle | None = None

    def tell(self) -> None:
        """Something may have changed: it will be sent."""
        if not self._record.changed:
            return
        loop = asyncio.get_running_loop()
        wait = self.pace.wait(loop.time(), only_text=self._record.only_text)
        if self._due is not None:
            if self._due.when() <= loop.time() + wait:
                return
            self._due.cancel()
        self._due = loop.call_later(wait, self.flush)

    def flush(self) -> None:
        """Send all that there is, now."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        for message in self._record.take():
            self.send(message)
            self.pace.sent(asyncio.get_running_loop().time())

    def send(self, message: Mapping[str, Any]) -> None:
        """Send something else, after what changed before it."""
        with suppress(RuntimeError):  # the kernel stops, and its sockets are closed
            self._send(message)
