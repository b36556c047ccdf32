"""By what the nodes of a PostgreSQL store see of each other who lives: heartbeats, and a lock that ends with a process.

The connections on which a holder writes and hears keep an advisory lock. The server releases it as soon as the process has ended, so that
its turns pass on after `GRACE_SECONDS` of silence and not only after the time that heartbeats are waited for. A lock alone proves nothing:
the server notices late that a machine is gone, and a holder that has lost both connections needs a moment to have its lock again. Nobody is
dead for having been silent while the server was away, or in the `STEADY_SECONDS` after that.
"""

from collections.abc import Callable, Set
from typing import Protocol

from hector_nb.stores import sql
from hector_nb.stores.postgres_database import PostgresDatabase
from hector_nb.stores.sql_database import Database
from hector_nb.stores.sql_holders import Holder

GRACE_SECONDS = 2.0
STEADY_SECONDS = 3.0
_SQL = sql.queries("postgres_signs")


class Keeper(Protocol):
    """Who keeps locks on another connection, too."""

    def hold(self, holder: str) -> None:
        """Keep this holder's lock."""
        ...

    def release(self, holder: str) -> None:
        """Give it back."""
        ...

    def steady_for(self) -> float:
        """Seconds for which the server has answered."""
        ...


class ConnectionSigns:
    """A `SignsOfLife` of connections. `keeper` gives the one of the open store, None where it is closed."""

    def __init__(self, keeper: Callable[[], Keeper | None]) -> None:
        self._keeper = keeper

    def hold(self, db: Database, holder: str) -> None:
        """See `SignsOfLife`."""
        assert isinstance(db, PostgresDatabase)
        if holder not in db.held:
            hold(db, holder)
            if keeper := self._keeper():
                keeper.hold(holder)

    def release(self, db: Database, holder: str) -> None:
        """See `SignsOfLife`."""
        assert isinstance(db, PostgresDatabase)
        if holder in db.held:
            release(db, holder)
        if keeper := self._keeper():
            keeper.release(holder)

    def alive(self, db: Database, holder: Holder) -> bool | None:
        """False where the holder has neither a lock nor been heard of lately; else its heartbeats tell, if they could."""
        if holder.seen_at > db.now() - int(GRACE_SECONDS * 1_000_000):
            return None
        keeper = self._keeper()
        if keeper is None or keeper.steady_for() < STEADY_SECONDS:
            return True
        return None if db.one(_SQL["is_held"], {"holder": holder.holder}) else False

    def remove_others(self, known: Set[str]) -> None:
        """A lock leaves nothing behind."""


def hold(db: PostgresDatabase, holder: str) -> None:
    """Take a holder's lock on this connection."""
    db.run(_SQL["hold"], {"holder": holder})
    db.held.add(holder)


def release(db: PostgresDatabase, holder: str) -> None:
    """Give it back."""
    db.held.remove(holder)
    db.run(_SQL["release"], {"holder": holder})
