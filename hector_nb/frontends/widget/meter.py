"""What stands against the budget, and where the model's view begins, as the chat's state has them."""

import json
from collections.abc import Mapping
from typing import Any

from hector_nb.memories import Ledger
from hector_nb.service import AgentInfo

ORDER = ("system", "summary", "memory", "message", "tools")


def threshold(info: AgentInfo) -> float | None:
    """Where old turns are folded, as a fraction of the budget; None where the strategy does not fold."""
    working = info.memory.get("working") or {}
    return working.get("threshold") if working.get("strategy") == "summary_buffer" else None


def target(info: AgentInfo) -> float | None:
    """Where folding ends."""
    working = info.memory.get("working") or {}
    return working.get("target") if working.get("strategy") == "summary_buffer" else None


def meter_of_context(context: Mapping[str, Any], info: AgentInfo, *, tools: int) -> dict[str, Any]:
    """From what a turn's event tells; `tools` is the number of tools that the model may call."""
    memories = context["memories"]
    counted = {
        "system": (context["system_tokens"], 1),
        "summary": (context["summary_tokens"], 1),
        "memory": (sum(each["tokens"] for each in memories), len(memories)),
        "message": (context["message_tokens"], context["messages"]),
        "tools": (context["tools_tokens"], max(tools, 1)),
    }
    return _meter(
        counted, tokens=context["tokens"], budget=context["budget"], estimated=context["estimated"], info=info
    )


def meter_of_ledger(ledger: Ledger, info: AgentInfo) -> dict[str, Any]:
    """From a ledger."""
    counted = {}
    for kind in ORDER:
        parts = [part for part in ledger.parts if part.kind == kind]
        items = _schemas(parts[0].text) if kind == "tools" and parts else len(parts)
        counted[kind] = sum(part.tokens for part in parts), items
    return _meter(counted, tokens=ledger.tokens, budget=ledger.budget, estimated=ledger.estimated, info=info)


def window_of_ledger(
    ledger: Ledger, turn_of: Mapping[str, str], *, token_count: int, folding: int | None = None
) -> dict[str, Any] | None:
    """Where the model's view begins; None while it sees all, or begins before the turns that are known.

    Args:
        ledger: What the model sees.
        turn_of: The turns of messages.
        token_count: The tokens of the whole transcript.
        folding: How many turns are being folded now.
    """
    shown = [part for part in ledger.parts if part.kind == "message"]
    summary = next((part for part in ledger.parts if part.kind == "summary"), None)
    if summary is None and not ledger.left_out and folding is None:
        return None
    turn_id = next((turn_of[part.source] for part in shown if part.source and part.source in turn_of), None)
    if turn_id is None:
        return None
    above = max(0, token_count - sum(part.tokens for part in shown))
    folded = {"from": above, "to": summary.tokens} if summary else None
    return {"turn_id": turn_id, "folded": folded, "folding": folding}


def turns_to_fold(ledger: Ledger, turn_of: Mapping[str, str], info: AgentInfo) -> int:
    """How many turns the next summary takes in; 0 where none is due."""
    at, until = threshold(info), target(info)
    if at is None or until is None or ledger.tokens < at * ledger.budget:
        return 0
    tokens = ledger.tokens
    folded: list[str] = []
    for part in ledger.parts:
        if part.kind != "message":
            continue
        turn_id = turn_of.get(part.source or "", "")
        if turn_id not in folded:
            if tokens <= until * ledger.budget:
                break
            folded.append(turn_id)
        tokens -= part.tokens
    return len(folded)


def _meter(
    counted: Mapping[str, tuple[int, int]], *, tokens: int, budget: int, estimated: bool, info: AgentInfo
) -> dict[str, Any]:
    at = threshold(info)
    return {
        "tokens": tokens,
        "budget": budget,
        "estimated": estimated,
        "parts": [
            {"part": kind, "tokens": counted[kind][0], "items": counted[kind][1]} for kind in ORDER if counted[kind][0]
        ],
        "folds_next": at is not None and tokens >= at * budget,
    }


def _schemas(text: str | None) -> int:
    try:
        return len(json.loads(text or "[]"))
    except ValueError:
        return 1
