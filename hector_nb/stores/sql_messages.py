"""Transcripts: plain functions, each run inside one transaction."""

from collections.abc import Iterator, Sequence
from typing import Any

from hector_nb.errors import MessageNotFound
from hector_nb.messages import Message, joined
from hector_nb.sessions import Page
from hector_nb.stores import codec, sql
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.sql_database import Database, Values
from hector_nb.stores.sql_sessions import SessionRow, find

_SQL = sql.queries("messages")
_OUTPUTS = sql.queries("approvals")
_FIRST_READ = 24
"""Messages read at first where nobody knows how many will be wanted."""


def append(db: Database, session: int, message: Message) -> tuple[int, int]:
    """Append to the transcript; the message's position, and the number of user messages by now."""
    counted: Values = {
        "session": session,
        "role": message.role,
        "tokens": message.tokens,
        "created_at": codec.to_micros(message.created_at),
    }
    position, user_messages, listed = db.one(_SQL["count_message"], counted)
    _insert(db, session, position, message)
    if listed:
        db.texts.add_message(session, position, message.content)
    return position, user_messages


def put(db: Database, session: SessionRow, message: Message) -> None:
    """Append to the transcript of a session, whose row is stored as it is given: with this message."""
    idle_since = codec.to_micros(message.created_at)
    db.run(_SQL["store_session"], {**session._asdict(), "idle_since": idle_since})
    _insert(db, session.key, session.message_count, message)
    if session.listed:
        db.texts.add_message(session.key, session.message_count, message.content)


def _insert(db: Database, session: int, position: int, message: Message) -> None:
    db.run(
        _SQL["insert_message"],
        {
            "session": session,
            "position": position,
            "message_id": message.message_id,
            "turn_id": message.turn_id,
            "role": message.role,
            "created_at": codec.to_micros(message.created_at),
            "tokens": message.tokens,
            "content": message.content,
            "extra": codec.encode_extra(message),
        },
    )


def fill(db: Database, row: SessionRow, messages: Sequence[Message]) -> None:
    """Give a new session its transcript."""
    for position, message in enumerate(messages, 1):
        _insert(db, row.key, position, message)
    _filled(db, row)


def copy(db: Database, row: SessionRow, source: int, *, upto: int) -> None:
    """Give a new session the beginning of another one's transcript."""
    values: Values = {"session": row.key, "source": source, "upto": upto}
    db.run(_SQL["copy_messages"], values)
    db.run(_OUTPUTS["copy_outputs"], values)
    _filled(db, row)


def _filled(db: Database, row: SessionRow) -> None:
    db.run(_SQL["count_messages"], {"session": row.key})
    if row.listed:
        db.texts.add_messages(row.key)


def erase(db: Database, row: SessionRow, *, after: int) -> None:
    """Erase the messages after a position."""
    values: Values = {"session": row.key, "after": after}
    db.run(_SQL["uncount_messages"], values)
    db.run(_SQL["erase_messages"], values)
    db.erased = True
    if row.listed:
        db.texts.erase_messages(row.key, after=after)


def turns_after(db: Database, session: int, *, after: int) -> list[int]:
    """The turns of the session to which the messages after a position belong."""
    return [turn for (turn,) in db.all(_SQL["turns_after"], {"session": session, "after": after})]


def position_of(db: Database, session: int, message_id: str) -> int:
    """The position of a message.

    Raises:
        MessageNotFound: the session has no such message.
    """
    row = db.one(_SQL["position_of_message"], {"session": session, "message_id": message_id})
    if row is None:
        raise MessageNotFound(f"There is no message {codec.clean(message_id)!r} in this session.")
    position: int = row[0]
    return position


def page(db: Database, user: str, session_id: str, *, limit: int, cursor: str | None) -> Page[Message]:
    """See `Store.list_messages`."""
    after = codec.decode_cursor(cursor, 1)[0] if cursor else 0
    row = find(db, user, session_id)
    found = db.run(_SQL["messages_after"], {"session": row.key, "after": after, "limit": limit})
    more = codec.encode_cursor(after + limit) if row.message_count > after + limit else None
    return Page(items=list(messages_of(found)), next_cursor=more)


def at(db: Database, session: int, position: int) -> Message:
    """The message at a position of the transcript."""
    return next(messages_of([db.one(_SQL["message_at"], {"session": session, "position": position})]))


def of_turn(db: Database, session: int, turn_id: str, *, after: int) -> list[Message]:
    """The messages of a turn after a position."""
    values: Values = {"session": session, "turn_id": turn_id, "after": after}
    return list(messages_of(db.run(_SQL["messages_of_turn"], values)))


def first_of_user(db: Database, session: int) -> str | None:
    """What the user said first."""
    row = db.one(_SQL["first_of_user"], {"session": session})
    return row[0] if row else None


def answer(db: Database, session: int, turn_id: str, *, position: int, until: int) -> str:
    """What the assistant said in a turn whose messages are between two positions."""
    values: Values = {"session": session, "turn_id": turn_id, "position": position, "until": until}
    return joined(content for (content,) in db.run(_SQL["answer"], values))


def history(db: Database, session: int, *, after: int, before: int, window: Window) -> list[Message]:
    """The messages between two positions that are inside a window, oldest first."""
    return window.select(_newest_first(db, session, after=after, before=before))


def _newest_first(db: Database, session: int, *, after: int, before: int) -> Iterator[Message]:
    """The messages between two positions, of which no more are read than are needed, and some."""
    limit = _FIRST_READ
    while before > after + 1:
        values: Values = {"session": session, "before": before, "after": after, "limit": limit}
        yield from messages_of(db.all(_SQL["messages_before"], values))
        before -= limit
        limit *= 4


def messages_of(rows: Any) -> Iterator[Message]:
    """The messages of rows."""
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
