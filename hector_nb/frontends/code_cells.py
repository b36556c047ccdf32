"""Which code a cell has put into a new cell below it when it ran last, so that the same code is not put there again.

A kernel can add a cell below the running one, and it can replace the running one; it can neither see nor replace any other. So a
cell that was added stays, and another one is added where the code is another. What was added is kept with the session, too, for a
kernel that is restarted.
"""

from hashlib import sha256

from hector_nb.frontends.session_notes import CODE, noted, read_texts
from hector_nb.service import SessionService

_MOST = 100


class CodeCells:
    """The code that the cells of one notebook have added."""

    def __init__(self) -> None:
        self._added: dict[str, str] = {}

    async def is_new(self, service: SessionService, agent: str, session_id: str, *, cell: str, code: str) -> bool:
        """Whether a cell has to be added for this code, which is then taken for added."""
        mark = sha256(code.encode("utf-8", "replace")).hexdigest()[:16]
        session = await service.get_session(agent, session_id)
        known = read_texts(session, CODE)
        if mark in (self._added.get(cell), known.pop(cell, None)):
            return False
        self._added[cell] = mark
        metadata = noted(session.metadata, CODE, {**known, cell: mark}, most=_MOST)
        await service.update_session(agent, session_id, metadata=metadata)
        return True
