"""What a notebook notes in the metadata of its sessions: under a key of ours, a note for each cell or place.

Whoever has a session may write anything into its metadata, under these keys too: what is no note is passed over.
"""

from collections.abc import Mapping
from typing import Any

from hector_nb.sessions import Session

NOTEBOOK = "notebook"
"""Which notebook the session belongs to."""
CHATS = "chats"
"""Which chats go on in it (`widget/belonging.py`)."""
CELLS = "cells"
"""Which turns each cell has had (`cell_turns.py`)."""
CODE = "code_cells"
"""Which code each cell has put into a new cell (`code_cells.py`)."""
KEPT = "kept"
"""Which forks the runs of each cell have left (`kept_forks.py`)."""


def read_texts(session: Session, key: str) -> dict[str, str]:
    """The notes under a key, each a text, the newest at the end."""
    return {str(place): str(note) for place, note in _found(session, key).items()}


def read_lists(session: Session, key: str) -> dict[str, list[str]]:
    """The notes under a key, each a list of texts, the newest at the end."""
    found = _found(session, key).items()
    return {str(place): [str(each) for each in note] for place, note in found if isinstance(note, list)}


def noted(metadata: Mapping[str, Any], key: str, notes: Mapping[str, object], *, most: int) -> dict[str, Any]:
    """The metadata with the newest of these notes, at most so many, in place of those that were there."""
    return {**metadata, key: dict(list(notes.items())[-most:])}


def _found(session: Session, key: str) -> Mapping[Any, Any]:
    found = session.metadata.get(key)
    return found if isinstance(found, Mapping) else {}
