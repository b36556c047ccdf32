"""Which requests came with which idempotency key; each function runs inside one transaction."""

from typing import NamedTuple

from hector_nb.sessions import Session
from hector_nb.stores import sql, sql_sessions
from hector_nb.stores.base_sessions import KEEP_KEYS, Idempotency
from hector_nb.stores.sql_database import Database

_SQL = sql.queries("requests")


class Made(NamedTuple):
    """What a request made: a session, named by its key, and perhaps a turn in it."""

    session: int
    turn_id: str | None


def made_by(db: Database, user: str, idempotency: Idempotency | None) -> Made | None:
    """What the same request made before.

    Raises:
        InvalidRequest: the key was used for another one.
    """
    if idempotency is None:
        return None
    db.lock("request", owner=user, key=idempotency.key)
    row = db.one(_SQL["find_request"], {"owner": user, "key": idempotency.key, "before": _a_day_before(db.now())})
    if row is None:
        return None
    fingerprint, *made = row
    idempotency.check(fingerprint)
    return Made(*made)


def remember(db: Database, user: str, idempotency: Idempotency | None, *, session: int, turn: int | None) -> None:
    """Keep what a request has made."""
    if idempotency is not None:
        values = {"owner": user, "key": idempotency.key, "fingerprint": idempotency.fingerprint}
        db.run(_SQL["insert_request"], {**values, "session": session, "turn": turn, "now": db.now()})


def create(db: Database, session: Session, idempotency: Idempotency | None) -> tuple[Session, bool]:
    """See `Store.create_session`."""
    if made := made_by(db, session.user, idempotency):
        return sql_sessions.of_keys(db, [made.session])[made.session], False
    created = sql_sessions.create(db, session)
    row = sql_sessions.find(db, session.user, session.session_id)
    remember(db, session.user, idempotency, session=row.key, turn=None)
    return created


def sweep(db: Database, limit: int) -> int:
    """Forget a bounded number of keys whose time has passed; how many."""
    return len(db.all(_SQL["sweep_requests"], {"before": _a_day_before(db.now()), "limit": limit}))


def _a_day_before(now: int) -> int:
    return now - int(KEEP_KEYS * 1_000_000)
