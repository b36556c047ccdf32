"""Downloads that no terminal shows can be looked at."""

import io
import sys

import pytest

from hector_nb.frontends.connect import fetching
from hector_nb.models.progress import downloads, terminal_progress


def test_a_download_without_a_terminal_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert fetching() is None
    with terminal_progress("Fetching a model, once") as report:
        assert fetching() == "Fetching a model, once …"
        report(34_000_000, 93_000_000)
        assert fetching() == "Fetching a model, once: 34 of 93 MB"
    assert downloads() == []
