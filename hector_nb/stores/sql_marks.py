"""How far long-term memory has taken sessions in: plain functions, each run inside one transaction."""

import heapq
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from hector_nb.stores import codec, sql, sql_sessions
from hector_nb.stores.base_memories import NewMemory, Untaken
from hector_nb.stores.sql_database import Database, Values

_SQL = sql.queries("marks")
_UNTAKEN = f"{_SQL['select_untaken']} {{}} WHERE {_SQL['is_untaken']}"
_OVERDUE = "status = 'active' AND expires_at <= :now"
_NOT_OVERDUE = "status = 'active' AND (expires_at IS NULL OR expires_at > :now)"
_OVER = (_OVERDUE, "status = 'ended'", "status = 'expired'")
_ALL = ("status = 'active'", *_OVER[1:])

Place = tuple[int, int, int, int]
"""Since when a session is idle, its key, its mark, and the position of its newest message."""


def mark(db: Database, session: int) -> int:
    """The position up to which a session was taken in."""
    position: int = db.value(_SQL["this_mark"], {"session": session})
    return position


def move(db: Database, session: int, position: int) -> None:
    """Put the mark at a position."""
    db.run(_SQL["move"], {"session": session, "mark": position})


def skip(db: Database, session: int) -> None:
    """Put the mark behind all messages."""
    db.run(_SQL["skip"], {"session": session})


def made_of(db: Database, session: int, memory: NewMemory) -> bool:
    """Whether the message that a memory ends with is where it was."""
    if not memory.message_ids:
        return True
    last: Values = {"session": session, "position": memory.last_position, "message_id": memory.message_ids[-1]}
    return db.one(_SQL["has_message"], last) is not None


def untaken(
    db: Database, agents: Sequence[str], *, over: bool | None, idle_before: datetime | None, limit: int
) -> Sequence[Untaken]:
    """See `MemoryStore.untaken`."""
    now = db.now()
    terms = f"agent = :agent AND {_SQL['is_at_rest']}"
    common: dict[str, str | int] = {"now": now, "limit": limit}
    if idle_before is not None:
        terms += " AND idle_since < :before"
        common["before"] = codec.to_micros(idle_before)
    ranges: list[list[Place]] = []
    for status in _ALL if over is None else _OVER if over else (_NOT_OVERDUE,):
        index = "INDEXED BY sessions_to_expire" if status is _OVERDUE else "INDEXED BY sessions_untaken"
        query = f"{_UNTAKEN.format(index)} AND {terms} AND {status} ORDER BY idle_since, key LIMIT :limit"
        ranges += [db.all(query, {**common, "agent": agent}) for agent in dict.fromkeys(agents)]
    return _described(db, list(islice(heapq.merge(*ranges), limit)))


def untaken_of(db: Database, user: str, session_id: str) -> Untaken | None:
    """See `MemoryStore.untaken_of`."""
    query = f"{_UNTAKEN.format('')} AND owner = :owner AND session_id = :session_id"
    return next(iter(_described(db, db.all(query, {"owner": user, "session_id": session_id}))), None)


def _described(db: Database, places: Sequence[Place]) -> list[Untaken]:
    sessions = sql_sessions.of_keys(db, [key for _, key, _, _ in places])
    return [
        Untaken(session=sessions[key], mark=mark, upto=upto, idle_since=codec.from_micros(since))
        for since, key, mark, upto in places
    ]
