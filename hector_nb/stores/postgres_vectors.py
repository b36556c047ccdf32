"""Finding memories by vectors in PostgreSQL, with pgvector.

A search compares the query with every vector of one partition that the same embedder has made: what is found is exact, and neither
what is found nor how long it takes tells anything of what lies in other partitions.
"""

import json
import math
import struct
from collections.abc import Collection, Iterator

from hector_nb.stores import sql, vectors
from hector_nb.stores.sql_database import Database, Values
from hector_nb.stores.sql_memories import PartitionRow

_SQL = sql.queries("postgres_vectors")
_MOST_NUMBERS = 16_000
"""As many as pgvector takes."""


def written(vector: bytes) -> str | None:
    """A vector as pgvector reads it; None where it is none that can be compared."""
    if not vector or len(vector) % 4 or len(vector) > 4 * _MOST_NUMBERS:
        return None
    numbers = struct.unpack(f"<{len(vector) // 4}f", vector)
    return json.dumps(numbers) if all(map(math.isfinite, numbers)) else None


def read(text: str) -> bytes:
    """A vector as pgvector writes it."""
    numbers = json.loads(text)
    return struct.pack(f"<{len(numbers)}f", *numbers)


def put(db: Database, partition: int, memory: int, vector: bytes, embedder: int) -> None:
    """Give a memory a vector instead of the one that it has."""
    text = written(vector)
    if text is None:
        erase(db, memory)
        return
    values: Values = {"partition": partition, "memory": memory, "embedder": embedder, "vector": text}
    db.run(_SQL["put_vector"], {**values, "dimension": len(vector) // 4})


def erase(db: Database, memory: int) -> None:
    """Take a memory's vector away."""
    db.run(_SQL["erase_vector"], {"memory": memory})


def every(db: Database) -> Iterator[tuple[int, int, int, bytes]]:
    """All vectors: partition, memory, embedder, and the vector."""
    with db.lazily(_SQL["all_vectors"]) as rows:
        for partition, memory, embedder, text in rows:
            yield partition, memory, embedder, read(text)


class PostgresSimilar:
    """The cosines of a partition's memories with a query."""

    def __init__(self, db: Database, partition: int, embedder: int, query: bytes) -> None:
        self._db = db
        self._query = written(query)
        self._values: Values = {
            "partition": partition,
            "embedder": embedder,
            "dimension": len(query) // 4,
            "vector": self._query,
        }

    def best(self, most: int, *, besides: Collection[int]) -> list[int]:
        """See `Similar`."""
        if self._query is None:
            return []
        values: Values = {**self._values, "hidden": json.dumps(list(besides)), "limit": most}
        return [memory for (memory,) in self._db.all(_SQL["most_similar"], values)]

    def scores(self, keys: Collection[int]) -> dict[int, float]:
        """See `Similar`."""
        if self._query is None or not keys:
            return {}
        rows = self._db.all(_SQL["cosines"], {**self._values, "keys": json.dumps(list(keys))})
        found = {memory: vectors.score(max(-1.0, min(1.0, cosine))) for memory, cosine in rows}
        return {memory: score for memory, score in found.items() if score is not None}


class PostgresVectors:
    """A `VectorFinder` that keeps nothing."""

    def similar(self, db: Database, partition: PartitionRow, *, embedder: int, query: bytes) -> PostgresSimilar:
        """See `VectorFinder`."""
        return PostgresSimilar(db, partition.key, embedder, query)
