"""What scope `summaries_only` keeps: one summary for each session, never what was said.

A session's messages are folded into its summary again and again, in portions. That is due when many of them wait, when the session has
been idle for a while, and when it is over. A summarizer that fails leaves everything as it was and is asked again later.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hector_nb.errors import ModelError
from hector_nb.ids import new_id
from hector_nb.memories import Memory, Summary
from hector_nb.memory import exchanges
from hector_nb.memory.base import Summarizer, TokenCounter
from hector_nb.memory.rest import Rest, told
from hector_nb.memory.waiting import Batch, Turns, length, tokens, waiting_turns
from hector_nb.messages import Message
from hector_nb.stores.base_memories import MemoryStore, NewMemory, Untaken

IDLE = timedelta(minutes=5)
"""A session that has been silent for so long is summarized, and taken in by any process although its own may still do it."""
_LONGEST_READ = 16_000
"""Tokens of one message that a summarizer is to read."""

_log = logging.getLogger("hector_nb.memory")


class SessionSummaries:
    """Makes one agent's summaries of sessions.

    Args:
        summarizer: Writes them.
        counter: Counts their tokens.
        pending_tokens: How many make a summary due, and about how many are folded at once.
        clock: Seconds that only grow.
    """

    def __init__(
        self, summarizer: Summarizer, *, counter: TokenCounter, pending_tokens: int, clock: Callable[[], float]
    ) -> None:
        self._summarizer = summarizer
        self._counter = counter
        self._pending_tokens = max(1, pending_tokens)
        self._rest = Rest(clock)

    async def next(self, store: MemoryStore, untaken: Untaken, mark: int) -> Batch | None:
        """The session's summary with the next portion of messages in it; None where that is not due, or failed."""
        waiting = await waiting_turns(store, untaken, mark)
        turns = _portion(waiting, self._pending_tokens)
        if not turns or self._rest.on or not self._is_due(untaken, mark, waiting):
            return None
        upto = mark + length(turns)
        telling = [turn for turn in turns if exchanges.exchange_of(turn, first_position=1) is not None]
        if not telling:
            return Batch(memories=(), upto=upto)
        previous = await store.summary_memory_of(untaken.session.user, untaken.session.session_id)
        try:
            text = await self._write(previous, telling, mark)
        except ModelError as error:
            self._rest.begin()
            _log.warning("A session could not be summarized, which is tried again later: %s", told(error))
            return None
        return Batch(memories=[await self._memory(text, turns[-1][-1], upto)], upto=upto, replaces=True)

    async def aclose(self) -> None:
        """Free what the summarizer holds."""
        await self._summarizer.aclose()

    def _is_due(self, untaken: Untaken, mark: int, waiting: Turns) -> bool:
        session = untaken.session
        more = session.running_turn is None and mark + length(waiting) < untaken.upto
        idle = datetime.now(UTC) - untaken.idle_since >= IDLE
        return session.status != "active" or idle or more or tokens(waiting) >= self._pending_tokens

    async def _write(self, previous: Memory | None, turns: Turns, mark: int) -> str:
        before = None
        if previous is not None:
            before = Summary(
                text=previous.text,
                tokens=previous.tokens,
                message_id=previous.message_ids[-1],
                position=mark,
                created_at=previous.created_at,
            )
        text = await self._summarizer.summarize(before, [_cut(message) for turn in turns for message in turn])
        if not text.strip():
            raise ModelError("The summarizer said nothing.")
        return text.strip()

    async def _memory(self, text: str, last: Message, position: int) -> NewMemory:
        return NewMemory(
            memory_id=new_id("mem"),
            kind="summary",
            text=text,
            tokens=await self._counter.count(text),
            message_ids=(last.message_id,),
            last_position=position,
            created_at=last.created_at,
        )


def _portion(turns: Turns, most: int) -> Turns:
    """The first turns that together have about so many tokens, at least one."""
    found = 0
    while found < len(turns) and (not found or tokens(turns[:found]) < most):
        found += 1
    return turns[:found]


def _cut(message: Message) -> Message:
    """The message without thinking; of a very large one the beginning."""
    if message.tokens <= _LONGEST_READ:
        return replace(message, thinking="")
    return replace(message, thinking="", tokens=_LONGEST_READ, content=message.content[: 4 * _LONGEST_READ])
