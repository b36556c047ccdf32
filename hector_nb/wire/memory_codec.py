"""The one JSON form of what is remembered: memories, recalled ones, ledgers. What a part or memory does not have is left out."""

from typing import Any

from hector_nb.memories import Ledger, LedgerPart, Memory, RecalledMemory, SessionMemory
from hector_nb.wire.codec import encode_time


def encode_memory(memory: Memory) -> dict[str, Any]:
    """A memory."""
    return {
        "memory_id": memory.memory_id,
        "text": memory.text,
        "kind": memory.kind,
        "scope": memory.scope,
        "user": memory.user,
        "session_id": memory.session_id,
        "message_ids": list(memory.message_ids),
        "tokens": memory.tokens,
        "created_at": encode_time(memory.created_at),
        "corrected_at": encode_time(memory.corrected_at),
        "version": memory.version,
    }


def encode_recalled(recalled: RecalledMemory) -> dict[str, Any]:
    """A memory with its scores."""
    return {
        **encode_memory(recalled.memory),
        "score": _score(recalled.score),
        "keyword_score": _score(recalled.keyword),
        "vector_score": _score(recalled.vector),
    }


def encode_ledger(ledger: Ledger) -> dict[str, Any]:
    """A ledger, its parts in the order in which the model sees them."""
    return {
        "session_id": ledger.session_id,
        "turn_id": ledger.turn_id,
        "agent": ledger.agent,
        "model": ledger.model,
        "strategy": ledger.strategy,
        "budget": ledger.budget,
        "budget_note": ledger.budget_note,
        "tokens": ledger.tokens,
        "estimated": ledger.estimated,
        "left_out": ledger.left_out,
        "requests": ledger.requests,
        "parts": [_part(part) for part in ledger.parts],
    }


def encode_session_memory(memory: SessionMemory) -> dict[str, Any]:
    """What a session remembers."""
    longterm = None
    if memory.scope is not None:
        longterm = {
            "scope": memory.scope,
            "pending": memory.pending,
            "memories": [encode_memory(each) for each in memory.memories],
            "next_cursor": memory.next_cursor,
        }
    return {"working": encode_ledger(memory.ledger), "longterm": longterm}


def _part(part: LedgerPart) -> dict[str, Any]:
    encoded: dict[str, Any] = {"kind": part.kind, "tokens": part.tokens, "text": part.text}
    if part.role is not None:
        encoded["role"] = part.role
    if part.source is not None:
        encoded["memory_id" if part.kind == "memory" else "message_id"] = part.source
    if part.kind == "memory":
        encoded["session_id"] = part.session_id
        encoded["score"] = _score(part.score)
        encoded["keyword_score"] = _score(part.keyword)
        encoded["vector_score"] = _score(part.vector)
    if part.created_at is not None:
        encoded["created_at"] = encode_time(part.created_at)
    if part.drops_next:
        encoded["drops_next"] = True
    return encoded


def _score(score: float | None) -> float | None:
    return None if score is None else round(score, 4)
