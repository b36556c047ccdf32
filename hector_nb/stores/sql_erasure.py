"""What goes when a session or a turn is erased: plain functions, each run inside one transaction."""

from collections.abc import Sequence

from hector_nb.errors import SessionNotFound
from hector_nb.stores import sql, sql_ledgers, sql_marks, sql_memory_index, sql_messages, sql_sessions, sql_summaries
from hector_nb.stores.sql_database import Database
from hector_nb.stores.sql_sessions import SessionRow

_SESSIONS = sql.queries("sessions")
_TURNS = sql.queries("turns")
_OUTPUTS = sql.queries("approvals")


def delete(db: Database, user: str, session_id: str, *, forget: bool = False) -> bool:
    """See `Store.delete_session`."""
    try:
        row = sql_sessions.held(db, user, session_id)
    except SessionNotFound:
        return False
    erase_turns(db, [turn for (turn,) in db.all(_TURNS["turns_of_session"], {"session": row.key})])
    if row.listed:
        db.texts.erase_title(row.key)
        db.texts.erase_messages(row.key, after=0)
    sql_memory_index.erase_of_session(db, row.key, forget=forget)
    sql_summaries.erase(db, row.key, after=0)
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
        sql_ledgers.erase(db, turn)
        db.run(_TURNS["erase_turn"], {"turn": turn})


def rewind(db: Database, row: SessionRow, *, after: int) -> None:
    """Erase the messages of a session after a position, and what was made of them."""
    erase_turns(db, sql_messages.turns_after(db, row.key, after=after))
    sql_messages.erase(db, row, after=after)
    db.run(_OUTPUTS["erase_outputs"], {"session": row.key, "after": after})
    sql_summaries.erase(db, row.key, after=after)
    again = sql_memory_index.erase_after(db, row.key, after=after)
    sql_marks.move(db, row.key, 0 if again else min(after, sql_marks.mark(db, row.key)))
    db.changed.add(row.session_id)
