"""The one thread of a process that hears what other nodes change in a PostgreSQL store.

What they commit comes as a notification that names the sessions. One that is lost costs no more than `LOOK_SECONDS`: so often it is
looked whether anybody has written at all, while somebody watches, and after a lost connection everybody is woken.
"""

import select
import socket
import threading
import time
from collections.abc import Callable

import psycopg

from hector_nb.stores.postgres_address import Address
from hector_nb.stores.postgres_database import CHANNEL, PostgresDatabase, connect
from hector_nb.stores.watches import Watches

LOOK_SECONDS = 1.0
_PAUSE = 0.2


class Listener(threading.Thread):
    """Wakes the watches until it is closed. `own` tells which of the server's processes is this process's writer."""

    def __init__(self, address: Address, watches: Watches, own: Callable[[], int]) -> None:
        super().__init__(name="hector-store-listener", daemon=True)
        self._address = address
        self._watches = watches
        self._own = own
        self._database: PostgresDatabase | None = None
        self._seen: str | None = None
        self.looked = threading.Event()
        """Set when it was looked for the first time whether anybody writes."""
        self._closed = False
        self._woken, self._wake = socket.socketpair()

    def open(self) -> None:
        """Connect and start; from now on nothing is missed.

        Raises:
            psycopg.Error: the server cannot be reached.
        """
        self._database = self._listening()
        self.start()

    def close(self) -> None:
        """Stop."""
        self._closed = True
        self._wake.close()
        self.join()
        self._woken.close()

    def run(self) -> None:
        """The thread."""
        while not self._closed:
            try:
                if self._database is None:
                    self._database = self._listening()
                    self._watches.wake_all()
                self._hear(self._database)
            except psycopg.Error:
                if self._database is not None:
                    self._database.connection.close()
                self._database = None
                select.select([self._woken], [], [], _PAUSE)
        if self._database is not None:
            self._database.connection.close()

    def _listening(self) -> PostgresDatabase:
        database = connect(self._address)
        database.connection.execute(f"LISTEN {CHANNEL}")
        return database

    def _hear(self, database: PostgresDatabase) -> None:
        connection = database.connection
        look_at = time.monotonic() + LOOK_SECONDS
        while not self._closed:
            patience = max(0.0, look_at - time.monotonic())
            heard = [connection.fileno(), self._woken.fileno()]
            ready, _, _ = select.select(heard, [], [], patience)
            if connection.fileno() in ready:
                for notify in connection.notifies(timeout=0):
                    if notify.pid != self._own():
                        self._watches.wake(notify.payload.split())
            if time.monotonic() >= look_at:
                if self._watches:
                    self._look(database)
                look_at = time.monotonic() + LOOK_SECONDS

    def _look(self, database: PostgresDatabase) -> None:
        """Wake everybody if there was a transaction since the last look."""
        newest = database.value("SELECT CAST(pg_current_snapshot() AS TEXT)")
        if newest != self._seen:
            self._watches.wake_all()
        self._seen = newest
        self.looked.set()
