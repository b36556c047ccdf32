"""A turn as an adapter is told of it."""

from dataclasses import replace

from hector_nb.telemetry.base import TurnFacts

_FACTS = TurnFacts(
    turn_id="turn_1",
    session_id="sess_1",
    agent="assistant",
    provider="openai",
    model="m",
    host=None,
    queued_at=10.0,
    began_at=11.0,
    started_at=1_700_000_000_000_000_000,
)


def facts(**changes: object) -> TurnFacts:
    return replace(_FACTS, **changes)  # type: ignore[arg-type]
