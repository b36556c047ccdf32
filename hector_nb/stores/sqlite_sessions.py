"""Sessions and transcripts in SQLite: plain functions, each run inside one transaction."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any, NamedTuple

from hector_nb.errors import Conflict, SessionNotFound
from hector_nb.messages import Message
from hector_nb.sessions import Page, Session, SessionStatus
from hector_nb.stores import codec, sql
from hector_nb.stores.base import Window
from hector_nb.stores.sqlite_database import Database

_SQL = sql.queries("sessions")
_FIND = f"{_SQL['select_sessions']}\n{_SQL['this_session']}"
_FEW_TITLES = 1000
_OF_STATUS: Mapping[SessionStatus, str] = {
    "active": "ended_at IS NULL AND (expires_at IS NULL OR expires_at > :now)",
    "ended": "ended_at IS NOT NULL",
    "expired": "ended_at IS NULL AND expires_at <= :now",
}


class SessionRow(NamedTuple):
    """A row of `select_sessions`."""

    key: int
    session_id: str
    agent: str
    owner: str
    title: str
    metadata: str
    created_at: int
    last_active_at: int
    expires_at: int | None
    ended_at: int | None
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
            status="active" if self.ended_at is None else "ended",
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


def now_micros() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def find(db: Database, user: str, session_id: str) -> SessionRow:
    """One session's row.

    Raises:
        SessionNotFound: there is no such session.
    """
    row = db.one(_FIND, {"owner": user, "session_id": session_id})
    if row is None:
        raise SessionNotFound(f"There is no session {codec.clean(session_id)!r}.")
    return SessionRow(*row)


def create(db: Database, session: Session) -> tuple[Session, bool]:
    """See `Store.create_session`."""
    row = db.one(_FIND, {"owner": session.user, "session_id": session.session_id})
    if row is not None:
        found = SessionRow(*row).session(now_micros())
        if found.agent != session.agent:
            raise Conflict(
                f"The session id {found.session_id!r} is in use with the agent {found.agent!r}.",
                hint="Choose another id.",
            )
        return found, False
    key = db.value(
        _SQL["insert_session"],
        {
            "owner": session.user,
            "session_id": session.session_id,
            "agent": session.agent,
            "title": session.title,
            "metadata": codec.to_json(session.metadata),
            "listed": session.listed,
            "created_at": codec.to_micros(session.created_at),
            "last_active_at": codec.to_micros(session.last_active_at),
            "expires_at": None if session.expires_at is None else codec.to_micros(session.expires_at),
            "ended_at": now_micros() if session.status == "ended" else None,
        },
    )
    if session.listed:
        _index_title(db, key, "", session.title)
    return find(db, session.user, session.session_id).session(now_micros()), True


def get(db: Database, user: str, session_id: str) -> Session | None:
    """See `Store.get_session`."""
    row = db.one(_FIND, {"owner": user, "session_id": session_id})
    return SessionRow(*row).session(now_micros()) if row else None


def listing(
    db: Database,
    user: str,
    *,
    agent: str | None,
    status: SessionStatus | None,
    query: str | None,
    limit: int,
    cursor: str | None,
) -> Page[Session]:
    """See `Store.list_sessions`."""
    now = now_micros()
    values: dict[str, str | int | None] = {"owner": user, "now": now, "limit": limit + 1}
    terms = ["listed", "owner = :owner"]
    if agent is not None:
        terms.append("agent = :agent")
        values["agent"] = agent
    if status is not None:
        terms.append(_OF_STATUS[status])
    if query is not None:
        wanted = codec.words(codec.clean(query))
        if not wanted:
            return Page(items=[])
        terms.append("key IN (SELECT rowid FROM titles WHERE words MATCH :words)")
        values["words"] = " ".join(f'"{word}"*' for word in wanted)
        if db.value(_SQL["count_titles"], {"words": values["words"], "most": _FEW_TITLES}) < _FEW_TITLES:
            terms[1] = (
                "+owner = :owner"  # a plus keeps the indexes away: these few are sorted faster than found in order
            )
    if cursor:
        terms.append("(last_active_at, key) < (:last_active_at, :key)")
        values["last_active_at"], values["key"] = codec.decode_cursor(cursor, 2)
    where = " AND ".join(terms)
    statement = f"{_SQL['select_sessions']} WHERE {where} ORDER BY last_active_at DESC, key DESC LIMIT :limit"
    rows = [SessionRow(*row) for row in db.all(statement, values)]
    more = codec.encode_cursor(rows[limit - 1].last_active_at, rows[limit - 1].key) if len(rows) > limit else None
    return Page(items=[row.session(now) for row in rows[:limit]], next_cursor=more)


def update(
    db: Database, user: str, session_id: str, *, title: str | None, metadata: Mapping[str, Any] | None
) -> Session:
    """See `Store.update_session`."""
    row = find(db, user, session_id)
    if title is not None:
        db.run(_SQL["update_title"], {"key": row.key, "title": title})
        if row.listed:
            _index_title(db, row.key, row.title, title)
    if metadata is not None:
        db.run(_SQL["update_metadata"], {"key": row.key, "metadata": codec.to_json(metadata)})
    db.changed.add(session_id)
    return find(db, user, session_id).session(now_micros())


def end(db: Database, user: str, session_id: str) -> Session:
    """See `Store.end_session`."""
    row = find(db, user, session_id)
    db.run(_SQL["end_session"], {"key": row.key, "now": now_micros()})
    db.changed.add(session_id)
    return find(db, user, session_id).session(now_micros())


def delete(db: Database, user: str, session_id: str) -> bool:
    """See `Store.delete_session`."""
    row = db.one(_FIND, {"owner": user, "session_id": session_id})
    if row is None:
        return False
    found = SessionRow(*row)
    if found.listed:
        _index_title(db, found.key, found.title, "")
    erase(db, found.key, session_id)
    return True


def erase(db: Database, session: int, session_id: str) -> None:
    """Erase a session, whose title is not indexed (any more), and all that belongs to it."""
    erase_events = sql.queries("turns")["erase_events"]
    for (turn,) in db.all(_SQL["erase_turns"], {"session": session}):
        db.run(erase_events, {"turn": turn})
    for query in ("erase_messages", "erase_session"):
        db.run(_SQL[query], {"session": session})
    db.changed.add(session_id)
    db.erased = True


def refresh(db: Database, key: int, active: datetime, expires: datetime | None) -> None:
    """Store when the session was last active and when it expires."""
    until = None if expires is None else codec.to_micros(expires)
    db.run(_SQL["refresh_session"], {"key": key, "last_active_at": codec.to_micros(active), "expires_at": until})


def append(db: Database, session: int, message: Message) -> tuple[int, int]:
    """Append to the transcript; the message's position, and the number of user messages by now."""
    counted = {"session": session, "role": message.role, "tokens": message.tokens}
    position, user_messages = db.one(_SQL["count_message"], counted)
    db.run(
        _SQL["insert_message"],
        {
            **counted,
            "position": position,
            "message_id": message.message_id,
            "turn_id": message.turn_id,
            "created_at": codec.to_micros(message.created_at),
            "content": message.content,
            "extra": codec.encode_extra(message),
        },
    )
    return position, user_messages


def messages(db: Database, user: str, session_id: str, *, limit: int, cursor: str | None) -> Page[Message]:
    """See `Store.list_messages`."""
    after = codec.decode_cursor(cursor, 1)[0] if cursor else 0
    row = find(db, user, session_id)
    found = db.run(_SQL["messages_after"], {"session": row.key, "after": after, "limit": limit})
    more = codec.encode_cursor(after + limit) if row.message_count > after + limit else None
    return Page(items=list(_messages(found)), next_cursor=more)


def message_at(db: Database, session: int, position: int) -> Message:
    """The message at a position of the transcript."""
    return next(_messages([db.one(_SQL["message_at"], {"session": session, "position": position})]))


def history(db: Database, session: int, *, before: int, window: Window) -> list[Message]:
    """The messages before a position that are inside a window, oldest first."""
    values = {"session": session, "before": before, "after": window.after}
    with closing(db.run(_SQL["messages_before"], values)) as newest_first:
        return window.select(_messages(newest_first))


def _messages(rows: Any) -> Iterator[Message]:
    for message_id, turn_id, role, content, created_at, tokens, extra in rows:
        yield Message(
            message_id=message_id,
            turn_id=turn_id,
            role=role,
            content=content,
            created_at=codec.from_micros(created_at),
            tokens=tokens,
            **codec.decode_extra(extra),
        )


def _index_title(db: Database, key: int, old: str, new: str) -> None:
    if codec.words(old):
        db.run(_SQL["delete_words"], {"key": key})
    if found := codec.words(codec.clean(new)):
        db.run(_SQL["insert_words"], {"key": key, "words": " ".join(found)})
