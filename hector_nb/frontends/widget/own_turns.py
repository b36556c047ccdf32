"""The turns of a chat's own messages: until they are over, shown or not, the notebook's functions can be called by them."""

from typing import TYPE_CHECKING

from hector_nb.errors import HectorError
from hector_nb.events import Event
from hector_nb.frontends.widget.hold import MainThreadHold
from hector_nb.sessions import Session

if TYPE_CHECKING:
    from hector_nb.frontends.widget.conversation import Conversation


class OwnTurns:
    """Those that are shown, and the hold on the main thread for all that run.

    Args:
        chat: Whose turns.
        hold: Lets the notebook's functions be called while a turn runs.
    """

    def __init__(self, chat: "Conversation", hold: MainThreadHold) -> None:
        self._chat = chat
        self._hold = hold
        self._shown: set[str] = set()
        self._ended: tuple[str, Event] | None = None
        """The turn that was over last, and how it ended."""

    def add(self, turn_id: str) -> Event | None:
        """This chat began a turn. Returns its last event if it is over already: a server may tell followers before the sender."""
        if self._ended is not None and self._ended[0] == turn_id:
            return self._ended[1]
        self._hold.add(turn_id)
        self._shown.add(turn_id)
        return None

    def end(self, turn_id: str, event: Event) -> bool:
        """A turn that was shown is over. Returns whether it was one of these."""
        own = turn_id in self._shown
        self._shown.discard(turn_id)
        self._hold.remove(turn_id)
        self._ended = turn_id, event
        return own

    def leave(self, session: Session) -> None:
        """The turns of a session are shown no more, but go on."""
        for turn_id in self._shown:
            self._chat.spawn(self._outlast(session, turn_id))
        self._shown = set()

    def close(self) -> None:
        """Nothing that goes on calls functions any more."""
        self._hold.release()

    async def _outlast(self, session: Session, turn_id: str) -> None:
        """Let functions be called until a turn is over."""
        service = self._chat.service
        try:
            async with await service.follow_turn(session.agent, turn_id, session_id=session.session_id) as stream:
                while await stream.read():
                    pass
        except HectorError:
            pass
        finally:
            self._hold.remove(turn_id)
