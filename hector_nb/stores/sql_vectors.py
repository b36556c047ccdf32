"""Finding memories by vectors, as `sql_recall` asks for it."""

from collections.abc import Collection
from typing import Protocol

from hector_nb.stores.sql_database import Database
from hector_nb.stores.sql_memories import PartitionRow


class Similar(Protocol):
    """The cosines of a partition's memories with a query."""

    def best(self, most: int, *, besides: Collection[int]) -> list[int]:
        """The keys of the memories that are most like the query."""
        ...

    def scores(self, keys: Collection[int]) -> dict[int, float]:
        """How much those of these memories that have vectors are like the query."""
        ...


class VectorFinder(Protocol):
    """Compares vectors, from any thread."""

    def similar(self, db: Database, partition: PartitionRow, *, embedder: int, query: bytes) -> Similar:
        """Compare a query with the vectors of a partition that the same embedder has made."""
        ...
