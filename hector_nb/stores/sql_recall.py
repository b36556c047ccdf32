"""Finding memories by words and by vectors, inside one transaction."""

import json
from collections.abc import Mapping, Sequence

from hector_nb.stores import keywords, sql, sql_memories, sql_memory_index
from hector_nb.stores.base_memories import Candidate, Partition
from hector_nb.stores.sql_database import Database, Values
from hector_nb.stores.sql_memories import PartitionRow
from hector_nb.stores.sql_vectors import Similar, VectorFinder

_SQL = sql.queries("recall")


def recall(
    db: Database,
    partition: Partition,
    *,
    query: str,
    vector: bytes | None,
    embedder: str,
    limit: int,
    unseen: tuple[str, str, int] | None,
    finder: VectorFinder,
) -> Sequence[Candidate]:
    """See `MemoryStore.recall`."""
    found = sql_memories.find_partition(db, partition)
    if found is None or limit < 1:
        return []
    hidden = _hidden(db, unseen)
    asked = _Asked(db, found, query)
    keyword = asked.best(limit, besides=hidden)
    similar = _similar(db, found, vector, embedder, finder)
    vectorial = similar.best(limit, besides=hidden) if similar else []
    keyword |= asked.scores([key for key in vectorial if key not in keyword])
    memories = sql_memories.of_keys(db, list({**keyword, **dict.fromkeys(vectorial)}))
    scores = similar.scores(memories) if similar else {}
    return [
        Candidate(memory=memory, keyword=keyword.get(key), vector=scores.get(key)) for key, memory in memories.items()
    ]


def _hidden(db: Database, unseen: tuple[str, str, int] | None) -> list[int]:
    if unseen is None:
        return []
    owner, session_id, position = unseen
    wanted: Values = {"owner": owner, "session_id": session_id, "position": position}
    return [key for (key,) in db.all(_SQL["hidden_memories"], wanted)]


def _similar(
    db: Database, partition: PartitionRow, vector: bytes | None, embedder: str, finder: VectorFinder
) -> Similar | None:
    key = sql_memory_index.find_embedder(db, embedder) if vector and len(vector) % 4 == 0 else None
    return finder.similar(db, partition, embedder=key, query=vector) if key is not None and vector else None


class _Asked:
    """The words of a query with their weights in a partition."""

    def __init__(self, db: Database, partition: PartitionRow, query: str) -> None:
        self._db = db
        found = {
            word: int(db.value(_SQL["count_word"], {"partition": partition.key, "word": word}))
            for word in keywords.asked(query)
        }
        weights = keywords.weigh(found, partition.memory_count)
        self._values: Values = {
            "partition": partition.key,
            "weights": json.dumps(weights),
            "average": partition.length / partition.memory_count,
            "k": keywords.SATURATION,
            "b": keywords.LENGTH_SHARE,
        }

    def best(self, most: int, *, besides: Sequence[int]) -> dict[int, float]:
        """The memories that match best, by their keys."""
        return self._found("best_by_words", {"hidden": json.dumps(besides), "limit": most})

    def scores(self, keys: Sequence[int]) -> dict[int, float]:
        """Those of these memories that match."""
        return self._found("scores_by_words", {"keys": json.dumps(keys)})

    def _found(self, query: str, values: Mapping[str, str | int]) -> dict[int, float]:
        rows = self._db.all(_SQL[query], {**self._values, **values})
        return {memory: keywords.rounded(score) for memory, score in rows}
