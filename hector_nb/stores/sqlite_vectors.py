"""The vectors of a SQLite store, held in memory by partition while they are searched.

A search compares the query with every vector of one partition. `python -m tests.benchmarks.vectors` on two busy cores, 256 numbers each:

    memories in the partition            1,000    10,000    100,000    100 partitions of 1,000
    numpy, held in memory              0.04 ms    0.3 ms       6 ms    0.2 ms
    numpy, read from the file           0.6 ms     10 ms     230 ms    1.9 ms
    sqlite-vec, partition key           0.3 ms      3 ms      37 ms    0.6 ms

sqlite-vec needs no memory, but a megabyte of file for each partition, and with scope `session` every session is one. So the vectors
are plain rows, read once, and again only what is new: each search asks the partition's counter `vectors_changed`.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from hector_nb.stores import sql, vectors
from hector_nb.stores.sql_database import Database, Values
from hector_nb.stores.sql_memories import PartitionRow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Keys = NDArray[np.int64]

_VECTORS_AFTER = sql.queries("vectors")["vectors_after"]
_MOST_BYTES = 128 << 20
"""Vectors held for one store; a partition that is larger is read anew for each search."""
_BLOCK = 4096
"""Vectors in one matrix."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    keys: "Keys"
    rows: "vectors.Floats"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """A partition's vectors of one embedder, as they were when its `vectors_changed` was `version`."""

    version: int
    blocks: Sequence[_Block]

    @property
    def bytes(self) -> int:
        return sum(block.rows.nbytes for block in self.blocks)


class Similar:
    """The cosines of a partition's memories with a query."""

    def __init__(self, found: Sequence[tuple["Keys", "vectors.Floats"]]) -> None:
        import numpy as np

        self._keys = np.concatenate([np.empty(0, np.int64), *(keys for keys, _ in found)])
        self._cosines = np.concatenate([np.empty(0, np.float32), *(cosines for _, cosines in found)])

    def best(self, most: int, *, besides: Collection[int]) -> list[int]:
        """The keys of the memories that are most like the query."""
        import numpy as np

        cosines = self._cosines
        if besides:
            cosines = np.where(np.isin(self._keys, list(besides)), np.nan, cosines)
        return [int(self._keys[place]) for place in vectors.best(cosines, most)]

    def scores(self, keys: Collection[int]) -> dict[int, float]:
        """How much those of these memories that have vectors are like the query."""
        found = {key: self._score(key) for key in keys}
        return {key: score for key, score in found.items() if score is not None}

    def _score(self, key: int) -> float | None:
        place = int(self._keys.searchsorted(key))
        if place == len(self._keys) or self._keys[place] != key:
            return None
        return vectors.score(float(self._cosines[place]))


class VectorCache:
    """Holds vectors for all threads that search; what was searched longest ago goes first. Blocks never change once they are here."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[int, int, int], _Held] = OrderedDict()
        self._lock = threading.Lock()

    def similar(self, db: Database, partition: PartitionRow, *, embedder: int, query: bytes) -> Similar:
        """Compare a query with all vectors of a partition that the same embedder has made."""
        values: Values = {"partition": partition.key, "embedder": embedder, "bytes": len(query)}
        if partition.memory_count * len(query) > _MOST_BYTES:
            blocks: Iterator[_Block] = _read(db, values, after=partition.key << 32)
        else:
            blocks = iter(self._current(db, partition, values).blocks)
        return Similar([(block.keys, vectors.cosines(block.rows, query)) for block in blocks])

    def _current(self, db: Database, partition: PartitionRow, values: Values) -> _Held:
        name = (partition.key, int(values["embedder"] or 0), int(values["bytes"] or 0))
        with self._lock:
            held = self._held.get(name)
        blocks = list(held.blocks) if held and held.version == partition.vectors_changed else []
        last = int(blocks[-1].keys[-1]) if blocks else 0
        for block in _read(db, values, after=(partition.key << 32) + last):
            _append(blocks, block)
        held = _Held(version=partition.vectors_changed, blocks=blocks)
        with self._lock:
            self._held[name] = held
            self._held.move_to_end(name)
            while sum(each.bytes for each in self._held.values()) > _MOST_BYTES:
                self._held.popitem(last=False)
        return held


def _append(blocks: list[_Block], block: _Block) -> None:
    import numpy as np

    if blocks and len(blocks[-1].keys) + len(block.keys) <= _BLOCK:
        last = blocks.pop()
        block = _Block(keys=np.concatenate([last.keys, block.keys]), rows=np.concatenate([last.rows, block.rows]))
    blocks.append(block)


def _read(db: Database, values: Values, *, after: int) -> Iterator[_Block]:
    import numpy as np

    dimension = int(values["bytes"] or 0) // 4
    with db.lazily(_VECTORS_AFTER, {**values, "after": after}) as rows:
        while found := list(islice(rows, _BLOCK)):
            keys = np.fromiter((place & 0xFFFFFFFF for place, _ in found), np.int64, len(found))
            yield _Block(keys=keys, rows=vectors.matrix([vector for _, vector in found], dimension))
