"""The unused middle of the pages of a SQLite file, where SQLite leaves bytes of rows that it has moved elsewhere.

`secure_delete` overwrites a row where it lies when it is deleted. But where a page of a tree is divided or joined with its neighbour,
rows move from page to page, and their bytes can stay behind in the middle of the old one, which no later deletion of the row reaches.
Nothing ever reads these bytes, so they can be overwritten in the file itself while the log is empty and nobody may write.

The format is that of https://sqlite.org/fileformat2.html: a page of a tree begins with its kind, the number of its cells and the place
where their content begins; between the array of the cells' places and that is the middle.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct

import apsw

_TREES = {2: 12, 5: 12, 10: 8, 13: 8}
"""Kinds of pages, and the sizes of their headers."""
_FILE_HEADER = 100
_READ_PAGES = 256
_LOCKS = 1 << 30
"""Where the page is that SQLite uses for its locks."""
_MOST_PAGES = 1 << 24
"""In a longer file an overflow page may look like one of a tree; nothing is touched there."""


class Pages:
    """The pages of a database, while its log is empty and its write lock is held.

    The file is opened by SQLite's own means: to close another descriptor of it would drop the locks of this process.
    """

    def __init__(self, path: Path) -> None:
        flags = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE
        self._file = apsw.VFSFile("", os.fspath(path.resolve()), [flags, 0])
        header = self._file.xRead(_FILE_HEADER, 0)
        size = int.from_bytes(header[16:18], "big")
        self._size = 65_536 if size == 1 else size
        self._usable = self._size - header[20]
        self._has_map = any(header[52:56])
        self._page = Struct(f">B2xHH{self._size - 7}x")
        self._clean = bytes(self._size)
        self.count = self._file.xFileSize() // self._size

    def close(self) -> None:
        """Let go of the file."""
        self._file.xClose()

    def scrub(self, first: int, last: int) -> int:
        """Overwrite what is in the middle of these pages, counted from 1; in how many of them something was."""
        found = 0
        for start in range(first, last + 1, _READ_PAGES) if self.count < _MOST_PAGES else ():
            pages = min(_READ_PAGES, last + 1 - start)
            data = self._file.xRead(pages * self._size, (start - 1) * self._size)
            for begin, end in self._middles(data, start):
                if data[begin:end] != self._clean[: end - begin]:
                    self._file.xWrite(self._clean[: end - begin], (start - 1) * self._size + begin)
                    found += 1
        if found:
            self._file.xSync(apsw.SQLITE_SYNC_NORMAL)
        return found

    def _middles(self, data: bytes, first: int) -> Iterator[tuple[int, int]]:
        """Where the middles of the pages are in data that begins with the page `first`.

        The file's first page, which begins with another header, holds nothing but the schema.
        """
        start = 0
        for page, (kind, cells, content) in enumerate(self._page.iter_unpack(data), first):
            if kind in _TREES and page > 1 and not (self._has_map and self._is_map(page)):
                begin, end = _TREES[kind] + 2 * cells, content or 65_536
                if begin < end <= self._usable:
                    yield start + begin, start + end
            start += self._size

    def _is_map(self, page: int) -> bool:
        """Whether a page says of others what they are, and is none of a tree, though it may begin like one."""
        maps_every = self._usable // 5 + 1
        at = (page - 2) // maps_every * maps_every + 2
        return page == at + (at == _LOCKS // self._size + 1)
