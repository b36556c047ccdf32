"""Taking back what was said: try again, edit, rewind, fork."""

from typing import TYPE_CHECKING

from hector_nb.errors import SessionBusy, TurnNotFound
from hector_nb.frontends.widget.history import last_message, message_before

if TYPE_CHECKING:
    from hector_nb.frontends.widget.conversation import Conversation


async def retry(chat: "Conversation", turn_id: str) -> None:
    """Ask a turn's question again, in its place.

    Raises:
        HectorError: the turn is not there any more, or another runs.
    """
    await _replace(chat, turn_id, _question(chat, turn_id))


async def edit(chat: "Conversation", turn_id: str, text: str, *, fork: bool) -> None:
    """Ask something else in a turn's place; `fork`: in a new session that has what was said before it.

    Raises:
        HectorError: as for `retry`.
    """
    _question(chat, turn_id)
    if not fork:
        await _replace(chat, turn_id, text)
        return
    session = chat.here()
    before = await message_before(chat.service, session, turn_id)
    if before is None:
        await chat.begin(chat.info)
    else:
        await chat.open(await chat.service.fork_session(chat.info.name, session.session_id, after=before))
    await chat.start(text)


async def rewind(chat: "Conversation", turn_id: str) -> None:
    """Take back all that follows a turn.

    Raises:
        HectorError: as for `retry`.
    """
    _question(chat, turn_id)
    _need_quiet(chat)
    session = chat.here()
    after = await last_message(chat.service, session, turn_id)
    await chat.service.rewind_session(chat.info.name, session.session_id, after=after)
    chat.forget_from(turn_id, itself=False)


async def fork(chat: "Conversation", turn_id: str | None) -> None:
    """Go on in a new session that has what was said up to a turn and with it; None: all of it.

    Raises:
        HectorError: the turn is not there any more.
    """
    session = chat.here()
    after = None if turn_id is None else await last_message(chat.service, session, turn_id)
    await chat.open(await chat.service.fork_session(chat.info.name, session.session_id, after=after))


async def _replace(chat: "Conversation", turn_id: str, text: str) -> None:
    _need_quiet(chat)
    session = chat.here()
    before = await message_before(chat.service, session, turn_id)
    await chat.service.rewind_session(chat.info.name, session.session_id, after=before)
    chat.forget_from(turn_id, itself=True)
    await chat.start(text)


def _need_quiet(chat: "Conversation") -> None:
    if chat.busy:
        raise SessionBusy("An answer is under way.", hint="Stop it first.")


def _question(chat: "Conversation", turn_id: str) -> str:
    place = chat.record.find("turn_id", turn_id, "turns")
    if place is None:
        raise TurnNotFound("This turn is not shown any more.")
    return str(chat.record.get("turns", place, "question", "text"))
