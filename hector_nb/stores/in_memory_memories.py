"""Summaries, memories and ledgers in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hector_nb.memories import Memory, StorageScope, Summary
from hector_nb.messages import Message
from hector_nb.sessions import Page
from hector_nb.stores import codec, in_memory_recall
from hector_nb.stores.base_memories import Candidate, NewMemory, Partition, StoredLedger, Untaken
from hector_nb.stores.in_memory_records import KeptMemory, KeptSession
from hector_nb.stores.in_memory_state import InMemoryState, utc_now
from hector_nb.stores.keywords import likeness


class InMemoryMemories(InMemoryState):
    """A `MemoryStore`."""

    async def store_summary(self, user: str, session_id: str, summary: Summary, *, after: int) -> bool:
        """See `MemoryStore`."""
        kept = self._sessions.get((user, session_id))
        if kept is None or summary.position <= after:
            return False
        newest = kept.summaries[-1].position if kept.summaries else 0
        covered = kept.messages[summary.position - 1 : summary.position]
        if newest != after or [message.message_id for message in covered] != [summary.message_id]:
            return False
        created_at = summary.created_at.astimezone(UTC)
        kept.summaries.append(replace(summary, text=codec.clean(summary.text), created_at=created_at))
        self._wake(session_id)
        return True

    async def messages_between(
        self, user: str, session_id: str, *, after: int, upto: int | None = None, limit: int = 1000
    ) -> Sequence[Message]:
        """See `MemoryStore`."""
        kept = self._sessions.get((user, session_id))
        return kept.messages[after:upto][:limit] if kept else []

    async def untaken(
        self, agents: Sequence[str], *, over: bool | None = None, idle_before: datetime | None = None, limit: int = 20
    ) -> Sequence[Untaken]:
        """See `MemoryStore`."""
        now = utc_now()
        places = [
            (each.idle_since, kept.key, each)
            for kept in self._sessions.values()
            if kept.session.agent in agents
            and (each := kept.untaken(now)) is not None
            and not kept.unfinished()
            and (over is None or over == (each.session.status != "active"))
            and (idle_before is None or each.idle_since < idle_before)
        ]
        return [each for *_, each in sorted(places, key=lambda place: place[:2])][:limit]

    async def untaken_of(self, user: str, session_id: str) -> Untaken | None:
        """See `MemoryStore`."""
        kept = self._sessions.get((user, session_id))
        return kept.untaken(utc_now()) if kept else None

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
        kept = self._sessions.get((user, session_id))
        if kept is None or kept.mark != mark or not mark <= upto <= len(kept.messages):
            return False
        if not all(_made_of(kept, memory) for memory in memories):
            return False
        if replace:
            self._forget_memories(lambda memory: memory.session is kept and memory.memory.kind == "summary")
        partition = Partition.of(scope, agent=kept.session.agent, user=user, session_id=session_id)
        for memory in memories:
            self._take_in(kept, partition, memory, embedder)
        kept.mark = upto
        self._wake(session_id)
        return True

    def _take_in(self, session: KeptSession, partition: Partition, new: NewMemory, embedder: str) -> None:
        user = session.session.user
        same = likeness(user, new.text)
        if any(likeness(kept.memory.user, kept.memory.text) == same for kept in self._in(partition)):
            return
        memory = Memory(
            memory_id=new.memory_id,
            agent=partition.agent,
            user=user,
            session_id=session.session.session_id,
            scope=partition.scope,
            kind=new.kind,
            text=codec.clean(new.text),
            tokens=new.tokens,
            message_ids=tuple(new.message_ids),
            created_at=new.created_at.astimezone(UTC),
        )
        self._memories[new.memory_id] = KeptMemory(
            key=next(self._keys),
            memory=memory,
            partition=partition,
            session=session,
            last_position=new.last_position,
            vector=new.vector or None,
            embedder=embedder,
        )

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
        hidden: list[KeptMemory] = []
        if unseen is not None:
            user, session_id, position = unseen
            session = self._sessions.get((user, session_id))
            hidden = [kept for kept in self._in(partition) if session and kept.shown_in(session, position)]
        asked = in_memory_recall.Asked(self._in(partition), query=query, vector=vector, embedder=embedder)
        return asked.candidates(limit, besides=hidden)

    async def list_memories(self, partition: Partition, *, limit: int = 50, cursor: str | None = None) -> Page[Memory]:
        """See `MemoryStore`."""
        before = codec.decode_cursor(cursor, 2) if cursor else None
        found = [kept for kept in self._in(partition) if before is None or kept.place() < before]
        found.sort(key=KeptMemory.place, reverse=True)
        more = codec.encode_cursor(*found[limit - 1].place()) if len(found) > limit else None
        return Page(items=[kept.memory for kept in found[:limit]], next_cursor=more)

    async def get_memory(self, partition: Partition, memory_id: str) -> Memory | None:
        """See `MemoryStore`."""
        kept = self._memory(partition, memory_id)
        return kept.memory if kept else None

    async def summary_memory_of(self, user: str, session_id: str) -> Memory | None:
        """See `MemoryStore`."""
        session = self._sessions.get((user, session_id))
        made = (kept for kept in self._memories.values() if session and kept.session is session)
        summaries = [kept for kept in made if kept.memory.kind == "summary"]
        return max(summaries, key=lambda kept: (kept.last_position, kept.key)).memory if summaries else None

    async def correct_memory(
        self, partition: Partition, memory_id: str, *, text: str, tokens: int, vector: bytes | None, embedder: str
    ) -> Memory | None:
        """See `MemoryStore`."""
        kept = self._memory(partition, memory_id)
        if kept is None:
            return None
        version = kept.memory.version + 1
        text = codec.clean(text)
        kept.correct(replace(kept.memory, text=text, tokens=tokens, corrected_at=utc_now(), version=version))
        kept.vector, kept.embedder = vector or None, embedder
        self._wake(kept.memory.session_id)
        return kept.memory

    async def forget_memory(self, partition: Partition, memory_id: str) -> bool:
        """See `MemoryStore`."""
        gone = self._forget_memories(lambda kept: kept is self._memory(partition, memory_id))
        for kept in gone:
            self._wake(kept.memory.session_id)
        return bool(gone)

    async def unembedded(
        self, embedder: str, *, agents: Sequence[str] | None = None, limit: int = 256
    ) -> Sequence[Memory]:
        """See `MemoryStore`."""
        return [kept.memory for kept in self._unembedded(embedder, agents)][:limit]

    async def count_unembedded(self, embedder: str, *, agents: Sequence[str] | None = None) -> int:
        """See `MemoryStore`."""
        return len(self._unembedded(embedder, agents))

    async def embed_memories(self, embedder: str, vectors: Sequence[tuple[str, int, bytes]]) -> None:
        """See `MemoryStore`."""
        for memory_id, version, vector in vectors:
            kept = self._memories.get(memory_id)
            if kept is not None and kept.memory.version == version and vector:
                kept.vector, kept.embedder = vector, embedder

    async def get_ledger(self, user: str, turn_id: str) -> StoredLedger | None:
        """See `MemoryStore`."""
        kept = self._turns.get(turn_id)
        if kept is None or kept.turn.user != user or kept.ledger is None:
            return None
        session = self._sessions[user, kept.turn.session_id]
        record = kept.ledger
        summaries = (each for each in session.summaries if each.position == record.summary_position)
        shown = [(self._memories.get(each.memory_id), each.version) for each in record.memories]
        texts = [memory.of_version(version) for memory, version in shown if memory is not None]
        messages = session.messages[record.first_position - 1 : record.last_position]
        return StoredLedger(
            session=session.seen(utc_now()),
            turn_id=turn_id,
            record=record,
            summary=next(summaries, None),
            messages=list(enumerate(messages, record.first_position)),
            memories=[text for text in texts if text is not None],
        )

    def _in(self, partition: Partition) -> list[KeptMemory]:
        return [kept for kept in self._memories.values() if kept.partition == partition]

    def _memory(self, partition: Partition, memory_id: str) -> KeptMemory | None:
        kept = self._memories.get(memory_id)
        return kept if kept and kept.partition == partition else None

    def _unembedded(self, embedder: str, agents: Sequence[str] | None) -> list[KeptMemory]:
        return [
            kept
            for kept in self._memories.values()
            if (kept.vector is None or kept.embedder != embedder) and (agents is None or kept.partition.agent in agents)
        ]


def _made_of(session: KeptSession, memory: NewMemory) -> bool:
    """Whether the message that a memory ends with is where it was."""
    last = session.messages[memory.last_position - 1 : memory.last_position]
    return not memory.message_ids or [message.message_id for message in last] == [memory.message_ids[-1]]
