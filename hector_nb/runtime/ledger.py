"""From what is stored of a context, or from a context itself, to the ledger that people read."""

from collections.abc import Iterator, Sequence
from typing import Any

from hector_nb.memories import Ledger, LedgerPart, Memory, Summary
from hector_nb.messages import Message
from hector_nb.runtime.context import Context
from hector_nb.stores.base_memories import LedgerRecord, ShownMemory, StoredLedger


def stored_ledger(stored: StoredLedger) -> Ledger:
    """What a turn's model saw, as far as the texts are still there."""
    record = stored.record
    return Ledger(
        session_id=stored.session.session_id,
        turn_id=stored.turn_id,
        agent=stored.session.agent,
        model=record.model,
        strategy=record.strategy,
        budget=record.budget,
        budget_note=record.budget_note,
        estimated=record.estimated,
        parts=tuple(_parts(record, stored.turn_id, stored.summary, stored.messages, stored.memories)),
        left_out=record.first_position - 1 - (record.summary_position or 0),
        requests=record.requests,
    )


def present_ledger(context: Context, session_id: str) -> Ledger:
    """What a model would see now, without a new message."""
    record = context.record
    positions = enumerate(context.history, record.first_position)
    return Ledger(
        session_id=session_id,
        turn_id=None,
        agent=context.agent.name,
        model=record.model,
        strategy=record.strategy,
        budget=record.budget,
        budget_note=record.budget_note,
        estimated=record.estimated,
        parts=tuple(_parts(record, None, context.summary, tuple(positions), ())),
        left_out=context.left_out,
        requests=0,
    )


def outline(context: Context) -> dict[str, Any]:
    """The ledger as an event carries it: tokens, ids and scores, no texts, and the same size however long the window."""
    shown = (*context.history, context.message, *context.so_far)
    return {
        "model": context.agent.model.name,
        "strategy": context.agent.memory.strategy,
        "budget": context.room.budget,
        "tokens": context.tokens,
        "estimated": not context.agent.counter.exact,
        "system_tokens": context.room.system_tokens,
        "tools_tokens": context.room.tools_tokens,
        "summary_tokens": context.summary.tokens if context.summary else 0,
        "messages": len(shown),
        "message_tokens": sum(each.tokens for each in shown),
        "left_out": context.left_out,
        "memories": [
            {"memory_id": each.memory_id, "tokens": each.tokens, "score": round(each.score, 4)}
            for each in context.memories
        ],
        "request": context.requests,
    }


def _parts(
    record: LedgerRecord,
    turn_id: str | None,
    summary: Summary | None,
    messages: Sequence[tuple[int, Message]],
    memories: Sequence[Memory],
) -> Iterator[LedgerPart]:
    """The parts in the order in which the model sees them: memories stand directly before the turn's own message."""
    yield LedgerPart(kind="system", tokens=record.system_tokens, text=record.system)
    if record.tools:
        yield LedgerPart(kind="tools", tokens=record.tools_tokens, text=record.tools)
    if record.summary_position is not None:
        yield LedgerPart(
            kind="summary",
            tokens=summary.tokens if summary else 0,
            text=summary.text if summary else None,
            created_at=summary.created_at if summary else None,
        )
    recalled = {each.memory_id: each for each in memories}
    waiting = list(record.memories)
    oldest = _oldest_turn(messages, turn_id)
    for position, message in messages:
        if message.turn_id == turn_id:
            yield from (_memory(each, recalled.get(each.memory_id)) for each in waiting)
            waiting.clear()
        yield LedgerPart(
            kind="message",
            tokens=message.tokens,
            text=message.content,
            role=message.role,
            source=message.message_id,
            created_at=message.created_at,
            drops_next=position in oldest,
        )


def _oldest_turn(messages: Sequence[tuple[int, Message]], turn_id: str | None) -> range:
    """The positions of what leaves the window first: the oldest turn in view, unless it is the one under way."""
    if not messages or messages[0][1].turn_id == turn_id:
        return range(0)
    first = messages[0][0]
    later = (position for position, each in messages[1:] if each.role == "user")
    return range(first, next(later, messages[-1][0] + 1))


def _memory(shown: ShownMemory, memory: Memory | None) -> LedgerPart:
    return LedgerPart(
        kind="memory",
        tokens=shown.tokens,
        text=memory.text if memory else None,
        source=shown.memory_id,
        session_id=memory.session_id if memory else None,
        created_at=memory.created_at if memory else None,
        score=shown.score,
        keyword=shown.keyword,
        vector=shown.vector,
    )
