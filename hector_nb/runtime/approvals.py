"""Waiting for a person's word on tool calls, whichever process it is given to."""

import logging
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from hector_nb.approvals import Approval
from hector_nb.errors import StoreError
from hector_nb.events import ApprovalAsked, ApprovalDecided
from hector_nb.runtime.intervals import LOOK_EVERY
from hector_nb.stores.base import Store
from hector_nb.stores.base_turns import Watch
from hector_nb.tools.toolbox import CheckedCall

_log = logging.getLogger("hector_nb.runtime")

_MARGIN = timedelta(seconds=0.1)
"""A word given just before the deadline is in the store a little later."""


def new_approval(checked: CheckedCall, *, session_id: str, turn_id: str) -> Approval:
    """The question whether a call may be made."""
    now = datetime.now(UTC)
    return Approval(
        call_id=checked.call.call_id,
        turn_id=turn_id,
        session_id=session_id,
        name=checked.call.name,
        arguments=checked.call.arguments,
        created_at=now,
        deadline=now + timedelta(seconds=checked.tool.approval_timeout),
    )


def asked(approval: Approval) -> ApprovalAsked:
    """The event that asks it."""
    deadline = approval.deadline.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return ApprovalAsked(call_id=approval.call_id, name=approval.name, arguments=approval.arguments, deadline=deadline)


async def words(
    store: Store, user: str, session_id: str, approvals: Iterable[Approval]
) -> AsyncGenerator[ApprovalDecided]:
    """The word on each of these, as it comes; where none comes in time, that is a no."""
    waiting = {approval.call_id: approval for approval in approvals}
    async with store.watch(session_id) as watch:
        while waiting:
            for word in await _look(store, user, session_id, waiting.values()):
                del waiting[word.call_id]
                yield word
            if waiting:
                await _pause(watch, waiting)


async def _look(store: Store, user: str, session_id: str, waiting: Collection[Approval]) -> list[ApprovalDecided]:
    """The words that are there by now, and the noes of those whose time has passed."""
    late = datetime.now(UTC) - _MARGIN
    try:
        found = {approval.call_id: approval for approval in await store.approvals(user, session_id)}
    except StoreError as error:
        _log.warning("Approvals of %s cannot be read yet: %s", session_id, error.message)
        return []
    given = [_word(found.get(approval.call_id, approval), late) for approval in waiting]
    return [word for word in given if word is not None]


def _word(approval: Approval, late: datetime) -> ApprovalDecided | None:
    if approval.decision is not None:
        return ApprovalDecided(call_id=approval.call_id, decision=approval.decision, edited=approval.edited)
    if approval.deadline <= late:
        return ApprovalDecided(call_id=approval.call_id, decision="deny", expired=True)
    return None


async def _pause(watch: Watch, waiting: Mapping[str, Approval]) -> None:
    """Wait for a change, or until the next deadline has passed."""
    deadline = min(approval.deadline for approval in waiting.values())
    left = (deadline + _MARGIN - datetime.now(UTC)).total_seconds()
    await watch.wait(min(LOOK_EVERY, max(left, 0.0) + 0.001))
