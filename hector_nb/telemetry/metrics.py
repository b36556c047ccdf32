"""Prometheus metrics, in the registry that Jupyter's own are in: `/metrics` there and `/hector/metrics` show the same.

Labels are names from the configuration (agents, models, tools) and words from short lists; never ids, users or texts.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

from hector_nb.messages import Usage
from hector_nb.sessions import SessionStatus
from hector_nb.telemetry.base import Outcome, Telemetry, Transport, TurnFacts, TurnTelemetry

__all__ = ["CONTENT_TYPE", "Metrics", "exposition"]

_OURS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds that this program takes, or should."""
_WAITS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds that models and queues take."""

TURNS = Counter("hector_turns", "Turns that ended, by outcome.", ["agent", "outcome"])
RUNNING = Gauge("hector_turns_running", "Turns that have their session and are not over.")
DURATION = Histogram("hector_turn_seconds", "From getting the session to the end of a turn.", ["agent"], buckets=_WAITS)
QUEUE_WAIT = Histogram(
    "hector_queue_wait_seconds", "From asking for a turn to its getting the session.", buckets=_WAITS
)
TO_MODEL = Histogram(
    "hector_request_to_model_seconds",
    "First-token overhead, first half: from a request's arrival to the model's being asked, waiting in the queue left out.",
    ["transport"],
    buckets=_OURS,
)
TO_READER = Histogram(
    "hector_token_to_reader_seconds",
    "First-token overhead, second half: from the model's first token to its first piece's being written to a reader.",
    ["transport"],
    buckets=_OURS,
)
MODEL_WAIT = Histogram(
    "hector_model_first_token_seconds", "From asking the model to its first token.", ["model"], buckets=_WAITS
)
REQUESTS = Counter("hector_model_requests", "Requests to models, by what came of them.", ["model", "outcome"])
TOKENS = Counter("hector_model_tokens", "Tokens that models read and wrote.", ["model", "direction"])
TOOL_CALLS = Counter("hector_tool_calls", "Tool calls that were made.", ["tool", "outcome"])
COMMIT = Histogram("hector_store_write_seconds", "Making a part of a turn durable.", buckets=_OURS)
STREAMS = Gauge("hector_streams", "Open streams.", ["transport"])
RESUMES = Counter("hector_resumes", "Streams that went on where they had been cut.", ["transport"])
JOINED = Counter("hector_joined_chunks", "Chunks joined with others because their reader was slow.", ["transport"])
SESSIONS = Gauge("hector_sessions", "Sessions in the store, counted at most every few seconds.", ["state"])


def exposition() -> bytes:
    """All metrics of this process, in Prometheus's text format."""
    return generate_latest(REGISTRY)


class Metrics(Telemetry):
    """Counts."""

    def __init__(self) -> None:
        self._heard_at: dict[str, float] = {}

    def turn(self, facts: TurnFacts) -> TurnTelemetry:
        """See `Telemetry`."""
        return _TurnMetrics(facts, self._heard_at)

    def stored(self, seconds: float) -> None:
        """See `Telemetry`."""
        COMMIT.observe(seconds)

    @contextmanager
    def reading(self, transport: Transport) -> Iterator[None]:
        """See `Telemetry`."""
        streams = STREAMS.labels(transport)
        streams.inc()
        try:
            yield
        finally:
            streams.dec()

    def delivered(self, turn_id: str, transport: Transport) -> None:
        """See `Telemetry`."""
        if (heard_at := self._heard_at.pop(turn_id, None)) is not None:
            TO_READER.labels(transport).observe(time.perf_counter() - heard_at)

    def resumed(self, transport: Transport) -> None:
        """See `Telemetry`."""
        RESUMES.labels(transport).inc()

    def joined(self, chunks: int, transport: Transport) -> None:
        """See `Telemetry`."""
        JOINED.labels(transport).inc(chunks)

    def counted(self, sessions: Mapping[SessionStatus, int]) -> None:
        """See `Telemetry`."""
        for state, count in sessions.items():
            SESSIONS.labels(state).set(count)


class _TurnMetrics(TurnTelemetry):
    """`heard_at` tells, of each turn whose first token no reader has yet, when that came."""

    def __init__(self, facts: TurnFacts, heard_at: dict[str, float]) -> None:
        self._facts = facts
        self._heard_at = heard_at
        self._asked_at = 0.0
        self._is_first = True
        self._tools: dict[str, str] = {}
        RUNNING.inc()
        QUEUE_WAIT.observe(facts.began_at - facts.queued_at)

    def asked(self, number: int) -> None:
        """See `TurnTelemetry`."""
        self._asked_at = time.perf_counter()
        facts = self._facts
        self._is_first = number == 1
        if self._is_first and facts.arrival and not facts.above:
            before = facts.queued_at - facts.arrival.at
            TO_MODEL.labels(facts.arrival.transport).observe(before + self._asked_at - facts.began_at)

    def heard(self) -> None:
        """See `TurnTelemetry`."""
        now = time.perf_counter()
        MODEL_WAIT.labels(self._facts.model).observe(now - self._asked_at)
        if self._is_first:
            self._heard_at[self._facts.turn_id] = now

    def answered(self, usage: Usage, finish_reason: str) -> None:
        """See `TurnTelemetry`."""
        REQUESTS.labels(self._facts.model, "ok").inc()
        TOKENS.labels(self._facts.model, "input").inc(usage.prompt_tokens)
        TOKENS.labels(self._facts.model, "output").inc(usage.completion_tokens)

    def unanswered(self, reason: str) -> None:
        """See `TurnTelemetry`."""
        REQUESTS.labels(self._facts.model, reason).inc()

    def called(self, call_id: str, name: str) -> None:
        """See `TurnTelemetry`."""
        self._tools[call_id] = name

    def returned(self, call_id: str, *, is_error: bool) -> None:
        """See `TurnTelemetry`."""
        TOOL_CALLS.labels(self._tools.pop(call_id), "error" if is_error else "ok").inc()

    def ended(self, outcome: Outcome, *, code: str | None, finish_reason: str | None, usage: Usage | None) -> None:
        """See `TurnTelemetry`."""
        self._heard_at.pop(self._facts.turn_id, None)
        RUNNING.dec()
        TURNS.labels(self._facts.agent, outcome).inc()
        DURATION.labels(self._facts.agent).observe(time.perf_counter() - self._facts.began_at)
