"""Keeps the index of `search` as the files are: words first, then meaning, and no longer than there is time for."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from hector_nb.errors import HectorError
from hector_nb.tools.base import Embedder
from hector_nb.tools.builtin import in_thread
from hector_nb.tools.fence import Fence
from hector_nb.tools.search_chunks import Chunk, Pages, pages
from hector_nb.tools.search_files import Found, Survey, read, survey
from hector_nb.tools.search_index import Known, SearchIndex

_log = logging.getLogger("hector_nb.tools")

_WORDS_BATCH = 512 * 1024
"""Bytes of files that are read and stored at once."""
_MEANING_BATCH = 64 * 1024
"""The same while vectors are made, which takes longer."""
_BATCH_FILES = 100
_EMBEDDED = 2000
"""Characters of a piece that its vector stands for."""
_SURE_AFTER = 2_000_000_000
"""Nanoseconds after which a change of a file has another time than the one before, on every file system."""

_Sized = TypeVar("_Sized", Found, Known)


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far the index has come. `there` is what there is; of its files so many can be found by `words`, so many by `meaning`."""

    there: Survey
    words: int
    meaning: int


class Updater:
    """Brings an index up to date. `embedder` becomes None where it fails: then this process goes on without one."""

    def __init__(self, index: SearchIndex, fences: Sequence[Fence], embedder: Embedder | None) -> None:
        self._index = index
        self._fences = fences
        self._embedder = embedder

    async def update(self, *, words_within: float, meaning_within: float) -> Progress:
        """Take in what has changed, for at most about so many seconds from now on; some words always."""
        start = time.monotonic()
        there = await in_thread(lambda: survey(self._fences))
        left = await self._update_words(there, until=start + words_within)
        lacking = await self._update_meaning(until=start + meaning_within)
        files = len(there.files)
        return Progress(there=there, words=files - left, meaning=files - left - lacking)

    async def vector(self, text: str) -> bytes | None:
        """The vector of a query; None where nothing can be found by meaning."""
        vectors = await self._vectors([text])
        return vectors[0] if vectors else None

    async def _update_words(self, there: Survey, *, until: float) -> int:
        """How many files are not in the index yet, or not as they are now."""
        known = await in_thread(self._index.known)
        here = {(found.folder, found.path): found for found in there.files}
        gone = [each.key for place, each in known.items() if place not in here]
        await in_thread(lambda: self._index.forget(gone))
        stale = [found for place, found in here.items() if place not in known or _changed(found, known[place])]
        left = len(stale)
        for batch in _batches(stale, _WORDS_BATCH):
            await in_thread(partial(self._put, batch))
            left -= len(batch)
            if time.monotonic() > until:
                break
        return left

    def _put(self, batch: Sequence[Found]) -> None:
        sure_before = time.time_ns() - _SURE_AFTER
        self._index.put([(found, self._pages(found)) for found in batch], sure_before=sure_before)

    def _pages(self, file: Found | Known) -> Pages | None:
        text = read(self._fences[file.folder], file.path)
        return None if text is None else pages(file.path, text)

    async def _update_meaning(self, *, until: float) -> int:
        """How many files of the index have no vectors yet."""
        if self._embedder is None:
            return 0
        known = await in_thread(self._index.known)
        without = [each for each in known.values() if not each.embedded]
        left = len(without)
        for batch in _batches(without, _MEANING_BATCH):
            if time.monotonic() > until or not await self._embed(batch):
                break
            left -= len(batch)
        return left

    async def _embed(self, batch: Sequence[Known]) -> bool:
        """Give the pieces of these files their vectors; whether that could be done."""
        read_now = await in_thread(lambda: [(each, self._pages(each)) for each in batch])
        pieces = [(file.key, chunk, parts) for file, parts in read_now if parts for chunk in parts.chunks]
        vectors = await self._vectors(
            [parts.between(chunk.first, chunk.last)[:_EMBEDDED] for _, chunk, parts in pieces]
        )
        if vectors is None:
            return False
        by_file: dict[int, dict[Chunk, bytes]] = {each.key: {} for each in batch}
        for (key, chunk, _), vector in zip(pieces, vectors, strict=True):
            by_file[key][chunk] = vector
        await in_thread(lambda: self._index.embed(by_file))
        return True

    async def _vectors(self, texts: Sequence[str]) -> Sequence[bytes] | None:
        if self._embedder is None:
            return None
        try:
            return await self._embedder.embed(texts)
        except HectorError as error:
            _log.warning("Files are searched by their words alone: %s", error.message)
            self._embedder = None
            return None


def _changed(found: Found, known: Known) -> bool:
    return (found.size, found.mtime_ns, found.ctime_ns) != (known.size, known.mtime_ns, known.ctime_ns)


def _batches(files: Sequence[_Sized], most: int) -> Iterator[list[_Sized]]:
    """The files in order, some together: about `most` bytes."""
    batch: list[_Sized] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.size
        if size >= most or len(batch) == _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
