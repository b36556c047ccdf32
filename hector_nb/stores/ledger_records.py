"""How ledgers become stored text and come back, alike in every adapter: a JSON array, without the texts that many of them share."""

import json
from dataclasses import astuple, replace
from typing import Any

from hector_nb.stores.base_memories import LedgerRecord, ShownMemory
from hector_nb.stores.codec import to_json

_SCORE_DIGITS = 4


def encode(record: LedgerRecord) -> str:
    """All but the texts `system` and `tools`."""
    head = [
        record.model,
        record.strategy,
        record.budget,
        record.budget_note,
        int(record.estimated),
        record.system_tokens,
        record.tools_tokens,
        record.summary_position,
        record.first_position,
        record.last_position,
        record.requests,
    ]
    return to_json([*head, *(_encode_memory(memory) for memory in record.memories)])


def _encode_memory(memory: ShownMemory) -> list[Any]:
    return [round(value, _SCORE_DIGITS) if isinstance(value, float) else value for value in astuple(memory)]


def decode(encoded: str, *, system: str, tools: str) -> LedgerRecord:
    """The record of which the two texts were kept elsewhere."""
    (
        model,
        strategy,
        budget,
        budget_note,
        estimated,
        system_tokens,
        tools_tokens,
        summary_position,
        first_position,
        last_position,
        requests,
        *memories,
    ) = json.loads(encoded)
    return LedgerRecord(
        model=model,
        strategy=strategy,
        budget=budget,
        budget_note=budget_note,
        estimated=bool(estimated),
        system=system,
        system_tokens=system_tokens,
        tools=tools,
        tools_tokens=tools_tokens,
        summary_position=summary_position,
        first_position=first_position,
        last_position=last_position,
        memories=tuple(_decode_memory(*memory) for memory in memories),
        requests=requests,
    )


def _decode_memory(
    memory_id: str, version: int, tokens: int, score: float, keyword: float | None, vector: float | None
) -> ShownMemory:
    return ShownMemory(memory_id=memory_id, version=version, tokens=tokens, score=score, keyword=keyword, vector=vector)


def stored(record: LedgerRecord) -> LedgerRecord:
    """The record as it comes back from a store."""
    texts = json.loads(to_json({"system": record.system, "tools": record.tools}))
    return decode(encode(replace(record, system="", tools="")), **texts)
