"""What tools leave behind: approvals and long outputs. Plain functions, each run inside one transaction.

An approval lives as long as its turn is unfinished; an output as long as the tool message that it belongs to.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import SessionNotFound
from hector_nb.stores import codec, sql
from hector_nb.stores.base_approvals import ToolOutput, decided
from hector_nb.stores.sql_database import Database, Values
from hector_nb.stores.sql_sessions import find

_SQL = sql.queries("approvals")


class ApprovalRow(NamedTuple):
    """A row of `approvals_of_session`."""

    key: int
    call_id: str
    turn_id: str
    name: str
    arguments: str
    created_at: int
    deadline: int
    decision: Decision | None
    edited: str | None

    def approval(self, session_id: str) -> Approval:
        """The approval."""
        return Approval(
            call_id=self.call_id,
            turn_id=self.turn_id,
            session_id=session_id,
            name=self.name,
            arguments=json.loads(self.arguments),
            created_at=codec.from_micros(self.created_at),
            deadline=codec.from_micros(self.deadline),
            decision=self.decision,
            edited=None if self.edited is None else json.loads(self.edited),
        )


def ask(db: Database, turn: int, approvals: Sequence[Approval]) -> None:
    """Keep what is asked for a turn; a call that was asked for before is asked for anew."""
    for approval in approvals:
        db.run(_SQL["forget_approval"], {"turn": turn, "call_id": approval.call_id})
        db.run(
            _SQL["insert_approval"],
            {
                "turn": turn,
                "call_id": approval.call_id,
                "name": approval.name,
                "arguments": codec.to_json(approval.arguments),
                "created_at": codec.to_micros(approval.created_at),
                "deadline": codec.to_micros(approval.deadline),
                "decision": approval.decision,
                "edited": None if approval.edited is None else codec.to_json(approval.edited),
            },
        )


def close(db: Database, turn: int) -> None:
    """The turn is over: nothing of it can be decided any more."""
    db.run(_SQL["erase_approvals"], {"turn": turn})


def listing(db: Database, user: str, session_id: str) -> Sequence[Approval]:
    """See `Store.approvals`."""
    return [row.approval(session_id) for row in _of(db, user, session_id)]


def decide(
    db: Database, user: str, session_id: str, call_id: str, decision: Decision, edited: Mapping[str, Any] | None
) -> Approval:
    """See `Store.decide`."""
    call_id, edited = codec.clean(call_id), codec.stored_json(edited)
    db.lock("session", owner=user, session_id=session_id)
    row = next((row for row in _of(db, user, session_id) if row.call_id == call_id), None)
    asked = row.approval(session_id) if row else None
    approval = decided(asked, call_id, decision, edited, now=codec.from_micros(db.now()))
    if row is not None and approval != asked:
        kept = None if edited is None else codec.to_json(edited)
        db.run(_SQL["decide"], {"key": row.key, "decision": decision, "edited": kept})
        db.changed.add(session_id)
    return approval


def keep_output(db: Database, session: int, output: ToolOutput, position: int | None) -> None:
    """Keep an output beside the tool message at a position; None: where the next message will be."""
    if position is None:
        position = db.value(_SQL["next_position"], {"session": session})
    values: Values = {"session": session, "position": position, "call_id": output.call_id, "content": output.text}
    db.run(_SQL["insert_output"], values)


def output(db: Database, user: str, session_id: str, call_id: str) -> str | None:
    """See `Store.get_output`."""
    try:
        session = find(db, user, session_id)
    except SessionNotFound:
        return None
    row = db.one(_SQL["output_of_call"], {"session": session.key, "call_id": call_id})
    return row[0] if row else None


def _of(db: Database, user: str, session_id: str) -> list[ApprovalRow]:
    try:
        session = find(db, user, session_id)
    except SessionNotFound:
        return []
    return [ApprovalRow(*row) for row in db.all(_SQL["approvals_of_session"], {"session": session.key})]
