"""Which turn each cell of a notebook has had, kept with the session; a cell that runs again takes its old turn back.

The session's metadata holds `cells`: for each cell's id the first and the last turn of its latest run. When the cell runs again, the
session is rewound to before that first turn. Where other turns followed, the session as it was is kept as a fork (`kept_forks.py`).

Where cells were moved, the old turn of a cell may stand before what cells above it have said in the same Run All. That is taken back
with it, and `cells` keeps in mind that those cells stand before this one: the turn that it has next, and an empty text. Run All once
more, and they take back all from there on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hector_nb.errors import HectorError
from hector_nb.frontends.kept_forks import KeptForks
from hector_nb.frontends.session_notes import CELLS, noted, read_lists
from hector_nb.messages import Message
from hector_nb.service import SessionService, all_messages
from hector_nb.sessions import Session

_MOST = 400
"""Cells that are remembered in one session; their ids have to fit into its metadata."""
_LONGEST_ID = 100
_ABOVE = ""
"""Stands for the last turn of a cell that has none: its place is before the first."""


@dataclass(frozen=True, slots=True)
class CellRun:
    """One execution of one cell; `number` is the kernel's execution count, `since` that of the first cell of this Run All."""

    cell_id: str
    number: int
    since: int


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What became of the session: the fork that keeps what followed, and the numbers of cells whose place has turned out to be further above."""

    kept: Session | None = None
    above: Sequence[int] = ()


def running_cell(shell: Any, since: int | None = None) -> CellRun | None:
    """The cell that runs now; None where the front end names none, as in a terminal."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell_id = (parent.get("metadata") or {}).get("cellId")
    if not isinstance(cell_id, str) or not cell_id:
        return None
    number = shell.execution_count
    return CellRun(cell_id[-_LONGEST_ID:], number, number if since is None else since)


class CellTurns:
    """The turns of the cells of one notebook."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], int] = {}
        self._forks = KeptForks()
        self._since = 0
        self._above: list[str] = []

    async def take_back(self, service: SessionService, agent: str, session_id: str, run: CellRun) -> TakenBack:
        """Rewind a session to before the turns that this cell has had when it ran before.

        Raises:
            HectorError: it cannot be rewound now, for instance because a turn is running.
        """
        self._above = []
        before = self._latest.get((session_id, run.cell_id), -1)
        if before == run.number:
            return TakenBack()
        since = max(self._since, run.since)
        since = self._since = run.number if before >= since else since  # one that runs twice begins another Run All
        session = await service.get_session(agent, session_id)
        cells = _cells(session)
        turns = cells.get(run.cell_id)
        if turns is None or self._is_below(session, run.cell_id, since):
            return TakenBack()
        messages = await all_messages(service, agent, session_id)
        spot = next((at for at, message in enumerate(messages) if message.turn_id == turns[0]), None)
        if spot is None:
            return TakenBack()
        gone = {message.turn_id for message in messages[spot:]}
        moved = {
            cell: self._latest[session_id, cell]
            for cell, (first, last) in cells.items()
            if cell != run.cell_id and last and first in gone and self._latest.get((session_id, cell), -1) >= since
        }
        fork = None
        if _follows(messages, spot, turns):
            fork = await self._forks.keep(service, session, messages, spot=spot, since=since)
        try:
            await service.rewind_session(agent, session_id, after=messages[spot - 1].message_id if spot else None)
        except HectorError:
            await self._forks.undo(service)
            raise
        left = {message.turn_id for message in messages[:spot]}
        metadata = await self._forks.settle(service, session, cell=run.cell_id)
        await _write(service, session, {cell: turns for cell, turns in cells.items() if turns[0] in left}, metadata)
        known = {turns[0], *(cells[cell][0] for cell in moved)}
        above = [cell for cell, (first, last) in cells.items() if last == _ABOVE and first in known]
        self._above = [] if turns[1] == _ABOVE else [*moved, *above]
        return TakenBack(fork, sorted(moved.values()))

    def _is_below(self, session: Session, cell_id: str, since: int) -> bool:
        """Whether a cell that was thought to stand above another comes after it in this Run All."""
        cells = _cells(session)
        first, last = cells[cell_id]
        return last == _ABOVE and any(
            turns[0] == first and turns[1] and self._latest.get((session.session_id, cell), -1) >= since
            for cell, turns in cells.items()
        )

    async def note(self, service: SessionService, agent: str, session_id: str, run: CellRun, turn_id: str) -> None:
        """Remember a turn as this cell's."""
        session = await service.get_session(agent, session_id)
        cells = _cells(session)
        old = cells.pop(run.cell_id, None)
        again = old is not None and self._latest.get((session_id, run.cell_id)) == run.number
        cells.update((cell, (turn_id, _ABOVE)) for cell in self._above)
        cells[run.cell_id] = (old[0], turn_id) if old and again else (turn_id, turn_id)
        self._above = []
        self._latest[session_id, run.cell_id] = run.number
        await _write(service, session, cells, session.metadata)


def _cells(session: Session) -> dict[str, tuple[str, str]]:
    """The cells of a session, those that ran last at the end."""
    return {cell: (turns[0], turns[-1]) for cell, turns in read_lists(session, CELLS).items() if turns}


def _follows(messages: Sequence[Message], spot: int, turns: tuple[str, str]) -> bool:
    """Whether anything stands behind a cell's turns, the first of which is at `spot`."""
    own = [at for at, message in enumerate(messages) if message.turn_id in turns and turns[1] != _ABOVE]
    return max(own, default=spot - 1) + 1 < len(messages)


async def _write(
    service: SessionService, session: Session, cells: Mapping[str, Sequence[str]], metadata: Mapping[str, Any]
) -> None:
    written = {cell: list(dict.fromkeys(turns)) for cell, turns in cells.items()}
    metadata = noted(metadata, CELLS, written, most=_MOST)
    await service.update_session(session.agent, session.session_id, metadata=metadata)
