"""By what the nodes of a PostgreSQL store see of each other who lives: heartbeats, and a lock that ends with a process.

The connection on which a holder writes keeps an advisory lock. The server releases it as soon as the process has ended, so that its
turns pass on after `GRACE_SECONDS` of silence and not only after the time that heartbeats are waited for. A lock alone proves
nothing: the server notices late that a machine is gone, and a holder whose server was restarted has its lock again with its next heartbeat.
Nobody is dead for having been silent while the server was away.
"""

from collections.abc import Callable, Set

from hector_nb.stores import sql
from hector_nb.stores.postgres_database import PostgresDatabase
from hector_nb.stores.sql_database import Database
from hector_nb.stores.sql_holders import Holder

GRACE_SECONDS = 3.0
_SQL = sql.queries("postgres_signs")


class ConnectionSigns:
    """A `SignsOfLife` of connections. `steady_for` tells for how many seconds the server has answered."""

    def __init__(self, steady_for: Callable[[], float]) -> None:
        self._steady_for = steady_for

    def hold(self, db: Database, holder: str) -> None:
        """See `SignsOfLife`."""
        assert isinstance(db, PostgresDatabase)
        if holder not in db.held:
            db.run(_SQL["hold"], {"holder": holder})
            db.held.add(holder)

    def release(self, db: Database, holder: str) -> None:
        """See `SignsOfLife`."""
        assert isinstance(db, PostgresDatabase)
        if holder in db.held:
            db.held.remove(holder)
            db.run(_SQL["release"], {"holder": holder})

    def alive(self, db: Database, holder: Holder) -> bool | None:
        """False where the holder has neither a lock nor been heard of lately; else its heartbeats tell, if they could."""
        if holder.seen_at > db.now() - int(GRACE_SECONDS * 1_000_000):
            return None
        if self._steady_for() < GRACE_SECONDS:
            return True
        return None if db.one(_SQL["is_held"], {"holder": holder.holder}) else False

    def remove_others(self, known: Set[str]) -> None:
        """A lock leaves nothing behind."""
