"""`search`: where something is said in the configured folders, by words and by meaning.

Before each search its index takes in what has changed, within a time; what is not done then is done by the next searches, and the
answer says so. The index holds no text: what is shown is read from the files. It is a file in the cache folder, one for each set of
folders, used by all processes.
"""

import asyncio
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import apsw

from hector_nb.config.schema import ToolConfig
from hector_nb.tools.base import CallContext, Embedder, Tool, ToolError
from hector_nb.tools.builtin import BuiltinTool, in_thread, make_schema
from hector_nb.tools.fence import Fence
from hector_nb.tools.search_answer import ranked, shown
from hector_nb.tools.search_chunks import Pages, pages
from hector_nb.tools.search_files import read
from hector_nb.tools.search_index import Place, SearchIndex
from hector_nb.tools.search_update import Progress, Updater
from hector_nb.tools.search_words import Query, asked

_FORMAT = 1
"""Changes whenever older indexes cannot be used any more."""
_WORDS_WITHIN = 8.0
"""Seconds after the beginning of a search until which it takes in the words of files."""
_MEANING_WITHIN = 3.0
"""The same for their meaning."""
_CANDIDATES = 200
"""Pieces found by words that are ranked."""
_LOOKED_AT = 60
"""Pieces, the best, whose text is looked at."""
_OF_ONE_FILE = 3
"""The most places of one file."""
_DEFAULT_LIMIT = 8
_MOST_LIMIT = 30
_UNUSED = 30 * 86_400.0
"""Seconds after which an index that nobody has used is thrown away."""


class Search(BuiltinTool):
    """Searches in its folders. Shown paths are relative to `base` where they lie in it. `cache` is the folder for indexes."""

    schema = make_schema(
        "search",
        "Search files (text, Markdown, code, notebooks) by words and by meaning. Answers with places as file:line and the lines there.",
        {
            "query": {"type": "string", "minLength": 1, "description": "What to look for: words, a name, a question."},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": _MOST_LIMIT,
                "description": f"The most places. Default: {_DEFAULT_LIMIT}.",
            },
        },
        required=("query",),
    )

    def __init__(self, folders: Sequence[Path], *, base: Path, cache: Path, embedder: Embedder | None = None) -> None:
        self._base = Path(os.path.realpath(base))
        self._fences = list({fence.root: fence for fence in map(Fence, folders)}.values())
        self._cache = cache
        self._embedder = embedder
        self._index: SearchIndex | None = None
        self._updater: Updater | None = None
        self._lock = asyncio.Lock()

    @classmethod
    def from_config(cls, config: ToolConfig, *, folder: Path, cache: Path, embedder: Embedder | None = None) -> Self:
        """The tool as configured; `folders` are relative to `folder`, and are `folder` alone where they are not set."""
        folders = [folder / os.path.expanduser(each) for each in config.folders or ("",)]  # noqa: PTH111 -- never fails
        return cls(folders, base=folder, cache=cache, embedder=embedder).limited(config)

    async def tools(self) -> Sequence[Tool]:
        """The tool is its own source."""
        return (self,)

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        """Whatever lies in the folders."""
        return True

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """The places, best first, and what the index lacks."""
        query = asked(arguments["query"])
        async with self._lock:
            try:
                index, updater = await self._opened()
                progress = await updater.update(
                    words_within=self._time(_WORDS_WITHIN), meaning_within=self._time(_MEANING_WITHIN)
                )
                vector = await updater.vector(query.text)
                limit = arguments.get("limit", _DEFAULT_LIMIT)
                found = await in_thread(lambda: self._found(index, query, vector, limit))
            except apsw.BusyError as error:
                raise ToolError("The index is busy in another process. Search again in a moment.") from error
            except apsw.Error as error:
                self._close()
                raise ToolError(f"The index of the files cannot be used: {error}.") from error
        if not found:
            found = [f"Nothing was found in {progress.words:,} files. Other words may help."]
        notes = "\n".join(_notes(progress))
        return "\n\n".join([*found, notes] if notes else found)

    async def aclose(self) -> None:
        """Close the index."""
        async with self._lock:
            self._close()

    def _close(self) -> None:
        if self._index is not None:
            self._index.close()
        self._index = self._updater = None

    async def _opened(self) -> tuple[SearchIndex, Updater]:
        if self._index is None or self._updater is None:
            self._index = await in_thread(self._open)
            self._updater = Updater(self._index, self._fences, self._embedder)
        return self._index, self._updater

    def _open(self) -> SearchIndex:
        embedder = self._embedder.name if self._embedder else None
        told = json.dumps([_FORMAT, embedder, *(str(fence.root) for fence in self._fences)])
        path = self._cache / f"{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:32]}.db"
        index = SearchIndex(path)
        os.utime(path)
        _clear(self._cache)
        return index

    def _time(self, most: float) -> float:
        return most if self.timeout is None else min(most, self.timeout / 3)

    def _found(self, index: SearchIndex, query: Query, vector: bytes | None, limit: int) -> list[str]:
        """The best places with their lines. Those that are not in their file any more are left out."""
        keys, vectors = index.vectors() if vector is not None else ([], b"")
        best = ranked(index.by_words(query.match, most=_CANDIDATES), keys, vectors, vector)[:_LOOKED_AT]
        places = index.places(best)
        files = {at: self._pages(*at) for at in {(place.folder, place.path) for place in places.values()}}
        there = [
            (place, now) for key in best if (place := places.get(key)) and (now := files[place.folder, place.path])
        ]
        there.sort(key=lambda each: not query.is_in(each[1].between(each[0].first, each[0].last)))
        wanted = frozenset(index.stems(" ".join(query.words)))
        of_file: Counter[str] = Counter()
        result: list[str] = []
        for place, now in there:
            if len(result) == limit:
                break
            name = self._name(place)
            if of_file[name] < _OF_ONE_FILE and (text := shown(name, place, now, wanted, index.stems)):
                of_file[name] += 1
                result.append(text)
        return result

    def _pages(self, folder: int, path: str) -> Pages | None:
        text = read(self._fences[folder], path)
        return None if text is None else pages(path, text)

    def _name(self, place: Place) -> str:
        path = self._fences[place.folder].root / place.path
        return (path.relative_to(self._base) if path.is_relative_to(self._base) else path).as_posix()


def _notes(progress: Progress) -> list[str]:
    """What the answer could not take into account."""
    there = progress.there
    total = f"{len(there.files):,}"
    notes = [f"[The folder {folder} does not exist.]" for folder in there.missing]
    if progress.words < len(there.files):
        notes.append(f"[Indexed {progress.words:,} of {total} files so far; search again for the rest.]")
    elif progress.meaning < len(there.files):
        notes.append(f"[{progress.meaning:,} of {total} files can be found by meaning so far, all by their words.]")
    if there.too_large:
        notes.append(f"[Left out: {there.too_large:,} files that are too large.]")
    if there.more:
        notes.append(f"[There are too many files; only {total} are searched.]")
    return notes


def _clear(cache: Path) -> None:
    """Throw away the indexes that nobody has used for long."""
    late = time.time() - _UNUSED
    for path in cache.glob("*.db*"):
        with suppress(OSError):
            if path.stat().st_mtime < late:
                path.unlink()
