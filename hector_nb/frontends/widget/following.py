"""Reads the turns of a chat's session as they come, whoever begins them and wherever they run."""

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from hector_nb.errors import HectorError, SessionEnded, SessionNotFound
from hector_nb.frontends.widget.history import newest_messages
from hector_nb.frontends.widget.reading import TurnReader
from hector_nb.frontends.widget.turns import new_turn
from hector_nb.messages import Message
from hector_nb.service import SessionFeed, SessionService, TurnStream
from hector_nb.sessions import Session

if TYPE_CHECKING:
    from hector_nb.frontends.widget.conversation import Conversation

_PAUSES = (0.5, 2.0, 5.0, 10.0)
"""Seconds before each new attempt to follow a session whose store or server cannot be reached."""


async def feed_of(service: SessionService, session: Session, *, after: str | None = None) -> SessionFeed | None:
    """The turns to come, the running one included; None where none will."""
    try:
        return await service.follow_session(session.agent, session.session_id, after=after)
    except SessionEnded:
        return None


class Following:
    """Follows one session for a chat, from when it is made until `stop`."""

    def __init__(self, chat: "Conversation", session: Session, feed: SessionFeed) -> None:
        self._chat = chat
        self._session = session
        self._task: asyncio.Task[None] = chat.spawn(self._follow(feed))

    def stop(self) -> None:
        """Read no more."""
        self._task.cancel()

    async def _follow(self, feed: SessionFeed) -> None:
        try:
            while (stream := await feed.next_turn()) is not None:
                await self._read(stream)
        except SessionNotFound:
            return
        except HectorError as error:
            self._chat.complain(error)
            self._chat.spawn(self._come_back())
            return
        with suppress(SessionNotFound):
            await self._chat.look_at_session()

    async def _come_back(self) -> None:
        """Follow the session again, when its store or server can be reached again."""
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            if self._chat.session is None or self._chat.session.session_id != self._session.session_id:
                return
            with suppress(HectorError):
                await self._chat.reload()
                return

    async def _read(self, stream: TurnStream) -> None:
        reader: TurnReader | None = None
        async with stream:
            while batch := await stream.read():
                reader = reader or await self._reader(stream)
                for logged in batch:
                    self._chat.take(reader, logged.event)
                self._chat.outbox.tell()

    async def _reader(self, stream: TurnStream) -> TurnReader:
        """What writes a turn. It is shown from now on, from its beginning."""
        chat, turn_id = self._chat, stream.turn_id
        began: float | None = None
        place = chat.record.find("turn_id", turn_id, "turns")
        if place is None:
            newest = await newest_messages(chat.service, self._session)
            asked = next((each for each in newest if each.turn_id == turn_id and each.role == "user"), None)
            if asked is not None:
                self._drop_taken_back(newest)
                began = asked.created_at.timestamp()
            chat.show_turn(turn_id, text=asked.content if asked else "", message_id=asked.message_id if asked else "")
        elif chat.record.get("turns", place, "status") not in {"waiting", "queued", "stopping"}:
            question = chat.record.get("turns", place, "question")
            at = datetime.fromisoformat(question["at"])
            began = at.timestamp()
            turn = new_turn(turn_id, message_id=question["message_id"], text=question["text"], at=at)
            chat.record.set(["turns", place], turn)
        chat.outbox.pace.begin()
        return TurnReader(chat.record, turn_id, chat.info, began=began, timed=stream.last_seq is None)

    def _drop_taken_back(self, newest: list[Message]) -> None:
        """Show no more what somebody took back elsewhere: what stands before a new turn is what is still there."""
        there = {message.turn_id for message in newest}
        shown = self._chat.record.get("turns")
        while shown and shown[-1]["turn_id"] not in there:
            shown.pop()
        self._chat.record.cut(["turns"], len(shown))
