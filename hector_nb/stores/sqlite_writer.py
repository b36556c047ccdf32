"""The one thread that writes to a SQLite store.

It takes all jobs that wait, runs each in a savepoint inside one transaction, commits, and only then tells the callers: what was
acknowledged is on the disk, and a thousand small writes share the cost of one. Between jobs it looks whether other processes have
written, while somebody in this process watches, and frees the space of what was erased.
"""

import math
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import apsw

from hector_nb.errors import HectorError
from hector_nb.stores import sqlite_texts
from hector_nb.stores.sqlite_database import BUSY_SECONDS, Database, open_database, patience, translate
from hector_nb.stores.sqlite_jobs import Inbox, Job, settle
from hector_nb.stores.sqlite_watch import Watches

_MOST_JOBS = 500
"""Jobs in one transaction."""
_LOOK_SECONDS = 0.03
"""The longest time between two looks for what other processes wrote, while somebody watches."""
_TIDY_SECONDS = 1.0
"""The time between two attempts to free space, while there is some."""
_TIDY_PAGES = 500
"""Pages freed in one step."""
_MERGE_SHARE = 20
"""After a merge of the full-text index, so many times as long goes by before the next one."""
_LAST_MERGE_SECONDS = 0.2
"""For how long it is merged when the store closes."""


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
        self._merge_from = 0.0

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
        except Exception as error:  # noqa: BLE001 - the caller gets it
            self.inbox.close()
            opening.error = error
            settle([opening])
            return
        settle([opening])
        while not self.inbox.finished:
            self._work(database)
        with suppress(apsw.Error):  # what is left to merge is done by whoever opens it next
            self._merge(database, until=time.monotonic() + _LAST_MERGE_SECONDS)
        with suppress(apsw.Error):  # a last checkpoint that fails is made by whoever opens it next
            database.connection.close()

    def _work(self, database: Database) -> None:
        first = self.inbox.get(timeout=self._patience())
        jobs = [first] if first is not None else []
        jobs += self.inbox.rest(_MOST_JOBS)
        if jobs:
            self._perform(database, jobs)
        with suppress(apsw.Error):  # whatever it is, the next job will meet and report it
            self._look(database)
            self._tidy(database, idle=not jobs)

    def _patience(self) -> float | None:
        if self._watches:
            return _LOOK_SECONDS
        return _TIDY_SECONDS if self._untidy else None

    def _perform(self, database: Database, jobs: Sequence[Job]) -> None:
        try:
            database.run("BEGIN IMMEDIATE")
        except apsw.Error as error:
            self._refuse(jobs, error)
            return
        try:
            for job in jobs:
                self._run(database, job)
            database.run("COMMIT")
        except apsw.Error as error:
            self._roll_back(database)
            if len(jobs) == 1:
                self._refuse(jobs, error)
                return
            for job in jobs:
                self._perform(database, [job])
            return
        self._untidy |= database.erased
        self._watches.wake(database.changed)
        database.changed.clear()
        database.erased = False
        settle(jobs)

    def _run(self, database: Database, job: Job) -> None:
        """Run one job; if it raises, only what it did itself is undone. Errors of the driver concern the whole transaction."""
        job.error = None
        database.run("SAVEPOINT job")
        try:
            job.result = job.call(database)
        except apsw.Error:
            raise
        except Exception as error:  # noqa: BLE001 - the caller gets it
            job.error = error
            database.run("ROLLBACK TO job")
        database.run("RELEASE job")

    def _roll_back(self, database: Database) -> None:
        database.changed.clear()
        database.erased = False
        if database.connection.in_transaction:
            with suppress(apsw.Error):
                database.run("ROLLBACK")

    def _refuse(self, jobs: Sequence[Job], error: apsw.Error) -> None:
        for job in jobs:
            meaning: HectorError = translate(error, self._path)
            meaning.__cause__ = error
            job.error = meaning
        settle(jobs)

    def _look(self, database: Database) -> None:
        """Wake the watches if others wrote: `data_version` does not change by what this connection commits."""
        if self._watches:
            version = database.value("PRAGMA data_version")
            if version != self._version:
                self._version = version
                self._watches.wake_all()

    def _tidy(self, database: Database, *, idle: bool) -> None:
        """Give the pages of what was erased back, and let the log forget it too; never while somebody waits."""
        now = time.monotonic()
        if not self._untidy or not idle or now - self._tidied_at < _TIDY_SECONDS:
            return
        self._tidied_at = now
        database.connection.set_busy_handler(None)
        try:
            merged = now >= self._merge_from and self._merge(database)
            while self.inbox.empty and database.value("PRAGMA freelist_count"):
                database.run(f"PRAGMA incremental_vacuum({_TIDY_PAGES})").fetchall()
            if merged and self.inbox.empty:
                database.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self._untidy = False
        finally:
            database.connection.set_busy_handler(patience(BUSY_SECONDS))

    def _merge(self, database: Database, *, until: float = math.inf) -> bool:
        """Let what was erased leave the full-text index, in steps between which others may write; whether it has."""
        started = time.monotonic()
        while sqlite_texts.unmerged(database):
            if not self.inbox.empty or time.monotonic() > until:
                break
            try:
                database.run("BEGIN IMMEDIATE")
                sqlite_texts.merge(database)
                database.run("COMMIT")
            except apsw.Error:
                self._roll_back(database)
                raise
        self._merge_from = time.monotonic() + _MERGE_SHARE * (time.monotonic() - started)
        return not sqlite_texts.unmerged(database)
