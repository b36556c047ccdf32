"""The transcript of a session from its end, in pages: a session of 5,000 messages opens as fast as one of 10."""

from collections.abc import AsyncIterator
from typing import Any

from hector_nb.errors import MessageNotFound
from hector_nb.frontends.widget.turns import past_turns
from hector_nb.messages import Message
from hector_nb.service import SessionService
from hector_nb.sessions import Session

TURNS = 30
"""Turns that are loaded at once."""
_PAGE = 2 * TURNS + 1


class History:
    """What was said in a session, the newest first to be loaded. `turn_of` tells the turns of the messages that were."""

    def __init__(self, service: SessionService, session: Session) -> None:
        self.turn_of: dict[str, str] = {}
        self._service = service
        self._session = session
        self._held: list[Message] = []
        self._cursor: str | None = None
        self._whole = False

    @property
    def more(self) -> bool:
        """Whether there are older turns."""
        return not self._whole

    async def earlier(self) -> list[dict[str, Any]]:
        """The next older turns, oldest first; empty where there are none."""
        turns: list[dict[str, Any]] = []
        while not self._whole and len(turns) < TURNS:
            page = await self._service.list_messages(
                self._session.agent, self._session.session_id, limit=_PAGE, cursor=self._cursor, newest=True
            )
            self._cursor, self._whole = page.next_cursor, page.next_cursor is None
            turns = [*past_turns(self._complete([*page.items, *self._held])), *turns]
        return turns

    def note(self, message_id: str | None, turn_id: str) -> None:
        """A message came since."""
        if message_id:
            self.turn_of[message_id] = turn_id

    def _complete(self, messages: list[Message]) -> list[Message]:
        """Those of turns that are there as a whole; the rest is held until its beginning is read."""
        self.turn_of.update((message.message_id, message.turn_id) for message in messages)
        if self._whole or not messages:
            self._held = []
            return messages
        cut = messages[0].turn_id
        self._held = [message for message in messages if message.turn_id == cut]
        return [message for message in messages if message.turn_id != cut]


async def newest_first(service: SessionService, session: Session, *, page: int = 50) -> AsyncIterator[Message]:
    """The messages of a session from its end."""
    cursor: str | None = None
    while True:
        found = await service.list_messages(session.agent, session.session_id, limit=page, cursor=cursor, newest=True)
        for message in reversed(found.items):
            yield message
        cursor = found.next_cursor
        if cursor is None:
            return


async def message_before(service: SessionService, session: Session, turn_id: str) -> str | None:
    """The id of the last message before a turn; None: the turn is the first.

    Raises:
        MessageNotFound: the session has no such turn.
    """
    found = False
    async for message in newest_first(service, session):
        if message.turn_id == turn_id:
            found = True
        elif found:
            return message.message_id
    if not found:
        raise MessageNotFound("This turn is not in the session any more.")
    return None


async def last_message(service: SessionService, session: Session, turn_id: str) -> str:
    """The id of a turn's last message.

    Raises:
        MessageNotFound: the session has no such turn.
    """
    async for message in newest_first(service, session):
        if message.turn_id == turn_id:
            return message.message_id
    raise MessageNotFound("This turn is not in the session any more.")


async def newest_messages(service: SessionService, session: Session) -> list[Message]:
    """The last messages of a session, oldest first."""
    return list((await service.list_messages(session.agent, session.session_id, limit=50, newest=True)).items)
