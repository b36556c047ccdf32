"""The one thread that writes to a SQLite store.

It takes all jobs that wait, runs each in a savepoint inside one transaction, commits, and only then tells the callers: what was
acknowledged is on the disk, and a thousand small writes share the cost of one. Who erases something is told when it has left the files,
while others are served in between. Between jobs it looks whether other processes have written, while somebody in this process watches,
and frees the space of what was erased.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import apsw

from hector_nb.errors import HectorError, StoreError
from hector_nb.stores import sqlite_shredder
from hector_nb.stores.jobs import Inbox, Job, settle
from hector_nb.stores.sqlite_database import BUSY_SECONDS, SQLiteDatabase, open_database, patience, translate
from hector_nb.stores.sqlite_file import OpenedFile
from hector_nb.stores.sqlite_shredder import Shredder
from hector_nb.stores.watches import Watches

_MOST_JOBS = 500
"""Jobs in one transaction."""
_LOOK_SECONDS = 0.03
"""The longest time between two looks for what other processes wrote, while somebody watches."""
_TIDY_SECONDS = 1.0
"""The time between two attempts to free space, while there is some."""
_TIDY_PAGES = 500
"""Pages freed in one step."""
_ERASING_SHARE = 20
"""After what was erased has left the files while nobody waited for that, so many times as long goes by before the next time."""
_BUSY_READERS_SECONDS = 2.0
"""For how long those who erase wait for readers in other processes."""
_LAST_SECONDS = 0.2
"""For how long what was erased may go on leaving the files when the store closes."""


class Writer(threading.Thread):
    """Runs the jobs of its inbox in the order in which they came, until that is closed and empty."""

    def __init__(self, path: Path, watches: Watches) -> None:
        super().__init__(name="hector-store-writer", daemon=True)
        self.inbox = Inbox()
        self._path = path
        self._watches = watches
        self._version = 0
        self._untidy = True
        self._tidied_at = 0.0
        self._erase_from = 0.0
        self._shredder = Shredder(path)
        self._erased: list[Job] = []
        self._blocked_at: float | None = None

    def open(self) -> Job:
        """Start; the job is done when the database is open."""
        opening = Job(lambda _: None)
        self.inbox.put(opening)
        self.start()
        return opening

    def run(self) -> None:
        """The thread. If the database cannot be opened, this is its end."""
        opening = self.inbox.get()
        assert opening is not None
        try:
            database = open_database(self._path)
            self._version = database.value("PRAGMA data_version")
            self._file = OpenedFile(self._path)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            self.inbox.close()
            opening.error = error
            settle([opening])
            return
        settle([opening])
        while not self.inbox.finished:
            self._work(database)
        with suppress(apsw.Error):  # what is left to do is done by whoever opens it next
            self._erase_at_last(database)
        settle(self._erased)
        with suppress(apsw.Error):  # a last checkpoint that fails is made by whoever opens it next
            database.connection.close()

    def _work(self, database: SQLiteDatabase) -> None:
        first = self.inbox.get(timeout=self._patience())
        jobs = [first] if first is not None else []
        jobs += self.inbox.rest(_MOST_JOBS)
        if jobs:
            self._perform(database, jobs)
            self._ask_what_is_left(database)
        with suppress(apsw.Error):  # whatever it is, the next job will meet and report it
            self._look(database)
            self._erase(database)
            self._tidy(database, idle=not jobs)

    def _patience(self) -> float | None:
        if self._erased:
            return 0
        if self._watches:
            return _LOOK_SECONDS
        return _TIDY_SECONDS if self._untidy else None

    def _perform(self, database: SQLiteDatabase, jobs: Sequence[Job]) -> None:
        try:
            self._file.check()
            database.run("BEGIN IMMEDIATE")
        except (apsw.Error, StoreError) as error:
            self._refuse(jobs, error)
            return
        try:
            for job in jobs:
                self._run(database, job)
            if database.untidy:
                number = sqlite_shredder.note(database)
                for job in jobs:
                    job.erases = job.erases and number
            database.run("COMMIT")
        except apsw.Error as error:
            self._roll_back(database)
            if len(jobs) == 1:
                self._refuse(jobs, error)
                return
            for job in jobs:
                self._perform(database, [job])
            return
        self._untidy |= database.untidy
        self._watches.wake(database.changed)
        self._forget(database)
        self._erased += [job for job in jobs if job.erases]
        settle([job for job in jobs if not job.erases])

    def _run(self, database: SQLiteDatabase, job: Job) -> None:
        """Run one job; if it raises, only what it did itself is undone. Errors of the driver concern the whole transaction."""
        job.error, job.erases = None, 0
        database.erased = False
        database.run("SAVEPOINT job")
        try:
            job.result = job.call(database)
            job.erases = int(database.erased)
            database.untidy |= database.erased
        except apsw.Error:
            raise
        except Exception as error:  # noqa: BLE001 - the caller gets it
            job.error = error
            database.run("ROLLBACK TO job")
        database.run("RELEASE job")

    def _forget(self, database: SQLiteDatabase) -> None:
        database.changed.clear()
        database.untidy = False

    def _roll_back(self, database: SQLiteDatabase) -> None:
        self._forget(database)
        if database.connection.in_transaction:
            with suppress(apsw.Error):
                database.run("ROLLBACK")

    def _refuse(self, jobs: Sequence[Job], error: apsw.Error | StoreError) -> None:
        for job in jobs:
            meaning: HectorError = self._meaning(error)
            meaning.__cause__ = error
            job.error = meaning
        settle(jobs)

    def _meaning(self, error: apsw.Error | StoreError) -> HectorError:
        if isinstance(error, StoreError):
            return StoreError(error.message, hint=error.hint)
        return translate(error, self._path)

    def _look(self, database: SQLiteDatabase) -> None:
        """Wake the watches if others wrote: `data_version` does not change by what this connection commits."""
        if self._watches:
            version = database.value("PRAGMA data_version")
            if version != self._version:
                self._version = version
                self._watches.wake_all()

    def _erase(self, database: SQLiteDatabase) -> None:
        """A step towards files without what was erased; those who wait for that are told when nothing of theirs is left."""
        if not self._erased:
            return
        left = self._erased
        try:
            done = self._shredder.step(database)
            scrubbed = self._shredder.scrubbed(database)
            self._erased = [job for job in left if job.erases > scrubbed and not done]
            self._blocked_at = None
        except apsw.BusyError:
            self._blocked_at = self._blocked_at or time.monotonic()
            if time.monotonic() - self._blocked_at > _BUSY_READERS_SECONDS:
                self._erased, self._blocked_at = [], None
        except apsw.Error:  # the next who erases will meet and report it
            self._erased = []
        settle([job for job in left if job not in self._erased])

    def _erase_at_last(self, database: SQLiteDatabase) -> None:
        until = time.monotonic() + (_BUSY_READERS_SECONDS if self._erased else _LAST_SECONDS)
        done = False
        while not done and time.monotonic() < until:
            with suppress(apsw.BusyError):
                done = self._shredder.step(database)

    def _ask_what_is_left(self, database: SQLiteDatabase) -> None:
        """Now and then: another process may have ended before it could do all."""
        if not self._untidy and time.monotonic() - self._tidied_at > _TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            with suppress(apsw.Error):
                self._untidy = self._shredder.left(database)

    def _tidy(self, database: SQLiteDatabase, *, idle: bool) -> None:
        """Give the pages of what was erased back, and let the files forget it too; never while somebody waits."""
        now = time.monotonic()
        if not self._untidy or not idle or self._erased or now - self._tidied_at < _TIDY_SECONDS:
            return
        self._tidied_at = now
        database.connection.set_busy_handler(None)
        try:
            while self.inbox.empty and database.value("PRAGMA freelist_count"):
                database.run(f"PRAGMA incremental_vacuum({_TIDY_PAGES})").fetchall()
            if now >= self._erase_from and self._erase_while_idle(database):
                sqlite_shredder.truncate_log(database)
                self._untidy = False
        finally:
            database.connection.set_busy_handler(patience(BUSY_SECONDS))

    def _erase_while_idle(self, database: SQLiteDatabase) -> bool:
        """Whether all that was erased has left the files."""
        started = time.monotonic()
        done = False
        while self.inbox.empty and not done:
            done = self._shredder.step(database)
        self._erase_from = time.monotonic() + _ERASING_SHARE * (time.monotonic() - started)
        return done
