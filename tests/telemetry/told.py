"""Writes down, in a test, what the engine tells of itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from hector_nb.telemetry.base import Telemetry, Transport, TurnFacts, TurnTelemetry


class Told(TurnTelemetry):
    def __init__(self, facts: TurnFacts) -> None:
        self.facts = facts
        self.words: list[str] = []

    def asked(self, number):
        self.words.append(f"asked {number}")

    def heard(self):
        self.words.append("heard")

    def answered(self, usage, finish_reason):
        self.words.append(f"answered {finish_reason}")

    def unanswered(self, reason):
        self.words.append(f"unanswered {reason}")

    def called(self, call_id, name):
        self.words.append(f"called {name}")

    def returned(self, call_id, *, is_error):
        self.words.append("failed" if is_error else "returned")

    def ended(self, outcome, *, code, finish_reason, usage):
        self.words.append(f"ended {outcome} {code or finish_reason}")


class Notes(Telemetry):
    """What was told, turn by turn; `stored_parts` is how often something was made durable."""

    def __init__(self) -> None:
        self.turns: list[Told] = []
        self.stored_parts = 0
        self.reads: list[str] = []

    def turn(self, facts: TurnFacts) -> TurnTelemetry:
        self.turns.append(Told(facts))
        return self.turns[-1]

    def stored(self, seconds: float) -> None:
        assert seconds >= 0
        self.stored_parts += 1

    @contextmanager
    def reading(self, transport: Transport) -> Iterator[None]:
        self.reads.append(transport)
        yield
