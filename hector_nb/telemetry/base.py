"""The port to what watches the work: the engine and the transports tell, adapters count, trace or log it.

Every method does nothing here, and nothing may fail or wait in an adapter: this is called on the path of each answer. Neither prompts nor
answers, keys or tokens of callers are ever told.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from hector_nb.messages import Usage
from hector_nb.sessions import SessionStatus

Transport = Literal["rest", "sse", "websocket", "grpc"]
Outcome = Literal["complete", "cancelled", "failed", "interrupted", "waiting"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A request that came over a wire: when (`time.perf_counter`), and the trace headers (`traceparent`, `tracestate`) that it brought."""

    transport: Transport
    at: float = field(default_factory=time.perf_counter)
    trace: Mapping[str, str] = field(default_factory=dict)


ARRIVAL: ContextVar[Arrival | None] = ContextVar("hector_nb_arrival", default=None)
"""The request that is being answered, where one is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnFacts:
    """What is known of a turn when it begins. `queued_at` is when it was asked for, `began_at` when it got its session.

    Both are `time.perf_counter`; `started_at` is the former in nanoseconds since 1970. `above` are the agents whose calls led to it.
    """

    turn_id: str
    session_id: str
    agent: str
    provider: str
    model: str
    host: str | None
    queued_at: float
    began_at: float
    started_at: int
    arrival: Arrival | None = None
    above: Sequence[str] = ()


class TurnTelemetry:
    """Is told what happens in one turn, in its order; calls of tools may overlap."""

    def asked(self, number: int) -> None:
        """The model is asked, for the `number`-th time in this turn, counted from 1."""

    def heard(self) -> None:
        """The model has begun to answer."""

    def answered(self, usage: Usage, finish_reason: str) -> None:
        """The model has said everything."""

    def unanswered(self, reason: str) -> None:
        """The model failed, or was stopped: the error's code, or `cancelled`."""

    def called(self, call_id: str, name: str) -> None:
        """A tool is being called, in this task."""

    def returned(self, call_id: str, *, is_error: bool) -> None:
        """The tool is done, in the task that called it."""

    def ended(self, outcome: Outcome, *, code: str | None, finish_reason: str | None, usage: Usage | None) -> None:
        """The turn is over, or left waiting; `code` is that of the error that ended it."""


class Telemetry:
    """Is told what happens in one process."""

    def turn(self, facts: TurnFacts) -> TurnTelemetry:
        """A turn begins."""
        return TurnTelemetry()

    def stored(self, seconds: float) -> None:
        """A part of a turn was made durable, and that took so long."""

    def reading(self, transport: Transport) -> AbstractContextManager[None]:
        """Somebody reads turns over a wire, as long as this is entered."""
        return nullcontext()

    def delivered(self, turn_id: str, transport: Transport) -> None:
        """A reader was given the first piece of an answer."""

    def resumed(self, transport: Transport) -> None:
        """A reader goes on with a turn, or with a session, where it was cut."""

    def joined(self, chunks: int, transport: Transport) -> None:
        """A reader was so slow that so many chunks were joined with others."""

    def counted(self, sessions: Mapping[SessionStatus, int]) -> None:
        """So many sessions there are now in each state."""
