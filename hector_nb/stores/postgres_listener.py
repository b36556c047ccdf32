"""The one thread of a process that hears what other nodes change in a PostgreSQL store.

What they commit comes as a notification that names the sessions. Notifications are numbered: one that has not come when it is looked for
the second time, every `LOOK_SECONDS`, is lost, and everybody is woken, as after a lost connection. So it is also known for how long the
server has answered: while it was away nobody could show that he lives. Its connection keeps the locks of this process's holders, too, and
is made anew at once where it breaks.
"""

import math
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from hector_nb.stores.postgres_address import Address
from hector_nb.stores.postgres_database import CHANNEL, PostgresDatabase, connect
from hector_nb.stores.postgres_signs import hold, release
from hector_nb.stores.watches import Watches

LOOK_SECONDS = 1.0
_NEWEST = "SELECT last_value FROM notices"
_PAUSE = 0.2


class Listener(threading.Thread):
    """Wakes the watches until it is closed. `own` tells which of the server's processes is this process's writer."""

    def __init__(self, address: Address, watches: Watches, own: Callable[[], int]) -> None:
        super().__init__(name="hector-store-listener", daemon=True)
        self._address = address
        self._watches = watches
        self._own = own
        self._database: PostgresDatabase | None = None
        self._through = 0
        self._heard: set[int] = set()
        self._missed: set[int] = set()
        self._steady_since = -math.inf
        self._asked_at: float | None = None
        self.looked = threading.Event()
        """Set when it was looked for the first time whether something was missed."""
        self._closed = False
        self._holders: frozenset[str] = frozenset()
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)

    def open(self) -> None:
        """Connect and start; from now on nothing is missed.

        Raises:
            psycopg.Error: the server cannot be reached.
        """
        try:
            self._database = self._listening()
        except psycopg.Error:
            self._wake.close()
            self._woken.close()
            raise
        self.start()

    def close(self) -> None:
        """Stop."""
        self._closed = True
        self._wake.close()
        self.join()
        self._woken.close()

    def hold(self, holder: str) -> None:
        """Keep this holder's lock from now on; from the writer's thread."""
        self._holders |= {holder}
        self._wake.send(b"!")

    def release(self, holder: str) -> None:
        """Give this holder's lock back; from the writer's thread."""
        self._holders -= {holder}
        self._wake.send(b"!")

    def steady_for(self) -> float:
        """Seconds for which the server has answered at once; from any thread."""
        now, asked_at = time.monotonic(), self._asked_at
        if self._database is None or (asked_at is not None and now > asked_at + LOOK_SECONDS):
            return 0.0
        return now - self._steady_since

    def run(self) -> None:
        """The thread."""
        while not self._closed:
            try:
                if self._database is None:
                    self._database = self._listening()
                    self._steady_since = time.monotonic()
                    self._watches.wake_all()
                self._hear(self._database)
            except psycopg.Error:
                if self._database is not None:
                    self._database.connection.close()
                self._database = self._asked_at = None
                self._wait([], _PAUSE)
        if self._database is not None:
            self._database.connection.close()

    def _listening(self) -> PostgresDatabase:
        database = connect(self._address)
        database.connection.execute(f"LISTEN {CHANNEL}")
        self._through = database.value(_NEWEST)
        self._heard.clear()
        self._missed.clear()
        self._keep_locks(database)
        return database

    def _keep_locks(self, database: PostgresDatabase) -> None:
        holders = self._holders
        for holder in holders - database.held:
            hold(database, holder)
        for holder in database.held - holders:
            release(database, holder)

    def _hear(self, database: PostgresDatabase) -> None:
        connection = database.connection
        look_at = time.monotonic() + LOOK_SECONDS
        while not self._closed:
            self._take(connection)
            self._keep_locks(database)
            if time.monotonic() >= look_at:
                self._look(database)
                look_at = time.monotonic() + LOOK_SECONDS
                self._take(connection)  # what has come with the answer does not show on the socket
            patience = max(0.0, look_at - time.monotonic())
            self._wait([connection.fileno()], patience)

    def _wait(self, others: list[int], seconds: float) -> None:
        """Until one of these has news, a holder comes or goes, or this closes."""
        poll = select.poll()  # a server with many readers has more files than `select.select` can take
        for file in [*others, self._woken.fileno()]:
            poll.register(file, select.POLLIN)
        if self._woken.fileno() in dict(poll.poll(1000 * seconds)):
            self._woken.recv(4096)

    def _take(self, connection: psycopg.Connection[Any]) -> None:
        for notify in connection.notifies(timeout=0):
            number, *names = notify.payload.split()
            self._heard.add(int(number))
            if notify.pid != self._own():
                self._watches.wake(names)

    def _look(self, database: PostgresDatabase) -> None:
        """Wake everybody if a notification has been missing since the last look; one that is missing now may be under way."""
        self._asked_at = asked_at = time.monotonic()
        newest: int = database.value(_NEWEST)
        if time.monotonic() > asked_at + LOOK_SECONDS:
            self._steady_since = time.monotonic()
        self._asked_at = None
        lost = self._missed - self._heard
        self._missed = set(range(self._through + 1, newest + 1)) - self._heard
        self._through = newest
        self._heard.clear()
        if lost:
            self._watches.wake_all()
        self.looked.set()
