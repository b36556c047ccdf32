"""Tells everything to several who watch."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from hector_nb.messages import Usage
from hector_nb.sessions import SessionStatus
from hector_nb.telemetry.base import Outcome, Telemetry, Transport, TurnFacts, TurnTelemetry


class SeveralTurns(TurnTelemetry):
    """See `TurnTelemetry`."""

    def __init__(self, each: Sequence[TurnTelemetry]) -> None:
        self._each = each

    def asked(self, number: int) -> None:
        """See `TurnTelemetry`."""
        for one in self._each:
            one.asked(number)

    def heard(self) -> None:
        """See `TurnTelemetry`."""
        for one in self._each:
            one.heard()

    def answered(self, usage: Usage, finish_reason: str) -> None:
        """See `TurnTelemetry`."""
        for one in self._each:
            one.answered(usage, finish_reason)

    def unanswered(self, reason: str) -> None:
        """See `TurnTelemetry`."""
        for one in self._each:
            one.unanswered(reason)

    def called(self, call_id: str, name: str) -> None:
        """See `TurnTelemetry`."""
        for one in self._each:
            one.called(call_id, name)

    def returned(self, call_id: str, *, is_error: bool) -> None:
        """See `TurnTelemetry`."""
        for one in self._each:
            one.returned(call_id, is_error=is_error)

    def ended(self, outcome: Outcome, *, code: str | None, finish_reason: str | None, usage: Usage | None) -> None:
        """See `TurnTelemetry`."""
        for one in self._each:
            one.ended(outcome, code=code, finish_reason=finish_reason, usage=usage)


class Several(Telemetry):
    """See `Telemetry`."""

    def __init__(self, each: Sequence[Telemetry]) -> None:
        self._each = each

    def turn(self, facts: TurnFacts) -> TurnTelemetry:
        """See `Telemetry`."""
        return SeveralTurns([one.turn(facts) for one in self._each])

    def stored(self, seconds: float) -> None:
        """See `Telemetry`."""
        for one in self._each:
            one.stored(seconds)

    @contextmanager
    def reading(self, transport: Transport) -> Iterator[None]:
        """See `Telemetry`."""
        with ExitStack() as stack:
            for one in self._each:
                stack.enter_context(one.reading(transport))
            yield

    def delivered(self, turn_id: str, transport: Transport) -> None:
        """See `Telemetry`."""
        for one in self._each:
            one.delivered(turn_id, transport)

    def resumed(self, transport: Transport) -> None:
        """See `Telemetry`."""
        for one in self._each:
            one.resumed(transport)

    def joined(self, chunks: int, transport: Transport) -> None:
        """See `Telemetry`."""
        for one in self._each:
            one.joined(chunks, transport)

    def counted(self, sessions: Mapping[SessionStatus, int]) -> None:
        """See `Telemetry`."""
        for one in self._each:
            one.counted(sessions)
