"""Keeps the meter and the window line true between turns, and tells how many memories past turns were shown."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hector_nb.errors import HectorError
from hector_nb.frontends.widget import meter
from hector_nb.memories import Ledger

if TYPE_CHECKING:
    from hector_nb.frontends.widget.conversation import Conversation

_LOOK_EVERY = 1.0
_LOOKS = 60
"""How often it is looked whether a summary that is due is there."""


class Remembering:
    """Looks into the memory of a chat's session, beside everything else."""

    def __init__(self, chat: "Conversation") -> None:
        self._chat = chat
        self._task: asyncio.Task[None] | None = None

    def refresh(self, turns: Sequence[dict[str, Any]]) -> None:
        """Look anew; `turns` are those of the past that came into view."""
        self.stop()
        if self._chat.session is not None:
            self._task = self._chat.spawn(self._look(list(turns)))

    def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _look(self, turns: list[dict[str, Any]]) -> None:
        try:
            ledger = await self._show(folding=None)
            await self._count_memories(turns)
            await self._watch_folding(ledger)
        except HectorError:
            return  # it is beside the conversation, which says itself what is wrong

    async def _watch_folding(self, ledger: Ledger) -> None:
        """Say that a summary is being written, until it is there."""
        chat = self._chat
        if chat.busy or chat.history is None:
            return
        number = meter.turns_to_fold(ledger, chat.history.turn_of, chat.info)
        if not number:
            return
        before = _folded(ledger)
        for _ in range(_LOOKS):
            now = await self._show(folding=number)
            if _folded(now) != before:
                break
            await asyncio.sleep(_LOOK_EVERY)
        await self._show(folding=None)

    async def _show(self, *, folding: int | None) -> Ledger:
        chat = self._chat
        session = chat.here()
        memory = await chat.service.get_memory(session.agent, session.session_id, limit=1)
        session = await chat.service.get_session(session.agent, session.session_id)
        turn_of = chat.history.turn_of if chat.history else {}
        window = meter.window_of_ledger(memory.ledger, turn_of, token_count=session.token_count, folding=folding)
        if not chat.busy and session.message_count:
            chat.record.set(["meter"], meter.meter_of_ledger(memory.ledger, chat.info))
        chat.record.set(["window"], window)
        chat.outbox.tell()
        return memory.ledger

    async def _count_memories(self, turns: list[dict[str, Any]]) -> None:
        """How many memories each turn was shown."""
        chat = self._chat
        if chat.info.memory.get("longterm") is None:
            return
        for turn in reversed(turns):
            try:
                ledger = await chat.service.get_context(chat.info.name, turn["turn_id"])
            except HectorError:
                continue
            memories = sum(part.kind == "memory" for part in ledger.parts)
            place = chat.record.find("turn_id", turn["turn_id"], "turns")
            if memories and place is not None:
                chat.record.set(["turns", place, "memories"], memories)
        chat.outbox.tell()


def _folded(ledger: Ledger) -> tuple[str | None, ...]:
    """What stands where the view begins."""
    summary = next((part.text for part in ledger.parts if part.kind == "summary"), None)
    first = next((part.source for part in ledger.parts if part.kind == "message"), None)
    return summary, first
