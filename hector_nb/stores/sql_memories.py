"""Long-term memories: plain functions, each run inside one transaction."""

import json
import sys
from collections.abc import Sequence
from typing import NamedTuple

from hector_nb.errors import SessionNotFound
from hector_nb.memories import Memory, MemoryKind, StorageScope
from hector_nb.sessions import Page
from hector_nb.stores import codec, sql, sql_marks, sql_memory_index, sql_sessions
from hector_nb.stores.base_memories import NewMemory, Partition, ShownMemory
from hector_nb.stores.keywords import likeness
from hector_nb.stores.sql_database import Database, Values
from hector_nb.stores.sql_sessions import SessionRow

_SQL = sql.queries("memories")
_SELECT = _SQL["select_memories"]
_FIND = f"{_SELECT}\n{_SQL['this_memory']}"
_THESE = f"{_SELECT}\n{_SQL['these_memories']}"
_NEWEST = f"{_SELECT}\n{_SQL['newest_memories']}"
_NEWEST_SUMMARY = f"{_SELECT}\n{_SQL['newest_summary']}"
_SHOWN = sql.queries("ledgers")["shown_memories"]


class MemoryRow(NamedTuple):
    """A row of `select_memories`."""

    key: int
    memory_id: str
    agent: str
    owner: str
    session_id: str
    scope: StorageScope
    kind: MemoryKind
    text: str
    tokens: int
    message_ids: str
    created_at: int
    corrected_at: int | None
    version: int

    def memory(self) -> Memory:
        """The memory."""
        return Memory(
            memory_id=self.memory_id,
            agent=self.agent,
            user=self.owner,
            session_id=self.session_id,
            scope=self.scope,
            kind=self.kind,
            text=self.text,
            tokens=self.tokens,
            message_ids=tuple(json.loads(self.message_ids)),
            created_at=codec.from_micros(self.created_at),
            corrected_at=None if self.corrected_at is None else codec.from_micros(self.corrected_at),
            version=self.version,
        )


class PartitionRow(NamedTuple):
    """A row of `find_partition`. `length` counts the words of all its memories."""

    key: int
    memory_count: int
    length: int
    vectors_changed: int


def find_partition(db: Database, partition: Partition) -> PartitionRow | None:
    """A partition that has memories."""
    row = db.one(_SQL["find_partition"], _name(partition))
    return PartitionRow(*row) if row else None


def _name(partition: Partition) -> Values:
    return {
        "scope": partition.scope,
        "agent": partition.agent,
        "owner": partition.user or "",
        "session_id": partition.session_id or "",
    }


def _partition(db: Database, partition: Partition) -> int:
    """The key of a partition, which is made where there is none."""
    key: int = db.value(_SQL["insert_partition"], _name(partition))
    return key


def take_in(
    db: Database,
    user: str,
    session_id: str,
    *,
    scope: StorageScope,
    mark: int,
    upto: int,
    memories: Sequence[NewMemory],
    embedder: str,
    replace: bool,
) -> bool:
    """See `MemoryStore.take_in`."""
    try:
        row = sql_sessions.held(db, user, session_id)
    except SessionNotFound:
        return False
    if sql_marks.mark(db, row.key) != mark or not mark <= upto <= row.message_count:
        return False
    if not all(sql_marks.made_of(db, row.key, memory) for memory in memories):
        return False
    if replace:
        sql_memory_index.erase_summaries(db, row.key)
    _add(db, row, memories, scope=scope, embedder=embedder)
    sql_marks.move(db, row.key, upto)
    db.changed.add(session_id)
    return True


def _add(db: Database, row: SessionRow, memories: Sequence[NewMemory], *, scope: StorageScope, embedder: str) -> None:
    """Store what a session gives, but for what its user gave before."""
    if not memories:
        return
    named = Partition.of(scope, agent=row.agent, user=row.owner, session_id=row.session_id)
    partition = _partition(db, named)
    for memory in memories:
        same = likeness(row.owner, memory.text)
        if db.one(_SQL["is_alike"], {"partition": partition, "same": same}) is None:
            _insert(db, row, memory, partition=partition, same=same, embedder=embedder)
    sql_memory_index.erase_if_empty(db, partition)


def _insert(db: Database, row: SessionRow, memory: NewMemory, *, partition: int, same: bytes, embedder: str) -> None:
    words = sql_memory_index.Words(memory.text)
    key = db.value(
        _SQL["insert_memory"],
        {
            "memory_id": memory.memory_id,
            "partition": partition,
            "owner": row.owner,
            "session": row.key,
            "session_id": row.session_id,
            "last_position": memory.last_position,
            "kind": memory.kind,
            "created_at": codec.to_micros(memory.created_at),
            "tokens": memory.tokens,
            "same": same,
            "length": words.length,
            "word_count": words.count,
            "message_ids": codec.to_json(memory.message_ids),
            "text": memory.text,
        },
    )
    sql_memory_index.add(db, partition, key, words)
    if memory.vector:
        sql_memory_index.put_vector(db, partition, key, memory.vector, embedder)


def page(db: Database, partition: Partition, *, limit: int, cursor: str | None) -> Page[Memory]:
    """See `MemoryStore.list_memories`."""
    created_at, key = codec.decode_cursor(cursor, 2) if cursor else (sys.maxsize, sys.maxsize)
    found = find_partition(db, partition)
    if found is None:
        return Page(items=[])
    wanted = {"partition": found.key, "created_at": created_at, "key": key, "limit": limit + 1}
    rows = [MemoryRow(*row) for row in db.all(_NEWEST, wanted)]
    more = codec.encode_cursor(rows[limit - 1].created_at, rows[limit - 1].key) if len(rows) > limit else None
    return Page(items=[row.memory() for row in rows[:limit]], next_cursor=more)


def of_keys(db: Database, keys: Sequence[int]) -> dict[int, Memory]:
    """Several memories by their keys, in the order of these."""
    rows = (MemoryRow(*row) for row in db.run(_THESE, {"keys": json.dumps(keys)}))
    return {row.key: row.memory() for row in rows}


def get(db: Database, partition: Partition, memory_id: str) -> Memory | None:
    """See `MemoryStore.get_memory`."""
    found = find_partition(db, partition)
    row = db.one(_FIND, {"memory_id": memory_id, "partition": found.key}) if found else None
    return MemoryRow(*row).memory() if row else None


def summary_of(db: Database, user: str, session_id: str) -> Memory | None:
    """See `MemoryStore.summary_memory_of`."""
    row = db.one(_NEWEST_SUMMARY, {"owner": user, "session_id": session_id})
    return MemoryRow(*row).memory() if row else None


def correct(
    db: Database,
    partition: Partition,
    memory_id: str,
    *,
    text: str,
    tokens: int,
    vector: bytes | None,
    embedder: str,
) -> Memory | None:
    """See `MemoryStore.correct_memory`."""
    db.lock("partition_of_memory", memory_id=memory_id)
    found = find_partition(db, partition)
    old = sql_memory_index.find(db, found.key, memory_id) if found else None
    if old is None:
        return None
    words = sql_memory_index.Words(text)
    sql_memory_index.remove(db, old)
    db.run(_SQL["keep_version"], {"memory": old.key})
    changed: Values = {
        "memory": old.key,
        "now": db.now(),
        "tokens": tokens,
        "same": likeness(old.owner, text),
        "length": words.length,
        "word_count": words.count,
        "text": text,
    }
    db.run(_SQL["correct_memory"], changed)
    sql_memory_index.add(db, old.partition, old.key, words)
    if vector:
        sql_memory_index.put_vector(db, old.partition, old.key, vector, embedder)
    db.changed.add(old.session_id)
    return get(db, partition, memory_id)


def forget(db: Database, partition: Partition, memory_id: str) -> bool:
    """See `MemoryStore.forget_memory`."""
    db.lock("partition_of_memory", memory_id=memory_id)
    found = find_partition(db, partition)
    old = sql_memory_index.find(db, found.key, memory_id) if found else None
    if old is None:
        return False
    sql_memory_index.erase(db, [old])
    db.changed.add(old.session_id)
    return True


def unembedded(db: Database, embedder: str, *, agents: Sequence[str] | None, limit: int) -> Sequence[Memory]:
    """See `MemoryStore.unembedded`."""
    keys = sql_memory_index.unembedded(db, embedder, agents=agents, limit=limit)
    return list(of_keys(db, keys).values())


def shown(db: Database, memories: Sequence[ShownMemory]) -> list[Memory]:
    """The memories of a ledger with the texts that it shows, as far as they are still there."""
    if not memories:
        return []
    wanted = {memory.memory_id: memory.version for memory in memories}
    rows = (MemoryRow(*row) for row in db.run(_SHOWN, {"shown": json.dumps(wanted)}))
    found = {row.memory_id: row.memory() for row in rows if row.version == wanted[row.memory_id]}
    return [found[memory_id] for memory_id in wanted if memory_id in found]
