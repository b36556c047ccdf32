"""Listing the sessions of a SQL store at a cost that does not grow with their number.

A page is merged from ranges of an index, one for each status that is wanted, and only its own rows are read. A search first looks
into the newest sessions: what is common is found there. For the rest it asks the full-text index.
"""

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice

from hector_nb.sessions import Page, Session, SessionStatus
from hector_nb.stores import codec, sql, sql_sessions
from hector_nb.stores.sql_database import Database, Place, Values

_PLACES = sql.queries("sessions")["select_places"]
_NEWEST_FIRST = "ORDER BY last_active_at DESC, key DESC"
_ENDED = "status = 'ended'"
_EXPIRED = "status = 'expired'"
_ACTIVE = "status = 'active' AND (expires_at IS NULL OR expires_at > :now)"
_OVERDUE = "status = 'active' AND expires_at <= :now"
_RANGES: dict[SessionStatus | None, Sequence[str]] = {
    None: ("status = 'active'", _ENDED, _EXPIRED),
    "active": (_ACTIVE,),
    "ended": (_ENDED,),
    "expired": (_EXPIRED, _OVERDUE),
}
_FEW = 2000
"""Found sessions that are sorted; if there are more, it is cheaper to go through the newest and take those that are found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    terms: str
    values: Values
    status: SessionStatus | None
    query: str | None
    count: int


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
    values: dict[str, str | int | float | bytes | None] = {"owner": user, "now": db.now()}
    terms = ["listed", "owner = :owner"]
    if agent is not None:
        terms.append("agent = :agent")
        values["agent"] = agent
    if cursor:
        terms.append("(last_active_at, key) < (:last_active_at, :key)")
        values["last_active_at"], values["key"] = codec.decode_cursor(cursor, 2)
    wanted = _Wanted(terms=" AND ".join(terms), values=values, status=status, query=query, count=limit + 1)
    places = _places(db, wanted)
    more = codec.encode_cursor(*places[limit - 1]) if len(places) > limit else None
    sessions = sql_sessions.of_keys(db, [key for _, key in places[:limit]])
    return Page(items=[sessions[key] for _, key in places[:limit]], next_cursor=more)


def _places(db: Database, wanted: _Wanted) -> list[Place]:
    if wanted.query is None:
        return _newest(db, wanted, lambda places: places)
    starts = codec.asked(wanted.query)
    if not starts:
        return []
    reading = db.texts.reading(starts)
    places = _newest(db, wanted, reading.found)
    if reading.left >= 0:
        return places
    found = db.texts.with_words(starts)
    if len(found) > _FEW:
        return _newest(db, wanted, lambda places: (place for place in places if place[1] in found))
    return _sorted(db, wanted, found)


def _newest(db: Database, wanted: _Wanted, only: Callable[[Iterator[Place]], Iterable[Place]]) -> list[Place]:
    """Go through the sessions, newest first, until there are enough of those that are wanted."""
    with ExitStack() as stack:
        ranges: list[Iterator[Place]] = []
        for status in _RANGES[wanted.status]:
            index = "INDEXED BY sessions_to_expire" if status is _OVERDUE else ""
            query = f"{_PLACES} {index} WHERE {wanted.terms} AND {status} {_NEWEST_FIRST}"
            ranges.append(stack.enter_context(db.lazily(query, wanted.values)))
        return list(islice(only(heapq.merge(*ranges, reverse=True)), wanted.count))


def _sorted(db: Database, wanted: _Wanted, keys: Iterable[int]) -> list[Place]:
    """Those of a few sessions that are wanted, newest first."""
    status = " OR ".join(f"({each})" for each in _RANGES[wanted.status])
    these = "key IN (SELECT CAST(value AS BIGINT) FROM json_each(:keys))"
    query = f"{_PLACES} NOT INDEXED WHERE {these} AND {wanted.terms} AND ({status}) {_NEWEST_FIRST} LIMIT :count"
    return db.all(query, {**wanted.values, "keys": json.dumps(list(keys)), "count": wanted.count})
