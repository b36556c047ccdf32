"""The commands of `%hector`: they answer with values that look good in a notebook."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from hector_nb.errors import InvalidRequest, SessionNotFound
from hector_nb.frontends.connect import open_service, shown_address
from hector_nb.frontends.history_commands import run_history_command
from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.frontends.listing import Listing, Shown, local
from hector_nb.frontends.magics_arguments import CommandArguments
from hector_nb.frontends.memory_commands import run_memory_command
from hector_nb.frontends.memory_view import MemoryListing, MemoryView
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.notebook_sessions import NotebookSessions, last_messages
from hector_nb.frontends.transcript import Transcript
from hector_nb.frontends.words import counted
from hector_nb.messages import Message
from hector_nb.service import AgentInfo, SessionService, ToolInfo
from hector_nb.sessions import Session
from hector_nb.tools.decorator import offered

_ASKS = {"always": "yes", "never": "no", "rules": "by its rules"}


Answered: TypeAlias = (
    Listing[AgentInfo]
    | Listing[Session]
    | Listing[ToolInfo]
    | Listing[tuple[str, str]]
    | Transcript
    | MemoryView
    | MemoryListing
    | LedgerView
    | Shown
)
"""What a command answers with."""


def run_command(arguments: CommandArguments, service: NotebookService, sessions: NotebookSessions) -> Answered:
    """Do what a command says.

    Raises:
        HectorError: it cannot be done.
    """
    match arguments.name:
        case "agents":
            return _agents(service, sessions)
        case "sessions":
            return _sessions(arguments, service, sessions)
        case "history":
            return _history(arguments, service, sessions)
        case "tools":
            return _tools(arguments, service, sessions)
        case "memory" | "why" | "correct" | "forget":
            return run_memory_command(arguments, service, sessions)
        case "fork" | "rewind" | "export":
            return service.ask(lambda asked: run_history_command(arguments, asked, sessions))
        case "connect":
            _connect(arguments, service, sessions)
        case "use":
            service.ask(lambda asked: sessions.use(asked, arguments.agent or "", arguments.session))
        case "new":
            service.ask(lambda asked: sessions.forget(asked, arguments.agent))
    return show_connection(service, sessions)


def show_connection(service: NotebookService, sessions: NotebookSessions) -> Listing[tuple[str, str]]:
    """Who would get the next message, where it is kept, and which file or server says so."""
    info, current = service.ask(lambda asked: _current(asked, sessions))
    rows = [
        ("agent", info.name),
        ("model", f"{info.model} at {info.host}" if info.host else f"{info.model}, in this process"),
        ("session", current),
        *([("server", sessions.server)] if sessions.server else _local_place()),
    ]
    return Listing(rows, columns={"hector": lambda row: row[0], "": lambda row: row[1]}, empty="")


def _local_place() -> list[tuple[str, str]]:
    """Store and configuration of the engine in this process."""
    from hector_nb.config.home import store_url
    from hector_nb.config.loader import load_config

    loaded = load_config()
    return [
        ("store", _shown_store(store_url(loaded.config, folder=loaded.folder))),
        ("configuration", _shown_path(loaded.path) if loaded.path else "none; the defaults"),
    ]


def _connect(arguments: CommandArguments, service: NotebookService, sessions: NotebookSessions) -> None:
    """Go to a server, or back to the engine in this process."""
    if arguments.url is None and arguments.token is not None:
        raise InvalidRequest("A token is for a server.", hint="%hector connect URL --token TOKEN")
    if arguments.url is None:
        service.connect(None)
        sessions.move(None)
        return
    place = shown_address(arguments.url)
    service.connect(partial(open_service, arguments.url, token=arguments.token))
    sessions.move(place)


async def _current(asked: SessionService, sessions: NotebookSessions) -> tuple[AgentInfo, str]:
    """Agent and session of the next message, in words."""
    info = await sessions.info(asked)
    session_id = await sessions.find(asked, info)
    if session_id is None:
        return info, "none yet; the next message begins one"
    session = await asked.get_session(info.name, session_id)
    return (
        info,
        f"{session_id} · {counted(session.message_count, 'message')}, the last {local(session.last_active_at)}",
    )


def _agents(service: NotebookService, sessions: NotebookSessions) -> Listing[AgentInfo]:
    async def ask(asked: SessionService) -> tuple[Sequence[AgentInfo], AgentInfo]:
        return await asked.list_agents(), await sessions.info(asked)

    agents, in_use = service.ask(ask)
    return Listing(
        agents,
        columns={
            "": lambda info: "→" if info.name == in_use.name else "",
            "agent": lambda info: info.name,
            "model": lambda info: info.model,
            "where": lambda info: info.host or "this process",
            "description": lambda info: info.description,
        },
        empty="There are no agents.",
    )


def _sessions(arguments: CommandArguments, service: NotebookService, sessions: NotebookSessions) -> Listing[Session]:
    page = service.ask(lambda asked: asked.list_sessions(arguments.agent, limit=arguments.limit))
    return Listing(
        page.items,
        columns={
            "": lambda session: "→" if sessions.current(session.agent) == session.session_id else "",
            "session": lambda session: session.session_id,
            "agent": lambda session: session.agent,
            "title": lambda session: session.title,
            "messages": lambda session: session.message_count,
            "tokens": lambda session: session.token_count,
            "last active": lambda session: local(session.last_active_at),
        },
        empty="There are no sessions yet.",
    )


def _history(arguments: CommandArguments, service: NotebookService, sessions: NotebookSessions) -> Transcript:
    async def ask(asked: SessionService) -> list[Message]:
        session = await _named_session(asked, arguments.session, sessions)
        return await last_messages(asked, session, arguments.limit) if session else []

    return Transcript(service.ask(ask))


def _tools(arguments: CommandArguments, service: NotebookService, sessions: NotebookSessions) -> Listing[ToolInfo]:
    async def ask(asked: SessionService) -> tuple[AgentInfo, Sequence[ToolInfo]]:
        info = await sessions.info(asked, arguments.agent)
        return info, await asked.list_tools(info.name)

    info, tools = service.ask(ask)
    own = {mark.name for _, mark, _ in offered()}
    return Listing(
        tools,
        columns={
            "tool": lambda tool: tool.name,
            "asks first": lambda tool: _ASKS[tool.require_approval],
            "from": lambda tool: "this notebook" if tool.name in own else "configuration",
            "description": lambda tool: tool.description.partition("\n")[0].partition(". ")[0].rstrip("."),
        },
        empty=f"{info.name} has no tools. Name some under `tools` in its configuration, or write @hector_nb.tool above a function.",
    )


async def _named_session(asked: SessionService, session_id: str | None, sessions: NotebookSessions) -> Session | None:
    if session_id:
        return await asked.find_session(session_id)
    info = await sessions.info(asked)
    current = await sessions.find(asked, info)
    try:
        return await asked.get_session(info.name, current) if current else None
    except SessionNotFound:
        return None


def _shown_path(path: Path) -> str:
    """A path as people write it: from here, or from their home."""
    for start, prefix in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(start):
            return f"{prefix}{path.relative_to(start).as_posix()}"
    return str(path)


def _shown_store(url: str) -> str:
    """Where sessions are kept, without a password."""
    if url.startswith("sqlite:///"):
        return _shown_path(Path(url.removeprefix("sqlite:///")))
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=f"{parts.username}:…@{parts.netloc.rpartition('@')[2]}").geturl()
