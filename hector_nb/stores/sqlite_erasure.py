"""What goes when a session or a turn is erased from SQLite: plain functions, each run inside one transaction."""

from collections.abc import Sequence

from hector_nb.errors import SessionNotFound
from hector_nb.stores import (
    sql,
    sqlite_ledgers,
    sqlite_marks,
    sqlite_memory_index,
    sqlite_messages,
    sqlite_sessions,
    sqlite_summaries,
    sqlite_texts,
)
from hector_nb.stores.sqlite_database import Database
from hector_nb.stores.sqlite_sessions import SessionRow

_SESSIONS = sql.queries("sessions")
_TURNS = sql.queries("turns")
_OUTPUTS = sql.queries("approvals")


def delete(db: Database, user: str, session_id: str, *, forget: bool = False) -> bool:
    """See `Store.delete_session`."""
    try:
        row = sqlite_sessions.find(db, user, session_id)
    except SessionNotFound:
        return False
    erase_turns(db, [turn for (turn,) in db.all(_TURNS["turns_of_session"], {"session": row.key})])
    if row.listed:
        sqlite_texts.erase_title(db, row.key)
        sqlite_texts.erase_messages(db, row.key, after=0)
    sqlite_memory_index.erase_of_session(db, row.key, forget=forget)
    sqlite_summaries.erase(db, row.key, after=0)
    db.run(_SESSIONS["erase_messages"], {"session": row.key})
    db.run(_OUTPUTS["erase_outputs"], {"session": row.key, "after": 0})
    db.run(_SESSIONS["erase_session"], {"session": row.key})
    db.changed.add(row.session_id)
    db.erased = True
    return True


def erase_turns(db: Database, turns: Sequence[int]) -> None:
    """Erase turns with their event logs and ledgers."""
    for turn in turns:
        db.run(_TURNS["erase_events"], {"turn": turn})
        sqlite_ledgers.erase(db, turn)
        db.run(_TURNS["erase_turn"], {"turn": turn})


def rewind(db: Database, row: SessionRow, *, after: int) -> None:
    """Erase the messages of a session after a position, and what was made of them."""
    erase_turns(db, sqlite_messages.turns_after(db, row.key, after=after))
    sqlite_messages.erase(db, row, after=after)
    db.run(_OUTPUTS["erase_outputs"], {"session": row.key, "after": after})
    sqlite_summaries.erase(db, row.key, after=after)
    again = sqlite_memory_index.erase_after(db, row.key, after=after)
    sqlite_marks.move(db, row.key, 0 if again else min(after, sqlite_marks.mark(db, row.key)))
    db.changed.add(row.session_id)
