"""Long-term memories in a terminal, and where they are looked for: people name an id, the service wants the session that recalls it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hector_nb.errors import MemoryNotFound, SessionNotFound
from hector_nb.frontends.cli.figures import ago
from hector_nb.frontends.cli.options import choose_agent
from hector_nb.frontends.render import plain_line
from hector_nb.frontends.words import counted, shortened
from hector_nb.memories import Memory, RecalledMemory, SessionMemory
from hector_nb.service import AgentInfo, SessionService
from hector_nb.sessions import Session
from hector_nb.wire.codec import encode_time

T = TypeVar("T")

_SESSIONS = 100
"""The newest sessions with an agent in which a memory is looked for, where each has memories of its own."""
_PAGE = 200
_LONGEST_QUOTE = 70


async def session_of(service: SessionService, agent: str | None, session: str | None) -> tuple[AgentInfo, Session]:
    """The session that is meant, and its agent: the newest with the agent, unless one is named.

    Raises:
        AgentNotFound, SessionNotFound: there is none.
        InvalidRequest: there are several agents, and none is named.
    """
    info = await choose_agent(service, agent, session)
    if session is not None:
        return info, await service.get_session(info.name, session)
    page = await service.list_sessions(info.name, limit=1)
    if not page.items:
        raise SessionNotFound(f"There is no session with {info.name} yet.", hint=f"hector chat {info.name} begins one.")
    return info, page.items[0]


async def with_memory(
    service: SessionService,
    agent: str | None,
    session: str | None,
    memory_id: str,
    act: Callable[[AgentInfo, Session], Awaitable[T]],
) -> T:
    """Do something to a memory, in the first session that may recall it.

    Raises:
        MemoryNotFound: none does.
    """
    async for info, found in _candidates(service, agent, session):
        with suppress(MemoryNotFound):
            return await act(info, found)
    hint = "hector memory show lists them." if session is None else "Without --session all sessions are looked through."
    raise MemoryNotFound(f"There is no memory {memory_id!r}.", hint=hint)


async def find_memory(service: SessionService, agent: str, session_id: str, memory_id: str) -> Memory:
    """A memory that the session may recall.

    Raises:
        MemoryNotFound: there is none of this id.
    """
    cursor = None
    while True:
        page = await service.get_memory(agent, session_id, limit=_PAGE, cursor=cursor)
        for memory in page.memories:
            if memory.memory_id == memory_id:
                return memory
        if (cursor := page.next_cursor) is None:
            raise MemoryNotFound(f"There is no memory {memory_id!r}.")


async def _candidates(
    service: SessionService, agent: str | None, session: str | None
) -> AsyncIterator[tuple[AgentInfo, Session]]:
    """Sessions that together may recall all that this user may."""
    if session is not None:
        found = await service.find_session(session)
        yield await service.get_agent(found.agent), found
        return
    agents = [await service.get_agent(agent)] if agent else await service.list_agents()
    for info in agents:
        if longterm := info.memory.get("longterm"):
            each_its_own = longterm["storage_scope"] == "session"
            page = await service.list_sessions(info.name, limit=_SESSIONS if each_its_own else 1)
            for found in page.items:
                yield info, found


def print_memories(console: Console, memory: SessionMemory, agent: str) -> None:
    """A page of what a session may recall, newest first."""
    if memory.scope is None:
        console.print(Text(f"Long-term memory is off for {agent}.", "dim"))
        console.print(Text(f"agents: {{{agent}: {{memory: {{longterm: {{}}}}}}}} turns it on.", "dim"))
    elif not memory.memories:
        waiting = f" {memory.pending} messages are about to be taken in." if memory.pending else ""
        console.print(Text(f"Nothing kept yet.{waiting}", "dim"))
    else:
        more = "more than " if memory.next_cursor else ""
        count = f"{more}{counted(len(memory.memories), 'memory')}"
        console.print(Text(f"{count} · scope {memory.scope} · newest first", "dim"))
        _print(console, [(each, "") for each in memory.memories])


def print_recalled(console: Console, found: Sequence[RecalledMemory]) -> None:
    """What fits a text, best first."""
    _print(console, [(each.memory, f"{each.score:.2f}") for each in found])


def _print(console: Console, memories: Sequence[tuple[Memory, str]]) -> None:
    """Memories and what stands before each: a paragraph for each in a terminal, a line in a pipe."""
    if not console.is_terminal:
        for memory, mark in memories:
            cells = [memory.memory_id, *([mark] if mark else []), encode_time(memory.created_at) or "", memory.text]
            typer.echo("\t".join(plain_line(cell) for cell in cells))
        return
    table = Table.grid(padding=(0, 2))
    for memory, mark in memories:
        meta = f"{memory.memory_id} · {origin_of(memory)} · {ago(memory.created_at)}"
        table.add_row(Text(mark, "bold", no_wrap=True), Text(plain_line(memory.text)).append(f"\n{meta}", "dim"))
    console.print(table)


def origin_of(memory: Memory) -> str:
    """What kind it is, and the session that gave it."""
    corrected = ", corrected" if memory.corrected_at else ""
    return f"{memory.kind}{corrected} · {plain_line(memory.session_id)}"


def quoted(text: str) -> str:
    """A text in quotes, on one line."""
    return f"“{shortened(plain_line(text), _LONGEST_QUOTE)}”"
