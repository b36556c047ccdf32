"""One line in the log for each turn that ends, with ids, times and counts: the logger `hector_nb.turns`, level INFO."""

import logging
import time

from hector_nb.messages import Usage
from hector_nb.telemetry.base import Outcome, Telemetry, TurnFacts, TurnTelemetry

_log = logging.getLogger("hector_nb.turns")


class TurnLog(Telemetry):
    """Logs."""

    def turn(self, facts: TurnFacts) -> TurnTelemetry:
        """See `Telemetry`."""
        return _Line(facts) if _log.isEnabledFor(logging.INFO) else TurnTelemetry()


class _Line(TurnTelemetry):
    def __init__(self, facts: TurnFacts) -> None:
        self._facts = facts
        self._asked_at: float | None = None
        self._heard_at: float | None = None
        self._requests = 0
        self._calls = 0

    def asked(self, number: int) -> None:
        """See `TurnTelemetry`."""
        self._requests = number
        if number == 1:
            self._asked_at = time.perf_counter()

    def heard(self) -> None:
        """See `TurnTelemetry`."""
        self._heard_at = self._heard_at or time.perf_counter()

    def called(self, call_id: str, name: str) -> None:
        """See `TurnTelemetry`."""
        self._calls += 1

    def ended(self, outcome: Outcome, *, code: str | None, finish_reason: str | None, usage: Usage | None) -> None:
        """See `TurnTelemetry`."""
        facts, now = self._facts, time.perf_counter()
        fields = {
            "event": "turn",
            "session_id": facts.session_id,
            "turn_id": facts.turn_id,
            "agent": facts.agent,
            "model": facts.model,
            "outcome": outcome,
            "error": code,
            "finish_reason": finish_reason,
            "queue_seconds": _seconds(facts.queued_at, facts.began_at),
            "to_model_seconds": _seconds(facts.began_at, self._asked_at),
            "first_token_seconds": _seconds(self._asked_at, self._heard_at),
            "seconds": _seconds(facts.began_at, now),
            "prompt_tokens": usage.prompt_tokens if usage else None,
            "completion_tokens": usage.completion_tokens if usage else None,
            "requests": self._requests,
            "tool_calls": self._calls,
            "transport": facts.arrival.transport if facts.arrival else None,
        }
        _log.info("Turn %s: %s", facts.turn_id, outcome, extra={"hector": fields})


def _seconds(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(end - start, 6)
