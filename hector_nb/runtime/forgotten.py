"""What was forgotten a moment ago, so that a slip of the hand can be undone. It is in this process's memory alone, and only for seconds."""

import asyncio
from collections.abc import Sequence

from hector_nb.errors import MemoryNotFound
from hector_nb.memories import Memory
from hector_nb.memory.longterm import LongTermMemory
from hector_nb.messages import Message
from hector_nb.stores.base import Store
from hector_nb.stores.base_memories import NewMemory

KEPT = 10.0
"""Seconds for which a forgotten memory can be put back."""
_MOST = 100
_ATTEMPTS = 5
_PAGE = 1000


class Forgotten:
    """Memories that were forgotten less than `KEPT` seconds ago; at most 100, the oldest go first."""

    def __init__(self) -> None:
        self._memories: dict[str, Memory] = {}

    def keep(self, memory: Memory) -> None:
        """A memory was erased."""
        while len(self._memories) >= _MOST:
            del self._memories[next(iter(self._memories))]
        self._memories[memory.memory_id] = memory
        asyncio.get_running_loop().call_later(KEPT, self._memories.pop, memory.memory_id, None)

    async def put_back(
        self, store: Store, longterm: LongTermMemory, *, user: str, session_id: str, memory_id: str
    ) -> Memory:
        """Store a memory again, with its id and all that it was.

        Raises:
            MemoryNotFound: it was not forgotten, or too long ago, or by somebody else, or what it was made of is gone.
        """
        memory = self._memories.get(memory_id)
        if memory is None or memory.user != user or memory.agent != longterm.agent:
            raise MemoryNotFound("This memory cannot be put back any more.")
        partition = longterm.partition(user, session_id)
        if longterm.partition(user, memory.session_id) != partition:
            raise MemoryNotFound("This session may not recall that memory.")
        if await _store(store, longterm, memory) and (found := await store.get_memory(partition, memory_id)):
            self._memories.pop(memory_id, None)
            return found
        raise MemoryNotFound("What this memory was made of is gone.")


async def _store(store: Store, longterm: LongTermMemory, memory: Memory) -> bool:
    position = await _position(store, memory)
    if position is None:
        return False
    new = NewMemory(
        memory_id=memory.memory_id,
        kind=memory.kind,
        text=memory.text,
        tokens=memory.tokens,
        message_ids=memory.message_ids,
        last_position=position,
        created_at=memory.created_at,
        vector=await longterm.vector_of(memory.text),
    )
    for _ in range(_ATTEMPTS):  # the mark moves when messages are taken in meanwhile
        mark = await _mark(store, memory)
        if mark is not None and await store.take_in(
            memory.user,
            memory.session_id,
            scope=memory.scope,
            mark=mark,
            upto=mark,
            memories=[new],
            embedder=longterm.embedder.name,
        ):
            return True
    return False


async def _mark(store: Store, memory: Memory) -> int | None:
    """Up to where the memory's session has been taken in."""
    if untaken := await store.untaken_of(memory.user, memory.session_id):
        return untaken.mark
    session = await store.get_session(memory.user, memory.session_id)
    return session.message_count if session else None


async def _position(store: Store, memory: Memory) -> int | None:
    """Where the last message is that the memory was made of."""
    last = memory.message_ids[-1] if memory.message_ids else None
    after = 0
    while last is not None and (
        messages := await store.messages_between(memory.user, memory.session_id, after=after, limit=_PAGE)
    ):
        if (place := _place(messages, last)) is not None:
            return after + place
        after += len(messages)
    return None


def _place(messages: Sequence[Message], message_id: str) -> int | None:
    return next((place for place, each in enumerate(messages, 1) if each.message_id == message_id), None)
