"""The port to what is remembered: summaries, long-term memories and ledgers, in the same database as the transcripts.

Every memory lies in one *partition*, which is what one session may recall: the session itself, or what a user gave an agent, or what
everybody gave it. The store keeps no policy: it is told the partition. Positions are those of messages in a session, from 1.

Taking in is crash-safe without a write on the way of an answer: a session has a *mark*, the position up to which long-term memory has
taken it in, and whoever finds messages after the mark takes them in and moves the mark in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hector_nb.memories import Memory, MemoryKind, StorageScope, Summary
from hector_nb.messages import Message
from hector_nb.sessions import Page, Session


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """What one session may recall. `user` is None in scope `all`; `session_id` is set in scope `session` alone."""

    scope: StorageScope
    agent: str
    user: str | None
    session_id: str | None

    @classmethod
    def of(cls, scope: StorageScope, *, agent: str, user: str, session_id: str) -> "Partition":
        """The partition of a session whose agent has this scope. A session id is its user's own, so scope `session` keeps the user."""
        return cls(
            scope=scope,
            agent=agent,
            user=None if scope == "all" else user,
            session_id=session_id if scope == "session" else None,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMemory:
    """A memory to be stored. `last_position` is that of the last of its messages.

    `vector` holds little-endian 32-bit floats of length 1; None: not embedded yet.
    """

    memory_id: str
    kind: MemoryKind
    text: str
    tokens: int
    message_ids: tuple[str, ...]
    last_position: int
    created_at: datetime
    vector: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A memory found. `keyword` is BM25, larger is better; `vector` the cosine, from -1 to 1; None: not found so (or has no vector)."""

    memory: Memory
    keyword: float | None
    vector: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Untaken:
    """A session that has messages after its mark. `upto` is the position of its newest message, `idle_since` the time of that."""

    session: Session
    mark: int
    upto: int
    idle_since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownMemory:
    """A memory as a ledger keeps it: by name and version, so that forgetting it forgets it there too."""

    memory_id: str
    version: int
    tokens: int
    score: float
    keyword: float | None
    vector: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerRecord:
    """What a model saw, compactly: texts that are stored elsewhere are named by where they are.

    `system` and `tools` (the tool schemas as JSON) are stored once however many turns share them. `summary_position` names the session's
    summary that was shown. The messages shown are those of the transcript from `first_position` to `last_position`.
    """

    model: str
    strategy: str
    budget: int
    budget_note: str | None
    estimated: bool
    system: str
    system_tokens: int
    tools: str
    tools_tokens: int
    summary_position: int | None
    first_position: int
    last_position: int
    memories: Sequence[ShownMemory] = ()
    requests: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredLedger:
    """A ledger record with what it names, as far as it is still there: messages in their order with their positions, memories by id."""

    session: Session
    turn_id: str
    record: LedgerRecord
    summary: Summary | None
    messages: Sequence[tuple[int, Message]]
    memories: Sequence[Memory]


class MemoryStore(Protocol):
    """What a `Store` keeps beside transcripts and turns. Methods are transactions and raise `StoreError`, as everywhere in the store."""

    async def store_summary(self, user: str, session_id: str, summary: Summary, *, after: int) -> bool:
        """Add a summary that covers one more piece of the transcript than the one at position `after` (0: than none).

        False, and nothing is stored, where the newest summary is another one by now or the message is gone.
        """
        ...

    async def messages_between(
        self, user: str, session_id: str, *, after: int, upto: int | None = None, limit: int = 1000
    ) -> Sequence[Message]:
        """Messages at the positions `after` + 1 to `upto`, oldest first; empty where there is no such session."""
        ...

    async def untaken(
        self, agents: Sequence[str], *, over: bool | None = None, idle_before: datetime | None = None, limit: int = 20
    ) -> Sequence[Untaken]:
        """Listed sessions of these agents with messages after their mark and no unfinished turn, longest idle first.

        `over`: only those that are (not) ended or expired. `idle_before`: only those without a message since.
        """
        ...

    async def untaken_of(self, user: str, session_id: str) -> Untaken | None:
        """One listed session, if it has messages after its mark, running turn or not."""
        ...

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
        """Store memories made of the messages after `mark` up to `upto`, and move the mark to `upto`; at once or not at all.

        A memory whose text (without case and space) the partition has already from the same user is not stored again. `replace`: the
        session's earlier memories of kind `summary` go. False, and nothing is stored, where the mark is not at `mark` any more.
        """
        ...

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
        """The best `limit` memories by words and the best `limit` by vector, in no order, each with both scores.

        Any word of `query` may match, by its stem; stop words do not count; nothing in it is an operator. Vectors of another
        embedder than `embedder` count as none. `unseen` is a user, a session id and a position: memories of that session whose last
        message is at the position or later are left out, because the model sees them.
        """
        ...

    async def list_memories(self, partition: Partition, *, limit: int = 50, cursor: str | None = None) -> Page[Memory]:
        """A partition's memories, newest first.

        Raises:
            InvalidRequest: the cursor is not one of ours.
        """
        ...

    async def get_memory(self, partition: Partition, memory_id: str) -> Memory | None:
        """One memory of a partition."""
        ...

    async def summary_memory_of(self, user: str, session_id: str) -> Memory | None:
        """The newest memory of kind `summary` that a session gave, if it is still there."""
        ...

    async def correct_memory(
        self, partition: Partition, memory_id: str, *, text: str, tokens: int, vector: bytes | None, embedder: str
    ) -> Memory | None:
        """Give a memory another text; the old one is kept for the ledgers that show it. None where there is no such memory."""
        ...

    async def forget_memory(self, partition: Partition, memory_id: str) -> bool:
        """Erase a memory: rows, indexes, vectors, all versions, and from the bytes of the files before this returns."""
        ...

    async def unembedded(
        self, embedder: str, *, agents: Sequence[str] | None = None, limit: int = 256
    ) -> Sequence[Memory]:
        """Memories that these agents (None: all) remember and that have no vector of this embedder, in the order of their storing.

        A memory has one vector, so agents whose embedders differ must be told apart here.
        """
        ...

    async def count_unembedded(self, embedder: str, *, agents: Sequence[str] | None = None) -> int:
        """How many memories `unembedded` would give."""
        ...

    async def embed_memories(self, embedder: str, vectors: Sequence[tuple[str, int, bytes]]) -> None:
        """Store vectors of memories, each for an id and a version; other versions are left alone."""
        ...

    async def get_ledger(self, user: str, turn_id: str) -> StoredLedger | None:
        """What a turn's model saw; None where there is no such turn or it never asked its model."""
        ...
