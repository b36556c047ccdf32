"""What stands in a session's metadata under our keys, whoever wrote it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hector_nb.frontends.session_notes import noted, read_lists, read_texts
from hector_nb.sessions import Session


def session(**metadata: Any) -> Session:
    now = datetime.now(UTC)
    return Session(session_id="s", agent="a", user="ada", metadata=metadata, created_at=now, last_active_at=now)


@pytest.mark.parametrize("metadata", [{}, *({"ours": other} for other in (None, "cells", 7, True, [["one", "two"]]))])
def test_what_is_no_notes_is_read_as_none(metadata: dict[str, Any]) -> None:
    assert read_texts(session(**metadata), "ours") == {}
    assert read_lists(session(**metadata), "ours") == {}


def test_notes_are_texts_whatever_was_written() -> None:
    found = session(
        ours={"one": "two", "null": None, "list": [1], "empty": [], "mixed": ["a", 2, None]}, theirs={"x": 1}
    )
    assert read_texts(found, "ours")["one"] == "two"
    assert {type(note) for note in read_texts(found, "ours").values()} == {str}
    assert read_lists(found, "ours") == {"list": ["1"], "empty": [], "mixed": ["a", "2", "None"]}


def test_the_newest_notes_stay_and_so_does_what_others_wrote() -> None:
    metadata = {"ours": {"old": "1"}, "theirs": [1]}
    assert noted(metadata, "ours", {"a": "1", "b": "2", "c": "3"}, most=2) == {
        "ours": {"b": "2", "c": "3"},
        "theirs": [1],
    }
    assert metadata["ours"] == {"old": "1"}
