"""The index of `search`: which words and which vectors the pieces of files have, in a SQLite file, never their text.

It can be made again at any time: one that is broken is thrown away. Several processes may use one file. What is erased leaves no
trace in it. Everything here blocks.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import apsw

from hector_nb.tools.search_chunks import Chunk, Pages
from hector_nb.tools.search_files import Found
from hector_nb.tools.search_words import humps_of

_BUSY = 5000
"""Milliseconds to wait for another process."""
_TABLES = """
CREATE TABLE IF NOT EXISTS files (
  key INTEGER PRIMARY KEY AUTOINCREMENT, folder INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
  ctime INTEGER NOT NULL, embedded INTEGER NOT NULL, UNIQUE (folder, path)
) STRICT;
CREATE TABLE IF NOT EXISTS chunks (
  key INTEGER PRIMARY KEY AUTOINCREMENT, file INTEGER NOT NULL REFERENCES files, first INTEGER NOT NULL, last INTEGER NOT NULL,
  cell INTEGER NOT NULL, vector BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS chunks_of_file ON chunks (file);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
  path, text, humps, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
"""
_BY_WORDS = "SELECT rowid, -bm25(words, 2.0, 1.0, 0.5) FROM words WHERE words MATCH ? ORDER BY 2 DESC LIMIT ?"
"""A word counts most in the path, least as a part of a longer one."""


class Known(NamedTuple):
    """A file as the index knows it."""

    key: int
    folder: int
    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    embedded: int


class Place(NamedTuple):
    """Where a piece is."""

    folder: int
    path: str
    first: int
    last: int
    cell: int


class SearchIndex:
    """An open index, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = self._opened()
        self._stemmer = self._db.fts5_tokenizer("porter", ["unicode61", "remove_diacritics", "2"])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def known(self) -> dict[tuple[int, str], Known]:
        """Every file that is in the index, by folder and path."""
        rows = self._db.execute("SELECT key, folder, path, size, mtime, ctime, embedded FROM files")
        return {(known.folder, known.path): known for known in map(Known._make, rows)}

    def put(self, contents: Sequence[tuple[Found, Pages | None]], *, sure_before: int) -> None:
        """Put files in place of what was there under their names; None: there is no text.

        A file that was changed at `sure_before` (nanoseconds) or later may change again without a sign of it, and is looked at again.
        """
        with self._writing():
            for found, pages in contents:
                self._erase(self._keys(found))
                mtime = found.mtime_ns if found.mtime_ns < sure_before else -1
                key = self._insert(
                    "INSERT INTO files (folder, path, size, mtime, ctime, embedded) VALUES (?, ?, ?, ?, ?, ?)",
                    (found.folder, found.path, found.size, mtime, found.ctime_ns, int(not (pages and pages.chunks))),
                )
                for chunk in pages.chunks if pages else ():
                    self._put_chunk(key, found.path, chunk, pages.between(chunk.first, chunk.last) if pages else "")

    def forget(self, keys: Collection[int]) -> None:
        """Erase files."""
        if keys:
            with self._writing():
                self._erase(keys)

    def embed(self, files: Mapping[int, Mapping[Chunk, bytes]]) -> None:
        """Give the pieces of files their vectors; pieces that are not there any more need none."""
        with self._writing():
            for key, vectors in files.items():
                self._db.executemany(
                    "UPDATE chunks SET vector = ? WHERE file = ? AND first = ? AND last = ?",
                    [(vector, key, chunk.first, chunk.last) for chunk, vector in vectors.items()],
                )
                self._db.execute("UPDATE files SET embedded = 1 WHERE key = ?", (key,))

    def by_words(self, match: str, *, most: int) -> dict[int, float]:
        """The pieces with these words (FTS5), best first: BM25, larger is better."""
        return dict(self._db.execute(_BY_WORDS, (match, most))) if match else {}

    def vectors(self) -> tuple[list[int], bytes]:
        """Every piece that has a vector, and the vectors one after the other."""
        rows: list[tuple[int, bytes]] = list(
            self._db.execute("SELECT key, vector FROM chunks WHERE vector IS NOT NULL")
        )
        return [key for key, _ in rows], b"".join(vector for _, vector in rows)

    def places(self, keys: Collection[int]) -> dict[int, Place]:
        """Where pieces are."""
        query = "SELECT chunks.key, folder, path, first, last, cell FROM chunks JOIN files ON files.key = file WHERE chunks.key = ?"
        rows = (row for key in keys for row in self._db.execute(query, (key,)))
        return {key: Place(*rest) for key, *rest in rows}

    def stems(self, text: str) -> list[str]:
        """The words of a text as the index has them."""
        content = text.encode("utf-8", "replace")
        stems = self._stemmer(
            content, apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False
        )
        return [str(stem) for stem in stems]

    def _put_chunk(self, file: int, path: str, chunk: Chunk, text: str) -> None:
        text = text.encode("utf-8", "replace").decode()
        key = self._insert(
            "INSERT INTO chunks (file, first, last, cell) VALUES (?, ?, ?, ?)",
            (file, chunk.first, chunk.last, chunk.cell),
        )
        self._db.execute(
            "INSERT INTO words (rowid, path, text, humps) VALUES (?, ?, ?, ?)", (key, path, text, humps_of(text))
        )

    def _keys(self, found: Found) -> list[int]:
        query = "SELECT key FROM files WHERE folder = ? AND path = ?"
        return [key for (key,) in self._db.execute(query, (found.folder, found.path))]

    def _erase(self, keys: Collection[int]) -> None:
        for key in keys:
            self._db.execute("DELETE FROM words WHERE rowid IN (SELECT key FROM chunks WHERE file = ?)", (key,))
            self._db.execute("DELETE FROM chunks WHERE file = ?", (key,))
            self._db.execute("DELETE FROM files WHERE key = ?", (key,))

    def _insert(self, statement: str, values: tuple[int | str, ...]) -> int:
        self._db.execute(statement, values)
        return self._db.last_insert_rowid()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _opened(self) -> apsw.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return _connected(self._path)
        except (apsw.CorruptError, apsw.NotADBError):
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    self._path.with_name(self._path.name + suffix).unlink()
            return _connected(self._path)


def _connected(path: Path) -> apsw.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = apsw.Connection(str(path))
    try:
        db.set_busy_timeout(_BUSY)
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON"):
            db.execute(f"PRAGMA {pragma}").fetchall()
        if not db.pragma("user_version"):
            db.execute(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = 1; COMMIT").fetchall()
    except BaseException:
        db.close()
        raise
    return db
