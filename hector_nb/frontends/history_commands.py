"""`%hector fork`, `rewind` and `export`: the notebook's conversation goes another way, back, or into a file."""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path, PurePath

from hector_nb.errors import Conflict, InvalidRequest, TurnNotFound
from hector_nb.frontends.listing import Shown
from hector_nb.frontends.magics_arguments import CommandArguments
from hector_nb.frontends.notebook_sessions import NotebookSessions
from hector_nb.frontends.words import counted
from hector_nb.messages import Message
from hector_nb.service import SessionService, all_messages
from hector_nb.sessions import Session

_BY_SUFFIX = {".md": "markdown", ".markdown": "markdown", ".json": "json", ".ipynb": "ipynb"}


async def run_history_command(arguments: CommandArguments, asked: SessionService, sessions: NotebookSessions) -> Shown:
    """Do what a command says.

    Raises:
        HectorError: it cannot be done.
    """
    session = await sessions.spoken(asked, arguments.session)
    match arguments.name:
        case "fork":
            return await _fork(asked, session, arguments, sessions)
        case "rewind":
            return await _rewind(asked, session, arguments)
    return await _export(asked, session, arguments)


async def _fork(
    asked: SessionService, session: Session, arguments: CommandArguments, sessions: NotebookSessions
) -> Shown:
    """A session with all up to a turn (None: all); the notebook goes on in it."""
    after = None
    if arguments.turn:
        *_, last = _turn(await all_messages(asked, session.agent, session.session_id), arguments.turn)
        after = last.message_id
    fork = await asked.fork_session(session.agent, session.session_id, after=after)
    await sessions.adopt(asked, fork)
    back = f"%hector use {session.agent} -s {session.session_id}"
    return Shown(f"Goes on in {fork.session_id}, with {counted(fork.message_count, 'message')}. The other way: {back}")


async def _rewind(asked: SessionService, session: Session, arguments: CommandArguments) -> Shown:
    """Take back a turn (None: the last) and what follows it."""
    messages = await all_messages(asked, session.agent, session.session_id)
    first, *_ = _turn(messages, arguments.turn or messages[-1].turn_id)
    spot = messages.index(first)
    rewound = await asked.rewind_session(
        session.agent, session.session_id, after=messages[spot - 1].message_id if spot else None
    )
    turns = len(list(groupby(messages[spot:], lambda message: message.turn_id)))
    taken = f"{counted(turns, 'turn')} ({counted(len(messages) - spot, 'message')})"
    return Shown(f"Taken back: {taken}. {session.session_id} has {counted(rewound.message_count, 'message')} now.")


async def _export(asked: SessionService, session: Session, arguments: CommandArguments) -> Shown:
    """Write the conversation into a file."""
    from hector_nb.wire.export import export

    form = arguments.format or _BY_SUFFIX.get(PurePath(arguments.file or "").suffix.lower(), "markdown")
    messages = await all_messages(asked, session.agent, session.session_id)
    text = "".join(export(session, messages, form))
    path = await asyncio.to_thread(_write, arguments, session, form, text)
    return Shown(f"{path} · {counted(session.message_count, 'message')}")


def _write(arguments: CommandArguments, session: Session, form: str, text: str) -> Path:
    """Write the file; where it is."""
    from hector_nb.wire.export import FORMATS, file_name

    path = Path(arguments.file or file_name(session, form)).expanduser()
    if path.is_dir():
        path /= file_name(session, form)
    if not path.suffix:
        path = path.with_suffix(FORMATS[form].suffix)
    try:
        with path.open("w" if arguments.overwrite else "x", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except FileExistsError:
        raise Conflict(f"{path} is there already.", hint="Name another file, or add --overwrite.") from None
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror or error}.") from error
    return path


def _turn(messages: Sequence[Message], turn_id: str) -> Sequence[Message]:
    found = [message for message in messages if message.turn_id == turn_id]
    if not found:
        raise TurnNotFound(f"There is no turn {turn_id!r} in this session.", hint="%hector history shows the turns.")
    return found
