"""A person's word on a tool call, as the cell that asks for it hears of it."""

import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from hector_nb.approvals import Approval, Decision
from hector_nb.events import ApprovalAsked, ApprovalDecided
from hector_nb.frontends.cell_approvals import CellApprovals
from hector_nb.wire.codec import encode_time
from tests.stores.making import make_approval


class Turn:
    """One that hears of a word before whoever gave it goes on."""

    def __init__(self) -> None:
        self._decided = threading.Event()
        self._word: ApprovalDecided | None = None

    def decided(self, call_id: str) -> threading.Event:
        return self._decided

    def approval(self, call_id: str) -> tuple[Approval, str] | None:
        return make_approval(call_id), "writer"

    def word(self, call_id: str) -> ApprovalDecided | None:
        return self._word

    def decide(self, call_id: str, decision: Decision, edited: Mapping[str, Any] | None) -> None:
        self._word = ApprovalDecided(call_id=call_id, decision=decision, edited=edited)
        self._decided.set()
        for thread in threading.enumerate():
            if thread.name == "hector_nb question":
                thread.join(30)


@pytest.mark.parametrize(("typed", "outcome"), [("n", "Denied"), ("y", "Approved")])
def test_an_own_word_is_not_taken_for_somebody_elses(typed: str, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: typed)
    shown: list[str] = []
    kernel = SimpleNamespace(_allow_stdin=True)
    asking = CellApprovals(
        allowed=set(), publish=lambda bundle, *_: shown.append(str(bundle["text/plain"])), kernel=kernel
    )
    approval = make_approval()
    asking.ask(
        ApprovalAsked(
            call_id="call", name=approval.name, arguments=approval.arguments, deadline=encode_time(approval.deadline)
        ),
        Turn(),
    )
    assert [text.partition("\n")[0] for text in shown] == ["Write this file?", outcome]
