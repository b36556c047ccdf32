"""Which session a chat goes on in when its cell runs again or the kernel was restarted: the one in which was spoken last.

A chat of `hector_nb.chat()` belongs to its cell. The session's metadata holds `chats`: for each such place the session's own id, so that
a fork, which has a copy of it, is not taken for the chat's session until something is said there. A chat of `%hector chat` is the
notebook's: what it is moved to becomes the session of the cells.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from hector_nb.errors import SessionNotFound
from hector_nb.frontends.cell_turns import CellRun, running_cell
from hector_nb.frontends.notebook_sessions import NotebookSessions, active_sessions
from hector_nb.frontends.session_notes import CHATS, noted, read_texts
from hector_nb.frontends.widget.kernel import shell
from hector_nb.service import SessionService
from hector_nb.sessions import Session

_MOST = 50
"""Places that one session may belong to."""


class Belonging(Protocol):
    """What knows where a chat was."""

    async def last(self, service: SessionService, agent: str | None) -> Session | None:
        """The session to go on in with this agent (None: with any); None: there is none, or it is over."""
        ...

    async def claim(self, service: SessionService, session: Session) -> None:
        """Something is about to be said in this session."""
        ...


class CellChat:
    """A chat that belongs to a cell; `place` names notebook and cell."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._claimed: Session | None = None

    async def last(self, service: SessionService, agent: str | None) -> Session | None:
        """See `Belonging`."""
        known = {each.name for each in await service.list_agents()}
        async for session in active_sessions(service, agent):
            if session.agent in known and read_texts(session, CHATS).get(self._place) == session.session_id:
                self._claimed = session
                return session
        return None

    async def claim(self, service: SessionService, session: Session) -> None:
        """See `Belonging`."""
        before, self._claimed = self._claimed, session
        if before is not None and before.session_id == session.session_id:
            return
        if before is not None:
            with suppress(SessionNotFound):
                await self._write(service, before, None)
        await self._write(service, session, session.session_id)

    async def _write(self, service: SessionService, session: Session, session_id: str | None) -> None:
        session = await service.get_session(session.agent, session.session_id)
        places = read_texts(session, CHATS)
        places.pop(self._place, None)
        if session_id is not None:
            places[self._place] = session_id
        metadata = noted(session.metadata, CHATS, places, most=_MOST)
        await service.update_session(session.agent, session.session_id, metadata=metadata)


class NotebookChat:
    """A chat that is the notebook's, and begins in its session."""

    def __init__(self, sessions: NotebookSessions, session_id: str) -> None:
        self._sessions = sessions
        self._server = sessions.server
        self._claimed = session_id

    async def last(self, service: SessionService, agent: str | None) -> Session | None:
        """See `Belonging`."""
        return None

    async def claim(self, service: SessionService, session: Session) -> None:
        """See `Belonging`."""
        before, self._claimed = self._claimed, session.session_id
        if before != session.session_id and self._sessions.server == self._server:
            await self._sessions.adopt(service, session)


_latest: tuple[CellRun, int] | None = None


def cell_chat() -> CellChat | None:
    """The chat of the running cell, or the next one if it has several; None where notebook or cell have no name."""
    global _latest
    notebook, run = os.environ.get("JPY_SESSION_NAME"), running_cell(shell())
    if not notebook or run is None:
        return None
    number = _latest[1] + 1 if _latest is not None and _latest[0] == run else 1
    _latest = run, number
    return CellChat(f"{Path.cwd() / notebook}#{run.cell_id}{f'#{number}' if number > 1 else ''}")
