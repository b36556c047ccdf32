"""Asks a chat's question again by itself where the model asked to slow down."""

import asyncio
import time
from typing import TYPE_CHECKING

from hector_nb.events import TurnFailed
from hector_nb.frontends.widget.problems import retry_after
from hector_nb.frontends.widget.taking_back import retry

if TYPE_CHECKING:
    from hector_nb.frontends.widget.conversation import Conversation


class TryingAgain:
    """The attempts at one question."""

    def __init__(self, chat: "Conversation") -> None:
        self._chat = chat
        self._attempts = 0

    def begin_anew(self) -> None:
        """The next failure is the first one."""
        self._attempts = 0

    def failed(self, turn_id: str, event: TurnFailed) -> None:
        """A turn of this chat's own failed: ask again after a while, if that may help."""
        pause = retry_after(event, self._attempts)
        if pause is not None:
            self._attempts += 1
            self._chat.spawn(self._ask_again(turn_id, pause))

    async def _ask_again(self, turn_id: str, pause: float) -> None:
        """Ask after a pause (seconds), unless something else happens meanwhile."""
        chat, record = self._chat, self._chat.record
        place = record.find("turn_id", turn_id, "turns")
        if place is None:
            return
        due = time.time() + pause
        record.set(["turns", place, "problem", "retry_at"], due)
        chat.outbox.tell()
        await asyncio.sleep(pause)
        place = record.find("turn_id", turn_id, "turns")
        if place is None or (record.get("turns", place, "problem") or {}).get("retry_at") != due:
            return
        async with chat.changing:
            await retry(chat, turn_id)
