"""Values that the tests of several rooms need."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hector_nb.memories import Memory

_BEES = Memory(
    memory_id="mem_1",
    agent="assistant",
    user="ada",
    session_id="sess_1",
    scope="conversational",
    kind="exchange",
    text="Clara keeps bees.",
    tokens=5,
    message_ids=(),
    created_at=datetime(2024, 11, 12, 12, tzinfo=UTC),
)


def make_memory(text: str = _BEES.text, **changes: Any) -> Memory:
    return replace(_BEES, text=text, **changes)
