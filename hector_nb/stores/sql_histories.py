"""Sessions that begin with the past of another one, or lose some of theirs; each function runs inside one transaction."""

from collections.abc import Sequence

from hector_nb.errors import Conflict, SessionBusy
from hector_nb.messages import Message
from hector_nb.sessions import Session
from hector_nb.stores import sql, sql_erasure, sql_marks, sql_messages, sql_sessions, sql_summaries
from hector_nb.stores.sql_database import Database
from hector_nb.stores.sql_sessions import SessionRow

_QUEUE = sql.queries("turns")["queue_of_session"]


def import_session(db: Database, session: Session, messages: Sequence[Message], *, take_in: bool) -> Session:
    """See `Store.import_session`."""
    row = _new(db, session)
    sql_messages.fill(db, row, messages)
    return _finished(db, row, mark=0 if take_in else len(messages))


def fork(db: Database, session_id: str, new: Session, after: str | None, *, take_in: bool) -> Session:
    """See `Store.fork_session`."""
    source = sql_sessions.held(db, new.user, session_id)
    upto = source.message_count if after is None else sql_messages.position_of(db, source.key, after)
    row = _new(db, new)
    sql_messages.copy(db, row, source.key, upto=upto)
    sql_summaries.copy(db, row.key, source.key, upto=upto)
    return _finished(db, row, mark=0 if take_in else upto)


def rewind(db: Database, user: str, session_id: str, after: str | None) -> Session:
    """See `Store.rewind_session`."""
    row = sql_sessions.held(db, user, session_id)
    upto = 0 if after is None else sql_messages.position_of(db, row.key, after)
    if queue := db.all(_QUEUE, {"session": row.key}):
        raise SessionBusy(details={"running_turn": queue[0][1]})
    sql_erasure.rewind(db, row, after=upto)
    return sql_sessions.find(db, user, session_id).session(db.now())


def _new(db: Database, session: Session) -> SessionRow:
    if not sql_sessions.create(db, session)[1]:
        raise Conflict(f"The session id {session.session_id!r} is in use.", hint="Choose another id.")
    return sql_sessions.find(db, session.user, session.session_id)


def _finished(db: Database, row: SessionRow, *, mark: int) -> Session:
    """The session with its transcript, named like one that began with its first message."""
    sql_marks.move(db, row.key, mark)
    said = None if row.title else sql_messages.first_of_user(db, row.key)
    if said is not None:
        sql_sessions.name(db, row.key, said, listed=bool(row.listed))
    return sql_sessions.find(db, row.owner, row.session_id).session(db.now())
