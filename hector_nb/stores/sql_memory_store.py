"""What a SQL store keeps beside transcripts and turns: summaries, memories and ledgers."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from hector_nb.memories import Memory, StorageScope, Summary
from hector_nb.messages import Message
from hector_nb.sessions import Page
from hector_nb.stores import sql_marks, sql_memories, sql_memory_index, sql_recall, sql_summaries, sql_turns
from hector_nb.stores.base_memories import Candidate, NewMemory, Partition, StoredLedger, Untaken
from hector_nb.stores.sql_connections import SQLConnections


class SQLMemoryStore(SQLConnections):
    """A `MemoryStore` in a database."""

    async def store_summary(self, user: str, session_id: str, summary: Summary, *, after: int) -> bool:
        """See `MemoryStore`."""
        store = partial(sql_summaries.store, user=user, session_id=session_id)
        return await self._write(partial(store, summary=summary, after=after))

    async def messages_between(
        self, user: str, session_id: str, *, after: int, upto: int | None = None, limit: int = 1000
    ) -> Sequence[Message]:
        """See `MemoryStore`."""
        wanted = partial(sql_summaries.messages_between, after=after, upto=upto, limit=limit)
        return await self._read(partial(wanted, user=user, session_id=session_id))

    async def untaken(
        self, agents: Sequence[str], *, over: bool | None = None, idle_before: datetime | None = None, limit: int = 20
    ) -> Sequence[Untaken]:
        """See `MemoryStore`."""
        wanted = partial(sql_marks.untaken, agents=agents, over=over)
        return await self._read(partial(wanted, idle_before=idle_before, limit=limit))

    async def untaken_of(self, user: str, session_id: str) -> Untaken | None:
        """See `MemoryStore`."""
        return await self._read(partial(sql_marks.untaken_of, user=user, session_id=session_id))

    async def take_in(
        self,
        user: str,
        session_id: str,
        *,
        scope: StorageScope,
        mark: int,
        upto: int,
        memories: Sequence[NewMemory],
        embedder: str,
        replace: bool = False,
    ) -> bool:
        """See `MemoryStore`."""
        taken = partial(sql_memories.take_in, scope=scope, memories=memories, embedder=embedder, replace=replace)
        return await self._write(partial(taken, user=user, session_id=session_id, mark=mark, upto=upto))

    async def recall(
        self,
        partition: Partition,
        *,
        query: str,
        vector: bytes | None,
        embedder: str,
        limit: int,
        unseen: tuple[str, str, int] | None = None,
    ) -> Sequence[Candidate]:
        """See `MemoryStore`."""
        wanted = partial(sql_recall.recall, query=query, vector=vector, embedder=embedder, limit=limit)
        return await self._read(partial(wanted, partition=partition, unseen=unseen, finder=self._vectors))

    async def list_memories(self, partition: Partition, *, limit: int = 50, cursor: str | None = None) -> Page[Memory]:
        """See `MemoryStore`."""
        return await self._read(partial(sql_memories.page, partition=partition, limit=limit, cursor=cursor))

    async def get_memory(self, partition: Partition, memory_id: str) -> Memory | None:
        """See `MemoryStore`."""
        return await self._read(partial(sql_memories.get, partition=partition, memory_id=memory_id))

    async def summary_memory_of(self, user: str, session_id: str) -> Memory | None:
        """See `MemoryStore`."""
        return await self._read(partial(sql_memories.summary_of, user=user, session_id=session_id))

    async def correct_memory(
        self, partition: Partition, memory_id: str, *, text: str, tokens: int, vector: bytes | None, embedder: str
    ) -> Memory | None:
        """See `MemoryStore`."""
        correct = partial(sql_memories.correct, text=text, tokens=tokens, vector=vector, embedder=embedder)
        return await self._write(partial(correct, partition=partition, memory_id=memory_id))

    async def forget_memory(self, partition: Partition, memory_id: str) -> bool:
        """See `MemoryStore`."""
        return await self._write(partial(sql_memories.forget, partition=partition, memory_id=memory_id))

    async def unembedded(
        self, embedder: str, *, agents: Sequence[str] | None = None, limit: int = 256
    ) -> Sequence[Memory]:
        """See `MemoryStore`."""
        return await self._read(partial(sql_memories.unembedded, embedder=embedder, agents=agents, limit=limit))

    async def count_unembedded(self, embedder: str, *, agents: Sequence[str] | None = None) -> int:
        """See `MemoryStore`."""
        return await self._read(partial(sql_memory_index.count_unembedded, embedder=embedder, agents=agents))

    async def embed_memories(self, embedder: str, vectors: Sequence[tuple[str, int, bytes]]) -> None:
        """See `MemoryStore`."""
        await self._write(partial(sql_memory_index.embed, embedder=embedder, vectors=vectors))

    async def get_ledger(self, user: str, turn_id: str) -> StoredLedger | None:
        """See `MemoryStore`."""
        return await self._read(partial(sql_turns.get_ledger, user=user, turn_id=turn_id))
