"""Summaries, and what a model gets of a transcript: plain functions, each run inside one transaction."""

from collections.abc import Sequence

from hector_nb.errors import SessionNotFound
from hector_nb.memories import Summary
from hector_nb.messages import Message
from hector_nb.stores import codec, sql, sql_messages, sql_sessions
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.sql_database import Database, Values

_SQL = sql.queries("summaries")
_LAST_POSITION = (1 << 24) - 1


def newest(db: Database, session: int, *, before: int = _LAST_POSITION) -> Summary | None:
    """The newest summary of what comes before a position."""
    row = db.one(_SQL["newest_summary"], {"session": session, "before": before})
    if row is None:
        return None
    position, created_at, tokens, text, message_id = row
    return Summary(
        text=text,
        tokens=tokens,
        message_id=message_id,
        position=position,
        created_at=codec.from_micros(created_at),
    )


def at(db: Database, session: int, position: int | None) -> Summary | None:
    """The summary that ends with the message at a position, where there is one."""
    found = None if position is None else newest(db, session, before=position + 1)
    return found if found and found.position == position else None


def view(db: Database, session: int, *, before: int, window: Window) -> tuple[Summary | None, list[Message]]:
    """The summary and the messages before a position that a window asks for."""
    if not window.summarized:
        return None, sql_messages.history(db, session, before=before, after=window.after, window=window)
    summary = newest(db, session, before=before)
    after = max(window.after, summary.position if summary else 0)
    return summary, sql_messages.history(db, session, before=before, after=after, window=window)


def read_window(
    db: Database, user: str, session_id: str, *, window: Window
) -> tuple[Summary | None, Sequence[Message], int]:
    """See `Store.read_window`."""
    row = sql_sessions.find(db, user, session_id)
    before = row.message_count + 1
    summary, history = view(db, row.key, before=before, window=window)
    return summary, history, before - len(history)


def store(db: Database, user: str, session_id: str, summary: Summary, *, after: int) -> bool:
    """See `MemoryStore.store_summary`."""
    try:
        session = sql_sessions.held(db, user, session_id).key
    except SessionNotFound:
        return False
    last = newest(db, session)
    if (last.position if last else 0) != after or summary.position <= after:
        return False
    values: Values = {
        "session": session,
        "position": summary.position,
        "message_id": summary.message_id,
        "created_at": codec.to_micros(summary.created_at),
        "tokens": summary.tokens,
        "text": summary.text,
    }
    if db.one(_SQL["insert_summary"], values) is None:
        return False
    db.changed.add(session_id)
    return True


def copy(db: Database, session: int, source: int, *, upto: int) -> None:
    """Give a new session the summaries of what it has of another one's transcript."""
    db.run(_SQL["copy_summaries"], {"session": session, "source": source, "upto": upto})


def erase(db: Database, session: int, *, after: int) -> None:
    """Erase the summaries that end after a position."""
    db.run(_SQL["erase_summaries"], {"session": session, "after": after})


def messages_between(
    db: Database, user: str, session_id: str, *, after: int, upto: int | None, limit: int
) -> Sequence[Message]:
    """See `MemoryStore.messages_between`."""
    try:
        session = sql_sessions.find(db, user, session_id).key
    except SessionNotFound:
        return []
    values: Values = {
        "session": session,
        "after": after,
        "upto": _LAST_POSITION if upto is None else min(upto, _LAST_POSITION),
        "limit": limit,
    }
    return list(sql_messages.messages_of(db.run(_SQL["messages_between"], values)))
