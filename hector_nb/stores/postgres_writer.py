"""The one thread of a process that writes to a PostgreSQL store.

It takes all jobs that wait, runs them in one transaction, commits, and only then tells the callers. Where one raises after it has
written something, all are run again, each in a savepoint. Statements whose answers nobody needs are not waited for. Where another
node is in the way, each job gets a transaction of its own. Where the server is lost, the jobs wait for it, but no longer than
`PATIENCE`; if it was lost in a commit, the server is asked afterwards what became of that, so that nothing is done twice. What is
changed is told to the other nodes by a notification in the same transaction.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import psycopg
from psycopg import errors

from hector_nb.ids import new_id
from hector_nb.stores import sql
from hector_nb.stores.jobs import Inbox, Job, settle
from hector_nb.stores.postgres_address import Address
from hector_nb.stores.postgres_database import CHANNEL, CONFLICTS, PostgresDatabase, connect, lost, translate
from hector_nb.stores.postgres_readers import PATIENCE
from hector_nb.stores.watches import Watches

_SQL = sql.queries("postgres_writers")
_MOST_JOBS = 200
"""Jobs in one transaction."""
_ATTEMPTS = 20
"""How often a job is begun anew where other nodes are in its way."""
_PAUSE = 0.2
_NOTIFY = "SELECT pg_notify(:channel, concat(nextval('notices'), ' ', CAST(:payload AS TEXT)))"
_MOST_NOTIFIED = 7900
"""Bytes of one notification."""


class Writer(threading.Thread):
    """Runs the jobs of its inbox in the order in which they came, until that is closed and empty."""

    def __init__(self, address: Address, watches: Watches) -> None:
        super().__init__(name="hector-store-writer", daemon=True)
        self.inbox = Inbox()
        self.pid = 0
        """The server's process at the other end, by which its notifications are known."""
        self._address = address
        self._watches = watches
        self._database: PostgresDatabase | None = None
        self._name = new_id("writer")
        self._number = 0
        """That of the last transaction, which is written in the transaction itself."""
        self._doubted: str | None = None
        """A transaction whose commit was sent and not answered."""

    def run(self) -> None:
        """The thread."""
        while not self.inbox.finished:
            first = self.inbox.get()
            if first is not None:
                self._perform([first, *self.inbox.rest(_MOST_JOBS)])
        if self._database is not None:
            with suppress(psycopg.Error):
                self._database.run(_SQL["remove"], {"writer": self._name})
            self._database.connection.close()

    def _perform(self, jobs: Sequence[Job]) -> None:
        attempt = 0
        while jobs:
            try:
                database = self._connected()
                if not self._was_committed(database):
                    self._transact(database, jobs)
                settle(jobs)
                return
            except psycopg.Error as error:
                attempt += 1
                if self._is_gone(error):
                    jobs = self._patient(jobs, error)
                elif len(jobs) > 1:
                    self._doubted = None
                    for job in jobs:
                        self._perform([job])
                    return
                elif not isinstance(error, CONFLICTS) or attempt == _ATTEMPTS or _is_late(jobs[0]):
                    self._doubted = None
                    self._refuse(jobs, error)
                    return

    def _connected(self) -> PostgresDatabase:
        if self._database is None or self._database.connection.closed:
            self._database = connect(self._address, writes=True)
            self.pid = self._database.connection.info.backend_pid
            self._database.run(_SQL["remove_old"])
        return self._database

    def _transact(self, database: PostgresDatabase, jobs: Sequence[Job]) -> None:
        self._number += 1
        with database.pipeline:
            if not self._run_all(database, jobs, savepoints=False):
                database.run("ROLLBACK")
                self._run_all(database, jobs, savepoints=True)
            for payload in _payloads(database.changed):
                database.run(_NOTIFY, {"channel": CHANNEL, "payload": payload})
            self._doubted = database.transaction
            database.run("COMMIT")
        self._doubted = None
        self._watches.wake(database.changed)

    def _run_all(self, database: PostgresDatabase, jobs: Sequence[Job], *, savepoints: bool) -> bool:
        database.begin(self._name, self._number)
        return all(self._run(database, job, savepoint=savepoints) for job in jobs)

    def _run(self, database: PostgresDatabase, job: Job, *, savepoint: bool) -> bool:
        """Run one job; if it raises, only what it did itself is undone. False where that takes a savepoint, and there is none.

        Errors of the driver concern the whole transaction.
        """
        job.error = None
        changed = set(database.changed)
        database.has_written = False
        if savepoint:
            database.run("SAVEPOINT job")
        try:
            job.result = job.call(database)
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 - the caller gets it
            job.error = error
            database.changed = changed
            if savepoint:
                database.run("ROLLBACK TO job")
            elif database.has_written:
                return False
        if savepoint:
            database.run("RELEASE job")
        return True

    def _is_gone(self, error: psycopg.Error) -> bool:
        """Whether the connection is lost; one that is left is ready for another transaction."""
        connection = self._database.connection if self._database is not None else None
        if connection is None or connection.closed or lost(error):
            if connection is not None:
                connection.close()
            return True
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
        return False

    def _was_committed(self, database: PostgresDatabase) -> bool:
        """Whether the transaction that was in doubt was carried out."""
        while self._doubted is not None:
            try:
                state = database.value("SELECT pg_xact_status(CAST(:id AS xid8))", {"id": self._doubted})
            except errors.InvalidParameterValue:  # "in the future": a crash has undone even that the id was given
                state = "aborted"
            if state != "in progress":
                self._doubted = None  # whatever its state: after a crash the id may be another's
                return bool(database.value(_SQL["last_number"], {"writer": self._name}) == self._number)
            time.sleep(_PAUSE)
        return False

    def _patient(self, jobs: Sequence[Job], error: psycopg.Error) -> Sequence[Job]:
        """Refuse those who have waited long enough; wait a little for the others."""
        late = [job for job in jobs if _is_late(job)]
        if late:
            self._refuse(late, error)
        waiting = [job for job in jobs if job not in late]
        if waiting:
            time.sleep(_PAUSE)
        else:
            self._doubted = None
        return waiting

    def _refuse(self, jobs: Sequence[Job], error: psycopg.Error) -> None:
        for job in jobs:
            job.error = translate(error, self._address)
            job.error.__cause__ = error
        settle(jobs)


def _is_late(job: Job) -> bool:
    return time.monotonic() > job.asked_at + PATIENCE


def _payloads(session_ids: Iterable[str]) -> Iterator[str]:
    """What others are told: ids in as few notifications as hold them."""
    told = ""
    for session_id in sorted(session_ids):
        if len(told) + len(session_id) >= _MOST_NOTIFIED:
            yield told
            told = ""
        told = f"{told} {session_id}" if told else session_id
    if told:
        yield told
