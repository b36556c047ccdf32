"""The messages of a chat that wait until what runs is over."""

from typing import TYPE_CHECKING

from hector_nb.errors import TooManyWaiting

if TYPE_CHECKING:
    from hector_nb.frontends.widget.conversation import Conversation

MOST_WAITING = 16
"""Messages that may wait in a chat."""


class Queue:
    """What waits in a chat's state, and when its time has come."""

    def __init__(self, chat: "Conversation") -> None:
        self._chat = chat
        self._record = chat.record

    def __len__(self) -> int:
        return self._record.size("queue")

    def put(self, queued: str, text: str) -> None:
        """Let a message wait behind the others; `queued` is its id.

        Raises:
            TooManyWaiting: there are too many.
        """
        if len(self) >= MOST_WAITING:
            raise TooManyWaiting(f"{MOST_WAITING} messages are waiting already.")
        self._record.push(["queue"], {"id": queued, "text": text})
        self.go_on()

    def clear(self) -> None:
        """Send none of them."""
        self._record.set(["queue"], [])

    def go_on(self) -> None:
        """Send the first one, if its time has come."""
        if len(self) and not self._chat.busy:
            self._chat.spawn(self._send_next())

    async def _send_next(self) -> None:
        async with self._chat.changing:
            if self._chat.busy or not len(self):
                return
            first, *rest = self._record.get("queue")
            self._record.set(["queue"], rest)
            try:
                await self._chat.start(first["text"])
            except BaseException:
                self._record.set(["queue"], [first, *self._record.get("queue")])
                raise
