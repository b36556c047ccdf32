"""What is remembered, as values: summaries, long-term memories, and the ledger of what a model saw.

A *summary* stands for the beginning of one session's transcript. A *memory* outlives the window, and with a wide enough scope the
session. A *ledger* lists, part by part, what one turn's model was shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hector_nb.messages import Role

StorageScope = Literal["session", "conversational", "all", "summaries_only"]
MemoryKind = Literal["exchange", "summary"]
PartKind = Literal["system", "tools", "summary", "message", "memory"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The summary of a session's transcript up to and with the message `message_id` at `position` (from 1)."""

    text: str
    tokens: int
    message_id: str
    position: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """One thing remembered. `user` gave it; `message_ids` are what it was made of; `corrected_at` is None until somebody corrects it.

    `version` counts from 1 and grows with each correction, so that a ledger can name the text that a model saw.
    """

    memory_id: str
    agent: str
    user: str
    session_id: str
    scope: StorageScope
    kind: MemoryKind
    text: str
    tokens: int
    message_ids: tuple[str, ...]
    created_at: datetime
    corrected_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class RecalledMemory:
    """A memory and how well it matches, from 0 to 1. `keyword` and `vector` are the two scores that `score` mixes; None: not found so."""

    memory: Memory
    score: float
    keyword: float | None = None
    vector: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerPart:
    """One part of what a model saw. `text` is None where it has been forgotten or erased since.

    `source` is the id of the message or memory. Only memories have scores, and a `session_id`: where they come from. `drops_next` marks
    what leaves the window first when the conversation goes on.
    """

    kind: PartKind
    tokens: int
    text: str | None
    role: Role | None = None
    source: str | None = None
    session_id: str | None = None
    created_at: datetime | None = None
    score: float | None = None
    keyword: float | None = None
    vector: float | None = None
    drops_next: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """All that a model saw in one turn, in its order; `turn_id` is None for what it would see now.

    `budget` is in tokens; `budget_note` says why it is not the configured one, where it is not. `left_out` counts the messages that the
    model did not see and no summary stands for. `requests` counts the turn's requests to the model; the parts are those of the last.
    """

    session_id: str
    turn_id: str | None
    agent: str
    model: str
    strategy: str
    budget: int
    budget_note: str | None
    estimated: bool
    parts: Sequence[LedgerPart]
    left_out: int = 0
    requests: int = 1

    @property
    def tokens(self) -> int:
        """What stands against the budget: all parts but the schemas of tools, for which the budget was cut where it had to be."""
        return sum(part.tokens for part in self.parts if part.kind != "tools")


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionMemory:
    """What a session remembers: what its model would see now, and a page of the long-term memories it may recall, newest first.

    `scope` is None where the agent has no long-term memory. `pending` counts messages that long-term memory has not taken in yet.
    """

    ledger: Ledger
    scope: StorageScope | None
    memories: Sequence[Memory] = ()
    next_cursor: str | None = None
    pending: int = 0
