"""How what was erased leaves the files of a SQLite store: in steps of a few milliseconds, between which others may read and write.

SQLite overwrites what it deletes (`secure_delete`), but that is not all. Words of erased texts stay in the full-text index until the
part of it that they are in is merged; pages as they were before stay in the log until that is truncated; and copies of rows stay
in the middle of pages (`sqlite_pages`). The database notes what is left to do, so that it is done by the next process if this one dies.

What it takes grows with the index and the file, not with what is erased (`tests/benchmarks/erasure.py`, two busy cores, a bare durable
commit 0.2 ms): beside 20,000 texts in 24 MB a session of 20 messages is gone in 25 to 55 ms, beside 400,000 in 344 MB in 0.25 to 0.4 s
(with an index in one part 2.5 s; FTS5's own `secure-delete` takes 0.1 s for 20 messages, but 29 s for 2,000). Whoever writes meanwhile
waits 10 to 17 ms, at most 35. 50 sessions at once, in all parts of the index, take 0.7 s and 9 s. A rare word is found in 3.5 ms.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from hector_nb.stores import sql, sqlite_texts
from hector_nb.stores.sqlite_database import BUSY_SECONDS, SQLiteDatabase, patience
from hector_nb.stores.sqlite_pages import Pages

_SQL = sql.queries("shredder")
_MERGE_SECONDS = 0.01
"""For about how long a part of the index is merged in one step."""
_SCRUBBED_PAGES = 8192
"""Pages that are looked through in one step."""
_STEP_SECONDS = 0.02
"""For how long a step waits for others that read or write."""


def note(db: SQLiteDatabase) -> int:
    """Note that something was erased in this transaction; the number of the erasure."""
    number: int = db.value(_SQL["must_scrub"])
    return number


class Shredder:
    """One process's work on what was erased, by whichever process.

    Pages are looked through from the last to the first: others may move pages towards the beginning of the file meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._log = self._path.with_name(f"{self._path.name}-wal")
        self._page = 0
        """The page to be looked at next; 0: none."""
        self._upto = 0
        """Erasures that were known when it was begun to look through the pages."""

    def step(self, db: SQLiteDatabase) -> bool:
        """Do a bit; whether nothing is left to do.

        Raises:
            apsw.BusyError: somebody else reads or writes just now.
        """
        with _impatient(db):
            if self._page == 0:
                if (part := db.value(_SQL["part_to_merge"])) is not None:
                    self._merge(db, part)
                    return False
                if not self.left(db):
                    return True
            self._scrub(db)
            return False

    def left(self, db: SQLiteDatabase) -> bool:
        """Whether something is left to do."""
        erasures, scrubbed = db.one(_SQL["scrubbing"])
        return bool(erasures > scrubbed)

    def scrubbed(self, db: SQLiteDatabase) -> int:
        """The number of the newest erasure of which nothing is left."""
        number: int = db.one(_SQL["scrubbing"])[1]
        return number

    def _merge(self, db: SQLiteDatabase, part: int) -> None:
        until = time.monotonic() + _MERGE_SECONDS
        with _writing(db):
            while sqlite_texts.merge(db, part):
                if time.monotonic() > until:
                    return
            db.run(_SQL["merged"], {"part": part})

    def _scrub(self, db: SQLiteDatabase) -> None:
        db.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        with _writing(db):
            if self._log_size() > 0:
                return  # somebody was faster: from the beginning
            next_page = self._look_through(db)
        self._page = next_page
        # This connection, too.
        db.connection.release_memory()

    def _log_size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError as error:
            raise apsw.IOError(f"{self._log}: {error.strerror}") from error

    def _look_through(self, db: SQLiteDatabase) -> int:
        """Scrub some pages; the page to be looked at next. What is written here makes others forget how the pages were."""
        pages = Pages(self._path)
        try:
            if self._page == 0:
                self._upto, _ = db.one(_SQL["scrubbing"])
            last = min(self._page or pages.count, pages.count)
            first = max(1, last - _SCRUBBED_PAGES + 1)
            pages.scrub(first, last)
        finally:
            pages.close()
        if first > 1:
            db.run(_SQL["stepped"])
        else:
            db.run(_SQL["scrubbed"], {"upto": self._upto})
        return first - 1


def truncate_log(db: SQLiteDatabase) -> None:
    """Let the log be empty.

    Raises:
        apsw.BusyError: somebody reads what is in it.
    """
    with _impatient(db):
        db.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


@contextmanager
def _impatient(db: SQLiteDatabase) -> Iterator[None]:
    db.connection.set_busy_handler(patience(_STEP_SECONDS))
    try:
        yield
    finally:
        db.connection.set_busy_handler(patience(BUSY_SECONDS))


@contextmanager
def _writing(db: SQLiteDatabase) -> Iterator[None]:
    """A transaction of its own, which need not be on the disk at once: if it gets lost, what is left to do is noted still."""
    db.run("PRAGMA synchronous = NORMAL")
    try:
        db.run("BEGIN IMMEDIATE")
        yield
        db.run("COMMIT")
    except BaseException:
        if db.connection.in_transaction:
            with suppress(apsw.Error):
                db.run("ROLLBACK")
        raise
    finally:
        db.run("PRAGMA synchronous = FULL")
