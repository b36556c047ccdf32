"""Turns and their event logs: plain functions, each run inside one transaction."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from hector_nb.approvals import Approval
from hector_nb.errors import SessionNotFound
from hector_nb.events import LoggedEvent
from hector_nb.messages import Message, Usage
from hector_nb.sessions import FINISHED, Turn, TurnStatus
from hector_nb.stores import (
    codec,
    sql,
    sql_approvals,
    sql_erasure,
    sql_ledgers,
    sql_marks,
    sql_messages,
    sql_requests,
    sql_sessions,
)
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_memories import LedgerRecord, StoredLedger
from hector_nb.stores.base_turns import TurnLog, TurnOutcome
from hector_nb.stores.sql_database import Database

_SQL = sql.queries("turns")
SELECT_TURNS = _SQL["select_turns"]
"""A query to which a condition is added; its rows are `TurnRow`s."""
FIND_TURN = f"{SELECT_TURNS}\n{_SQL['this_turn']}"
_UNFINISHED = f"{SELECT_TURNS}\n{_SQL['unfinished_of_session']}"
_AFTER = f"{SELECT_TURNS}\n{_SQL['turn_after']}"
_MADE_AFTER = f"{SELECT_TURNS}\n{_SQL['turn_made_after']}"
_LAST_POSITION = (1 << 24) - 1
_LAST = f"{SELECT_TURNS}\n{_SQL['last_of_session']}"


class TurnRow(NamedTuple):
    """A row of `select_turns`."""

    key: int
    session: int
    turn_id: str
    session_id: str
    agent: str
    owner: str
    status: TurnStatus
    holder: str
    message_id: str
    input: str | None
    position: int | None
    until: int | None
    number: int | None
    last_seq: int
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    usage_estimated: int | None
    created_at: int
    finished_at: int | None
    listed: int

    def turn(self) -> Turn:
        """The turn."""
        usage = None
        if self.prompt_tokens is not None and self.completion_tokens is not None:
            usage = Usage(
                prompt_tokens=self.prompt_tokens,
                completion_tokens=self.completion_tokens,
                estimated=bool(self.usage_estimated),
            )
        return Turn(
            turn_id=self.turn_id,
            session_id=self.session_id,
            agent=self.agent,
            user=self.owner,
            status=self.status,
            message_id=self.message_id,
            last_seq=self.last_seq,
            finish_reason=self.finish_reason,
            usage=usage,
            created_at=codec.from_micros(self.created_at),
            finished_at=None if self.finished_at is None else codec.from_micros(self.finished_at),
        )


def find(db: Database, turn_id: str) -> TurnRow | None:
    """One turn's row."""
    row = db.one(FIND_TURN, {"turn_id": turn_id})
    return TurnRow(*row) if row else None


def input_of(row: TurnRow) -> Message:
    """The user's message of a turn that has it still."""
    assert row.input is not None
    created_at, tokens, content, extra = json.loads(row.input)
    return Message(
        message_id=row.message_id,
        turn_id=row.turn_id,
        role="user",
        content=content,
        created_at=codec.from_micros(created_at),
        tokens=tokens,
        **codec.decode_extra(extra),
    )


def _append_input(db: Database, row: TurnRow) -> None:
    """Move the user's message from a turn that never began to the transcript."""
    if row.input is None:
        return
    message = input_of(row)
    position, number = sql_messages.append(db, row.session, message)
    sql_sessions.name(db, row.session, message.content, listed=bool(row.listed))
    db.run(_SQL["place_turn"], row._replace(position=position, number=number)._asdict())


def write(
    db: Database,
    turn_id: str,
    payload: str | None,
    count: int,
    messages: Sequence[Message],
    outcome: TurnOutcome | None,
    skip: int,
    ledger: LedgerRecord | None,
    approvals: Sequence[Approval],
    outputs: Sequence[ToolOutput],
) -> Turn | None:
    """See `Store.write_turn`; `payload` is the encoded group of `count` events."""
    db.lock("session_of_turn", turn_id=turn_id)
    row = find(db, turn_id)
    if row is None or row.finished_at is not None:
        return None
    if payload is not None:
        row = row._replace(last_seq=row.last_seq + skip + count)
        db.run(_SQL["insert_events"], {"turn": row.key, "last_seq": row.last_seq, "payload": payload})
    if outcome is not None or messages:
        _append_input(db, row)
    positions = {message.call_id: sql_messages.append(db, row.session, message)[0] for message in messages}
    for output in outputs:
        sql_approvals.keep_output(db, row.session, output, positions.get(output.call_id))
    sql_approvals.ask(db, row.key, approvals)
    if ledger is not None:
        sql_ledgers.put(db, row.key, ledger)
    db.changed.add(row.session_id)
    if outcome is not None:
        return _write_outcome(db, row, outcome)
    if payload is not None:
        db.run(_SQL["update_last_seq"], {"key": row.key, "last_seq": row.last_seq})
    return row.turn()


def _write_outcome(db: Database, row: TurnRow, outcome: TurnOutcome) -> Turn:
    now = db.now()
    finished = outcome.status in FINISHED
    usage = outcome.usage
    row = row._replace(
        status=outcome.status,
        finish_reason=outcome.finish_reason,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        usage_estimated=usage.estimated if usage else None,
        finished_at=now if finished else None,
    )
    if finished:
        sql_approvals.close(db, row.key)
    until = now + int(outcome.keep_events * 1_000_000) if finished else None
    db.run(_SQL["update_outcome"], {**row._asdict(), "events_until": until})
    if finished and not outcome.take_in:
        sql_marks.skip(db, row.session)
    return row.turn()


def get_ledger(db: Database, user: str, turn_id: str) -> StoredLedger | None:
    """See `MemoryStore.get_ledger`."""
    row = find(db, turn_id)
    if row is None or row.owner != user:
        return None
    return sql_ledgers.read(db, sql_sessions.find(db, user, row.session_id), row.key, turn_id)


def get(db: Database, user: str, turn_id: str) -> Turn | None:
    """See `Store.get_turn`."""
    row = find(db, turn_id)
    return row.turn() if row and row.owner == user else None


def read(db: Database, user: str, turn_id: str, *, after: int, limit: int) -> TurnLog | None:
    """See `Store.read_turn`."""
    row = find(db, turn_id)
    if row is None or row.owner != user:
        return None
    events: list[LoggedEvent] = []
    for last_seq, payload in db.run(_SQL["events_after"], {"turn": row.key, "after": after}):
        group = codec.decode_events(payload)
        numbered = enumerate(group, last_seq - len(group) + 1)
        events += [LoggedEvent(seq, event) for seq, event in numbered if seq > after]
        if len(events) >= limit:
            break
    return TurnLog(turn=row.turn(), events=events[:limit])


def unfinished(db: Database, user: str, session_id: str) -> Sequence[Turn]:
    """See `Store.unfinished_turns`."""
    try:
        session = sql_sessions.find(db, user, session_id)
    except SessionNotFound:
        return []
    return [TurnRow(*row).turn() for row in db.all(_UNFINISHED, {"session": session.key})]


def answer(db: Database, user: str, turn_id: str) -> str:
    """See `Store.answer`."""
    row = find(db, turn_id)
    if row is None or row.owner != user or row.position is None:
        return ""
    until = _LAST_POSITION if row.until is None else row.until
    return sql_messages.answer(db, row.session, turn_id, position=row.position, until=until)


def next_turn(db: Database, user: str, session_id: str, after: str | None) -> Turn | None:
    """See `Store.next_turn`."""
    session = sql_sessions.find(db, user, session_id).key
    before = find(db, after) if after is not None else None
    if after is None or (before is not None and before.session == session):
        row = db.one(_AFTER, {"session": session, "after": before.key if before else 0})
    else:
        row = db.one(_MADE_AFTER, {"session": session, "turn_id": after})
    return TurnRow(*row).turn() if row else None


def last_turn(db: Database, user: str, session_id: str) -> Turn | None:
    """See `Store.last_turn`."""
    row = db.one(_LAST, {"session": sql_sessions.find(db, user, session_id).key})
    return TurnRow(*row).turn() if row else None


def request_cancel(db: Database, turn_id: str) -> None:
    """See `Store.request_cancel`."""
    for session_and_holder in db.all(_SQL["request_cancel"], {"turn_id": turn_id}):
        db.changed.update(session_and_holder)


def cancel_requests(db: Database, holder: str) -> Sequence[str]:
    """See `Store.cancel_requests`."""
    return [turn_id for (turn_id,) in db.all(_SQL["cancel_requests"], {"holder": holder})]


def sweep(db: Database, limit: int) -> int:
    """See `Store.sweep`."""
    db.lock("task", task="sweep")
    now = db.now()
    rows = db.all(_SQL["expired_logs"], {"now": now, "limit": limit})
    for turn, session, owner, session_id, listed in rows:
        if not listed and not db.value(_SQL["needed_turns"], {"session": session, "now": now}):
            sql_erasure.delete(db, owner, session_id)
            continue
        db.run(_SQL["erase_events"], {"turn": turn})
        db.run(_SQL["mark_erased"], {"turn": turn})
    db.erased |= bool(rows)
    return len(rows) + sql_requests.sweep(db, limit)
