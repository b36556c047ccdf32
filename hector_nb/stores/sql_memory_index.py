"""What memories are found by: words, vectors, and the counts of their partitions. Plain functions, each run inside one transaction.

The vectors of a partition lie in the order of its memories. A vector added after all others leaves `vectors_changed` alone, so that
other processes read no more than the new ones.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from hector_nb.memories import MemoryKind
from hector_nb.stores import codec, keywords, sql
from hector_nb.stores.sql_database import Database, Values

_SQL = sql.queries("memories")
_SELECT = _SQL["select_indexed"]
_FIND = f"{_SELECT}\n{_SQL['indexed_memory']}"
_OF_SESSION = f"{_SELECT}\n{_SQL['of_session']}"
_OF_SESSION_ALONE = f"{_SELECT}\n{_SQL['of_session_alone']}"
_OF_SESSION_AFTER = f"{_SELECT}\n{_SQL['of_session_after']}"
_SUMMARIES = f"{_SELECT}\n{_SQL['summaries_of_session']}"


class IndexedRow(NamedTuple):
    """A row of `select_indexed`: what has to be known of a memory to take it out of the indexes."""

    key: int
    partition: int
    owner: str
    session_id: str
    kind: MemoryKind
    length: int
    word_count: int
    text: str


class Words:
    """The stemmed words of a text, how many they are (`length`), and how many different ones (`count`)."""

    def __init__(self, text: str) -> None:
        stems = keywords.stems(text)
        self.length = stems.total()
        self.count = len(stems)
        self.encoded = codec.to_json(stems)


def find(db: Database, partition: int, memory_id: str) -> IndexedRow | None:
    """One memory of a partition."""
    row = db.one(_FIND, {"memory_id": memory_id, "partition": partition})
    return IndexedRow(*row) if row else None


def add(db: Database, partition: int, memory: int, words: Words) -> None:
    """Let a memory be found by its words, and count it."""
    values: Values = {"partition": partition, "memory": memory, "words": words.encoded, "length": words.length}
    db.run(_SQL["insert_words"], values)
    _count(db, partition, memories=1, length=words.length)


def remove(db: Database, memory: IndexedRow) -> None:
    """Let a memory no longer be found by its words and its vector, and count it no more."""
    values: Values = {"partition": memory.partition, "memory": memory.key, "words": Words(memory.text).encoded}
    if db.count(_SQL["erase_words"], values) != memory.word_count:  # another version of Python knew other words in it
        db.run(_SQL["erase_all_words"], values)
    db.erase_vector(memory.partition, memory.key)
    _count(db, memory.partition, memories=-1, length=-memory.length)


def put_vector(db: Database, partition: int, memory: int, vector: bytes, embedder: str) -> None:
    """Give a memory a vector instead of the one that it has."""
    key = _embedder(db, embedder)
    db.put_vector(partition, memory, vector, key)
    db.run(_SQL["set_embedder"], {"memory": memory, "embedder": key})


def find_embedder(db: Database, name: str) -> int | None:
    """The key of an embedder that has made vectors here."""
    row = db.one(_SQL["find_embedder"], {"name": name})
    return row[0] if row else None


def _embedder(db: Database, name: str) -> int:
    key = find_embedder(db, name)
    if key is None:
        key = int(db.value(_SQL["insert_embedder"], {"name": name}))
    return key


def erase(db: Database, memories: Sequence[IndexedRow]) -> None:
    """Erase memories with all that belongs to them."""
    for memory in memories:
        remove(db, memory)
        db.run(_SQL["erase_memory"], {"memory": memory.key})
    for partition in {memory.partition for memory in memories}:
        erase_if_empty(db, partition)
    db.erased |= bool(memories)


def erase_if_empty(db: Database, partition: int) -> None:
    """Erase a partition in which nothing is left."""
    db.run(_SQL["erase_empty_partition"], {"partition": partition})


def erase_of_session(db: Database, session: int, *, forget: bool) -> None:
    """Erase what a session keeps for itself, and if it is to be forgotten all that it gave."""
    _erase_found(db, _OF_SESSION if forget else _OF_SESSION_ALONE, {"session": session})


def erase_after(db: Database, session: int, *, after: int) -> bool:
    """Erase what was made of messages after a position; whether a summary was among it."""
    return "summary" in _erase_found(db, _OF_SESSION_AFTER, {"session": session, "after": after})


def erase_summaries(db: Database, session: int) -> None:
    """Erase the memories of kind `summary` that a session gave."""
    _erase_found(db, _SUMMARIES, {"session": session})


def _erase_found(db: Database, query: str, values: Values) -> set[MemoryKind]:
    rows = [IndexedRow(*row) for row in db.all(query, values)]
    for partition in sorted({row.partition for row in rows}):
        db.lock("partition", partition=partition)
    erase(db, rows)
    return {row.kind for row in rows}


def _count(db: Database, partition: int, *, memories: int, length: int) -> None:
    db.run(_SQL["count_memory"], {"partition": partition, "memories": memories, "length": length})


def unembedded(db: Database, embedder: str, *, agents: Sequence[str] | None, limit: int) -> list[int]:
    """The first memories without a vector of an embedder, by their keys."""
    keys: list[int] = []
    for values in _others(db, embedder, agents):
        keys += [key for (key,) in db.all(_SQL["unembedded"], {**values, "limit": limit})]
    return sorted(keys)[:limit]


def count_unembedded(db: Database, embedder: str, *, agents: Sequence[str] | None) -> int:
    """See `MemoryStore.count_unembedded`."""
    return sum(db.value(_SQL["count_unembedded"], values) for values in _others(db, embedder, agents))


def _others(db: Database, embedder: str, agents: Sequence[str] | None) -> list[Values]:
    """The ranges of the memories that have no vector, or one of another embedder."""
    others = db.all(_SQL["other_embedders"], {"embedder": find_embedder(db, embedder) or 0})
    named = None if agents is None else json.dumps(list(agents))
    return [{"embedder": key, "agents": named} for key in (0, *(key for (key,) in others))]


def embed(db: Database, embedder: str, vectors: Sequence[tuple[str, int, bytes]]) -> None:
    """See `MemoryStore.embed_memories`."""
    for memory_id, version, vector in vectors:
        db.lock("partition_of_memory", memory_id=memory_id)
        row = db.one(_SQL["memory_of_version"], {"memory_id": memory_id, "version": version})
        if row is not None and vector:
            key, partition = row
            put_vector(db, partition, key, vector, embedder)
