"""Sessions: plain functions, each run inside one transaction."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hector_nb.errors import Conflict, SessionNotFound
from hector_nb.sessions import STATUSES, Session, SessionStatus
from hector_nb.stores import codec, sql
from hector_nb.stores.sql_database import Database

_SQL = sql.queries("sessions")
FIND_SESSION = f"{_SQL['select_sessions']}\n{_SQL['this_session']}"
_THESE = f"{_SQL['select_sessions']}\n{_SQL['these_sessions']}"


class SessionRow(NamedTuple):
    """A row of `select_sessions`."""

    key: int
    session_id: str
    agent: str
    owner: str
    status: SessionStatus
    title: str
    metadata: str
    created_at: int
    last_active_at: int
    expires_at: int | None
    message_count: int
    user_message_count: int
    token_count: int
    listed: int
    running_turn: str | None

    def session(self, now: int) -> Session:
        """The session as it is at this time."""
        session = Session(
            session_id=self.session_id,
            agent=self.agent,
            user=self.owner,
            status=self.status,
            title=self.title,
            metadata=json.loads(self.metadata),
            created_at=codec.from_micros(self.created_at),
            last_active_at=codec.from_micros(self.last_active_at),
            expires_at=None if self.expires_at is None else codec.from_micros(self.expires_at),
            message_count=self.message_count,
            token_count=self.token_count,
            running_turn=self.running_turn,
            listed=bool(self.listed),
        )
        return codec.seen_at(session, codec.from_micros(now))


def find(db: Database, user: str, session_id: str) -> SessionRow:
    """One session's row.

    Raises:
        SessionNotFound: there is no such session.
    """
    row = db.one(FIND_SESSION, {"owner": user, "session_id": session_id})
    if row is None:
        raise not_found(session_id)
    return SessionRow(*row)


def not_found(session_id: str) -> SessionNotFound:
    """There is no such session."""
    return SessionNotFound(f"There is no session {codec.clean(session_id)!r}.")


def held(db: Database, user: str, session_id: str) -> SessionRow:
    """One session's row, which nobody else changes until the transaction is over.

    Raises:
        SessionNotFound: there is no such session.
    """
    db.lock("session", owner=user, session_id=session_id)
    return find(db, user, session_id)


def count(db: Database) -> Mapping[SessionStatus, int]:
    """See `Store.count_sessions`."""
    found = dict(db.all(_SQL["count_sessions"], {}))
    return {status: found.get(status, 0) for status in STATUSES}


def create(db: Database, session: Session) -> tuple[Session, bool]:
    """See `Store.create_session`, which adds idempotency."""
    row = db.one(FIND_SESSION, {"owner": session.user, "session_id": session.session_id})
    if row is None:
        return insert(db, session).session(db.now()), True
    found = SessionRow(*row).session(db.now())
    if found.agent != session.agent:
        raise Conflict(
            f"The session id {found.session_id!r} is in use with the agent {found.agent!r}.",
            hint="Choose another id.",
        )
    return found, False


def insert(db: Database, session: Session) -> SessionRow:
    """Store a session whose id is free."""
    row = SessionRow(
        key=0,
        session_id=codec.clean(session.session_id),
        agent=codec.clean(session.agent),
        owner=codec.clean(session.user),
        status=session.status,
        title=codec.clean(session.title),
        metadata=codec.to_json(session.metadata),
        created_at=codec.to_micros(session.created_at),
        last_active_at=codec.to_micros(session.last_active_at),
        expires_at=None if session.expires_at is None else codec.to_micros(session.expires_at),
        message_count=0,
        user_message_count=0,
        token_count=0,
        listed=session.listed,
        running_turn=None,
    )
    row = row._replace(key=db.value(_SQL["insert_session"], row._asdict()))
    if row.listed and row.title:
        db.texts.add_title(row.key, row.title)
    return row


def of_keys(db: Database, keys: Sequence[int]) -> dict[int, Session]:
    """Several sessions by their keys."""
    now = db.now()
    rows = (SessionRow(*row) for row in db.run(_THESE, {"keys": json.dumps(keys)}))
    return {row.key: row.session(now) for row in rows}


def get(db: Database, user: str, session_id: str) -> Session | None:
    """See `Store.get_session`."""
    row = db.one(FIND_SESSION, {"owner": user, "session_id": session_id})
    return SessionRow(*row).session(db.now()) if row else None


def update(
    db: Database, user: str, session_id: str, *, title: str | None, metadata: Mapping[str, Any] | None
) -> Session:
    """See `Store.update_session`."""
    row = held(db, user, session_id)
    if title is not None:
        db.run(_SQL["update_title"], {"key": row.key, "title": title})
        if row.listed and row.title:
            db.texts.erase_title(row.key)
        if row.listed and title:
            db.texts.add_title(row.key, title)
    if metadata is not None:
        db.run(_SQL["update_metadata"], {"key": row.key, "metadata": codec.to_json(metadata)})
    db.changed.add(session_id)
    return find(db, user, session_id).session(db.now())


def name(db: Database, session: int, message: str, *, listed: bool) -> None:
    """Give a session that has no title the one that this message suggests."""
    title = codec.title_of(message)
    named = db.one(_SQL["name_untitled"], {"key": session, "title": title})
    if named and listed:
        db.texts.add_title(session, title)


def end(db: Database, user: str, session_id: str) -> Session:
    """See `Store.end_session`."""
    row = held(db, user, session_id)
    db.run(_SQL["end_session"], {"key": row.key})
    db.changed.add(session_id)
    return find(db, user, session_id).session(db.now())


def expire(db: Database, limit: int) -> Sequence[Session]:
    """See `Store.expire_sessions`."""
    keys = [key for (key,) in db.all(_SQL["expire_sessions"], {"now": db.now(), "limit": limit})]
    expired = list(of_keys(db, keys).values())
    db.changed.update(session.session_id for session in expired)
    return expired
