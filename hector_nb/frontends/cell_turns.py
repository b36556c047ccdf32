"""Which turn each cell of a notebook has had, kept with the session; a cell that runs again takes its old turn back.

The session's metadata holds `cells`: for each cell's id the first and the last turn of its latest run. When the cell runs again, the
session is rewound to before that first turn. Where other turns followed, the session as it was is kept as a fork.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hector_nb.errors import HectorError
from hector_nb.frontends.transcript import all_messages
from hector_nb.service import SessionService
from hector_nb.sessions import Session

NOTEBOOK = "notebook"
"""The key of a session's metadata that says which notebook it belongs to."""
_KEY = "cells"
_MOST = 400
"""Cells that are remembered in one session; their ids have to fit into its metadata."""
_LONGEST_ID = 100
_LONGEST_TITLE = 400


@dataclass(frozen=True, slots=True)
class CellRun:
    """One execution of one cell; `number` is the kernel's execution count."""

    cell_id: str
    number: int


def running_cell(shell: Any) -> CellRun | None:
    """The cell that runs now; None where the front end names none, as in a terminal."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell_id = (parent.get("metadata") or {}).get("cellId")
    if not isinstance(cell_id, str) or not cell_id:
        return None
    return CellRun(cell_id[-_LONGEST_ID:], shell.execution_count)


class CellTurns:
    """The turns of the cells of one notebook."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], int] = {}

    async def take_back(self, service: SessionService, agent: str, session_id: str, run: CellRun) -> Session | None:
        """Rewind a session to before the turns that this cell has had when it ran before; the fork that keeps what followed them.

        Raises:
            HectorError: it cannot be rewound now, for instance because a turn is running.
        """
        session = await service.get_session(agent, session_id)
        turns = _cells(session).get(run.cell_id)
        if turns is None or self._latest.get((session_id, run.cell_id)) == run.number:
            return None
        messages = await all_messages(service, session)
        spot = next((at for at, message in enumerate(messages) if message.turn_id == turns[0]), None)
        if spot is None:
            return None
        end = max((at for at, message in enumerate(messages) if message.turn_id in turns), default=spot)
        fork = await _keep(service, session) if end + 1 < len(messages) else None
        try:
            await service.rewind_session(agent, session_id, after=messages[spot - 1].message_id if spot else None)
        except HectorError:
            if fork is not None:
                await service.delete_session(agent, fork.session_id)
            raise
        await _forget(service, session, {message.turn_id for message in messages[:spot]})
        return fork

    async def note(self, service: SessionService, agent: str, session_id: str, run: CellRun, turn_id: str) -> None:
        """Remember a turn as this cell's."""
        session = await service.get_session(agent, session_id)
        cells = _cells(session)
        old = cells.pop(run.cell_id, None)
        again = old is not None and self._latest.get((session_id, run.cell_id)) == run.number
        cells[run.cell_id] = (old[0], turn_id) if old and again else (turn_id, turn_id)
        self._latest[session_id, run.cell_id] = run.number
        await _write(service, session, dict(list(cells.items())[-_MOST:]))


def _cells(session: Session) -> dict[str, tuple[str, str]]:
    """The cells of a session, those that ran last at the end. Anybody may have written there."""
    found = session.metadata.get(_KEY)
    if not isinstance(found, Mapping):
        return {}
    return {
        str(cell): (str(turns[0]), str(turns[-1])) for cell, turns in found.items() if isinstance(turns, list) and turns
    }


async def _write(service: SessionService, session: Session, cells: Mapping[str, Sequence[str]]) -> None:
    written = {cell: list(dict.fromkeys(turns)) for cell, turns in cells.items()}
    await service.update_session(session.agent, session.session_id, metadata={**session.metadata, _KEY: written})


async def _forget(service: SessionService, session: Session, left: set[str]) -> None:
    """Forget the cells whose turns are no longer there."""
    await _write(service, session, {cell: turns for cell, turns in _cells(session).items() if turns[0] in left})


async def _keep(service: SessionService, session: Session) -> Session:
    """A fork of the session as it is, which is no longer the notebook's."""
    fork = await service.fork_session(session.agent, session.session_id)
    title = f"{session.title[:_LONGEST_TITLE]} (kept {datetime.now().astimezone():%Y-%m-%d %H:%M})".strip()
    metadata = {key: value for key, value in fork.metadata.items() if key != _KEY}
    if (notebook := metadata.pop(NOTEBOOK, None)) is not None:
        metadata["kept_from"] = notebook
    return await service.update_session(session.agent, fork.session_id, title=title, metadata=metadata)
