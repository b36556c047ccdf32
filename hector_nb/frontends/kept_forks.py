"""What is taken back because a cell runs again is kept in a fork. A fork takes the place of older ones that hold nothing else.

The session's metadata holds `kept`: for each cell the forks that its runs have left. An older one is erased when every question in it
stands in the new one too, in the same order: so that of ten Run Alls of an unchanged notebook one fork is left and not nine. One to
which something was said, which was renamed, or in which notebook or chat go on, stays. Within one Run All one fork is enough.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hector_nb.errors import HectorError, SessionNotFound
from hector_nb.frontends.render import plain_line
from hector_nb.frontends.session_notes import CELLS, CHATS, CODE, KEPT, NOTEBOOK, noted, read_lists
from hector_nb.frontends.words import shortened
from hector_nb.messages import Message
from hector_nb.service import SessionService, all_messages
from hector_nb.sessions import Session

_MOST_CELLS = 100
_MOST = 4
"""Forks of one cell that are looked at again."""
_OWN = (NOTEBOOK, CHATS, CELLS, CODE, KEPT)
"""Metadata that a fork does not share: it is no notebook's and no chat's session."""
_LONGEST_TITLE = 300
_LONGEST_QUESTION = 40


@dataclass(frozen=True, slots=True)
class _Kept:
    session: Session
    source: str
    since: int
    questions: Sequence[str]


class KeptForks:
    """The forks of the sessions of one notebook."""

    def __init__(self) -> None:
        self._latest: _Kept | None = None
        self._made: _Kept | None = None

    async def keep(
        self, service: SessionService, session: Session, messages: Sequence[Message], *, spot: int, since: int
    ) -> Session:
        """A fork of the session as it is, before what begins at `spot` is taken back; `since` tells one Run All from another."""
        questions, latest = _questions(messages), self._latest
        self._made = None
        if (
            latest
            and (latest.source, latest.since) == (session.session_id, since)
            and _holds(latest.questions, questions)
        ):
            return latest.session
        fork = await service.fork_session(session.agent, session.session_id)
        metadata = {key: value for key, value in fork.metadata.items() if key not in _OWN}
        if (notebook := session.metadata.get(NOTEBOOK)) is not None:
            metadata["kept_from"] = notebook
        title = _title(session, messages[spot])
        metadata["kept_as"] = title
        fork = await service.update_session(session.agent, fork.session_id, title=title, metadata=metadata)
        self._made = _Kept(fork, session.session_id, since, questions)
        return fork

    async def undo(self, service: SessionService) -> None:
        """What was kept last is still there: it was not taken back."""
        if (made := self._made) is not None:
            self._made = None
            await service.delete_session(made.session.agent, made.session.session_id)

    async def settle(self, service: SessionService, session: Session, *, cell: str) -> dict[str, Any]:
        """Erase older forks that hold nothing but what was kept now; the metadata that the session has from now on."""
        made, self._made = self._made, None
        if made is None:
            return dict(session.metadata)
        self._latest = made
        cells = read_lists(session, KEPT)
        older = [each for each in cells.pop(cell, []) if not await _is_replaced(service, session.agent, each, made)]
        cells[cell] = [*older, made.session.session_id][-_MOST:]
        return noted(session.metadata, KEPT, cells, most=_MOST_CELLS)


async def _is_replaced(service: SessionService, agent: str, session_id: str, made: _Kept) -> bool:
    """Whether an older fork is gone; it is erased if it holds nothing but what the new one holds."""
    try:
        fork = await service.get_session(agent, session_id)
        questions = _questions(await all_messages(service, agent, session_id))
    except SessionNotFound:
        return True
    touched = fork.title != fork.metadata.get("kept_as") or fork.running_turn is not None
    if touched or any(key in fork.metadata for key in _OWN) or not _holds(made.questions, questions):
        return False
    with suppress(HectorError):
        longterm = (await service.get_agent(agent)).memory.get("longterm") or {}
        # A fork has copies of memories where sessions are blind to one another; else they are not its own.
        await service.delete_session(agent, session_id, forget=longterm.get("storage_scope") == "session")
    return True


def _questions(messages: Sequence[Message]) -> list[str]:
    return [message.content for message in messages if message.role == "user"]


def _holds(questions: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a conversation begins with all questions of another one."""
    return list(questions[: len(others)]) == list(others)


def _title(session: Session, question: Message) -> str:
    """Why and when it was kept, in words."""
    asked = shortened(plain_line(question.content[: 4 * _LONGEST_QUESTION]), _LONGEST_QUESTION)
    when = f"{datetime.now().astimezone():%Y-%m-%d %H:%M}"
    of = f"{session.title[:_LONGEST_TITLE]} · " if session.title else ""
    return f"{of}before “{asked}” was asked again (kept {when})"
