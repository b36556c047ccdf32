"""`%hector memory`, `why`, `correct` and `forget`: looking into an agent's memory from a notebook, and setting it right."""

from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.frontends.listing import Shown
from hector_nb.frontends.looking import found_memories, ledger_view, listed, memory_view
from hector_nb.frontends.magics_arguments import CommandArguments
from hector_nb.frontends.memory_view import MemoryListing, MemoryView
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.notebook_sessions import NotebookSessions, last_messages
from hector_nb.service import SessionService

_FOUND = 10


def run_memory_command(
    arguments: CommandArguments, service: NotebookService, sessions: NotebookSessions
) -> MemoryView | MemoryListing | LedgerView | Shown:
    """Do what a command says.

    Raises:
        HectorError: it cannot be done.
    """
    match arguments.name:
        case "why":
            return service.ask(lambda asked: _why(asked, arguments, sessions))
        case "correct":
            return service.ask(lambda asked: _correct(asked, arguments, sessions))
        case "forget":
            return service.ask(lambda asked: _forget(asked, arguments, sessions))
    return service.ask(lambda asked: _memory(asked, arguments, sessions))


async def _memory(
    asked: SessionService, arguments: CommandArguments, sessions: NotebookSessions
) -> MemoryView | MemoryListing:
    info, session_id = await sessions.open(asked, arguments.session)
    if arguments.query is None:
        return await memory_view(asked, info, session_id)
    return await found_memories(asked, info, session_id, arguments.query, limit=_FOUND)


async def _why(asked: SessionService, arguments: CommandArguments, sessions: NotebookSessions) -> LedgerView:
    if arguments.turn and not arguments.session:
        info = await sessions.info(asked)
        return await ledger_view(asked, info, arguments.turn)
    session = await sessions.spoken(asked, arguments.session)
    turn_id = arguments.turn or (await last_messages(asked, session, 1))[-1].turn_id
    info = await asked.get_agent(session.agent)
    return await ledger_view(asked, info, turn_id, session_id=session.session_id)


async def _correct(asked: SessionService, arguments: CommandArguments, sessions: NotebookSessions) -> MemoryListing:
    info, session_id = await sessions.open(asked, arguments.session)
    [memory_id] = arguments.memory_ids
    memory = await asked.correct_memory(info.name, session_id, memory_id, arguments.text or "")
    return await listed(asked, [memory])


async def _forget(asked: SessionService, arguments: CommandArguments, sessions: NotebookSessions) -> Shown:
    info, session_id = await sessions.open(asked, arguments.session)
    for memory_id in arguments.memory_ids:
        await asked.forget_memory(info.name, session_id, memory_id)
    return Shown(f"Forgotten, and erased: {', '.join(arguments.memory_ids)}")
