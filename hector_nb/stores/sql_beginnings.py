"""How a turn is queued and begins: plain functions, each run inside one transaction.

What can be asked together is asked together, and what is known is not read again: a database on another machine answers late.
"""

from collections.abc import Sequence
from typing import Any

from hector_nb.errors import SessionBusy, SessionEnded, SessionNotFound, TooManyWaiting, TurnNotFound
from hector_nb.messages import Message
from hector_nb.sessions import Lifetime
from hector_nb.stores import codec, sql, sql_messages, sql_requests, sql_sessions, sql_summaries
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import MAX_WAITING, BegunTurn, NewTurn, QueuedTurn, RepeatedTurn
from hector_nb.stores.sql_database import Database
from hector_nb.stores.sql_sessions import FIND_SESSION, SessionRow
from hector_nb.stores.sql_turns import FIND_TURN, TurnRow, find, input_of

_SQL = sql.queries("turns")
_SIGN_OF_LIFE = sql.queries("holders")["sign_of_life"]


def begin(db: Database, new: NewTurn, window: Window, lifetime: Lifetime) -> BegunTurn | QueuedTurn | RepeatedTurn:
    """See `Store.begin_turn`."""
    if new.idempotency is not None:
        db.lock("request", owner=new.user, key=new.idempotency.key)
    db.lock("session", owner=new.user, session_id=new.session_id)
    this = {"owner": new.user, "session_id": new.session_id}
    asked = db.ask(FIND_TURN, {"turn_id": new.turn_id}), db.ask(FIND_SESSION, this), db.ask(_SQL["queue_of"], this)
    turns, sessions, queue = map(list, asked)
    row = TurnRow(*turns[0]) if turns else None
    if row is None and (repeated := _made_by(db, new)):
        return RepeatedTurn(turn=repeated.turn())
    session = _session(db, new, sessions)
    if row is None:
        _admit(db, session, new, queue)
        if not queue:
            return _start(db, session, new, window, lifetime)
        row, place = _queue(db, session, new), len(queue)
    elif row.session != session.key or row.finished_at is not None or row.holder != new.holder:
        raise TurnNotFound(f"The turn {row.turn_id!r} is no longer in the queue.")
    elif row.position is None and session.status == "ended":
        raise _ended(session.session_id, "ended")
    else:
        place = [key for key, *_ in queue].index(row.key)
    if place > 0:
        return QueuedTurn(turn=row.turn(), ahead=queue[place - 1][1], running=queue[0][1])
    if row.position is not None:
        return _begun_before(db, row, window)
    return _start_queued(db, session, row, window, lifetime)


def resume(db: Database, turn_id: str, holder: str, window: Window) -> BegunTurn | None:
    """See `Store.resume_turn`."""
    db.lock("session_of_turn", turn_id=turn_id)
    row = find(db, turn_id)
    if row is None or row.status != "waiting" or row.holder != holder:
        return None
    row = row._replace(status="running")
    db.run(_SQL["go_on"], {"key": row.key})
    db.run(_SIGN_OF_LIFE, {"holder": holder, "now": db.now()})
    db.changed.add(row.session_id)
    return _begun_before(db, row, window)


def _made_by(db: Database, new: NewTurn) -> TurnRow | None:
    """The turn that the same request started before."""
    made = sql_requests.made_by(db, new.user, new.idempotency)
    return find(db, made.turn_id) if made and made.turn_id else None


def _session(db: Database, new: NewTurn, found: Sequence[Any]) -> SessionRow:
    if not found:
        if new.create_session is None:
            raise sql_sessions.not_found(new.session_id)
        session = sql_sessions.insert(db, new.create_session)
    else:
        session = SessionRow(*found[0])
        if new.create_session is not None:
            sql_sessions.create(db, new.create_session)
    session_id = codec.clean(new.session_id)
    if (session.session_id, session.agent) != (session_id, new.agent):
        raise SessionNotFound(f"There is no session {session_id!r} with the agent {new.agent!r}.")
    return session


def _admit(db: Database, session: SessionRow, new: NewTurn, queue: Sequence[Any]) -> None:
    status = session.session(db.now()).status
    if status != "active":
        raise _ended(session.session_id, status)
    if queue and new.if_busy == "reject":
        raise SessionBusy(details={"running_turn": queue[0][1]})
    if sum(status == "queued" for *_, status in queue) >= MAX_WAITING:
        raise TooManyWaiting(hint="Wait for an answer, then send the message again.")
    if queue and new.if_busy == "interrupt":
        db.changed.update(holder for (holder,) in db.all(_SQL["request_cancels"], {"session": session.key}))


def _queue(db: Database, session: SessionRow, new: NewTurn) -> TurnRow:
    message = new.message
    waiting = [codec.to_micros(message.created_at), message.tokens, message.content, codec.encode_extra(message)]
    row = _row(db, session, new)._replace(status="queued", input=codec.to_json(waiting))
    row = row._replace(key=db.value(_SQL["insert_turn"], row._asdict()))
    _inserted(db, row, new)
    return row


def _start(db: Database, session: SessionRow, new: NewTurn, window: Window, lifetime: Lifetime) -> BegunTurn:
    """Nobody is before this turn, so it begins at once."""
    row = _placed(_row(db, session, new), session)
    inserted = db.ask(_SQL["insert_turn"], row._asdict())
    begun = _begin(db, session, row, codec.stored_message(new.message), window, lifetime)
    ((key,),) = inserted
    _inserted(db, row._replace(key=key), new)
    return begun


def _start_queued(db: Database, session: SessionRow, row: TurnRow, window: Window, lifetime: Lifetime) -> BegunTurn:
    message = input_of(row)
    row = _placed(row, session)
    db.run(_SQL["place_turn"], row._asdict())
    db.changed.add(session.session_id)
    return _begin(db, session, row, message, window, lifetime)


def _row(db: Database, session: SessionRow, new: NewTurn) -> TurnRow:
    """A turn as it is inserted; it gets its key by that."""
    return TurnRow(
        key=0,
        session=session.key,
        turn_id=new.turn_id,
        session_id=session.session_id,
        agent=session.agent,
        owner=session.owner,
        status="running",
        holder=new.holder,
        message_id=new.message.message_id,
        input=None,
        position=None,
        until=None,
        number=None,
        last_seq=0,
        finish_reason=None,
        prompt_tokens=None,
        completion_tokens=None,
        usage_estimated=None,
        created_at=db.now(),
        finished_at=None,
        listed=session.listed,
    )


def _placed(row: TurnRow, session: SessionRow) -> TurnRow:
    """A turn that runs, with its message as the next one of the transcript."""
    position, number = session.message_count + 1, session.user_message_count + 1
    return row._replace(status="running", input=None, position=position, number=number)


def _inserted(db: Database, row: TurnRow, new: NewTurn) -> None:
    db.run(_SIGN_OF_LIFE, {"holder": new.holder, "now": row.created_at})
    db.changed.add(row.session_id)
    sql_requests.remember(db, new.user, new.idempotency, session=row.session, turn=row.key)


def _begin(
    db: Database, session: SessionRow, row: TurnRow, message: Message, window: Window, lifetime: Lifetime
) -> BegunTurn:
    """Put the message at its place, and read what the model may see before it."""
    assert row.position is not None
    assert row.number is not None
    summary, history = sql_summaries.view(db, row.session, before=row.position, window=window)
    now = db.now()
    expires = lifetime.expires_at(codec.from_micros(session.created_at), codec.from_micros(now))
    named = not session.title and codec.title_of(message.content)
    session = session._replace(
        title=named or session.title,
        last_active_at=now,
        expires_at=None if expires is None else codec.to_micros(expires),
        message_count=row.position,
        user_message_count=row.number,
        token_count=session.token_count + message.tokens,
        running_turn=row.turn_id,
    )
    sql_messages.put(db, session, message)
    if session.listed and named:
        db.texts.add_title(session.key, named)
    return BegunTurn(
        session=session.session(now),
        turn=row.turn(),
        message=message,
        message_number=row.number,
        history=history,
        first_position=row.position - len(history),
        summary=summary,
        so_far=[],
    )


def _begun_before(db: Database, row: TurnRow, window: Window) -> BegunTurn:
    assert row.position is not None
    assert row.number is not None
    summary, history = sql_summaries.view(db, row.session, before=row.position, window=window)
    return BegunTurn(
        session=sql_sessions.find(db, row.owner, row.session_id).session(db.now()),
        turn=row.turn(),
        message=sql_messages.at(db, row.session, row.position),
        message_number=row.number,
        history=history,
        first_position=row.position - len(history),
        summary=summary,
        so_far=sql_messages.of_turn(db, row.session, row.turn_id, after=row.position),
    )


def _ended(session_id: str, status: str) -> SessionEnded:
    return SessionEnded(
        f"The session {session_id!r} has {status}.", hint="Begin a new one.", details={"status": status}
    )
