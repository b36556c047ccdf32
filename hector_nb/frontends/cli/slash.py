"""What can be typed in a chat besides messages: `/help`, `/new`, `/sessions` and their like."""

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from rich.table import Table
from rich.text import Text

from hector_nb.errors import InvalidRequest
from hector_nb.frontends.cli.conversation import Conversation
from hector_nb.frontends.cli.figures import ago, counts
from hector_nb.frontends.cli.ledger import print_ledger
from hector_nb.frontends.cli.options import model_of
from hector_nb.frontends.cli.remembered import find_memory, print_memories, print_recalled, quoted
from hector_nb.frontends.cli.transcript import print_transcript
from hector_nb.frontends.render import plain_line
from hector_nb.memories import Ledger

_COMMAND = re.compile(r"/([a-z?]*)(?:\s+(.*))?", re.DOTALL)
_LISTED = 10
Act: TypeAlias = Callable[[Conversation, str], Awaitable[None]]


class Command(NamedTuple):
    """A command, what may follow it, and what it does in words."""

    act: Act
    follows: str
    meaning: str


def command_in(line: str) -> tuple[str, str] | None:
    """The command and what follows it; None for a message (a path such as `/etc/hosts` is one, and so is what begins with `//`)."""
    match = _COMMAND.fullmatch(line.strip())
    return (match[1], (match[2] or "").strip()) if match else None


async def run_command(conversation: Conversation, name: str, rest: str) -> None:
    """Do what a command says.

    Raises:
        HectorError: there is no such command, or it failed.
    """
    command = COMMANDS.get(_SHORT.get(name, name))
    if command is None:
        raise InvalidRequest(f"There is no command /{name}.", hint="/help lists them. A message may begin with //.")
    await command.act(conversation, rest)


async def _help(conversation: Conversation, _: str) -> None:
    table = Table.grid(padding=(0, 2))
    for name, command in COMMANDS.items():
        table.add_row(Text(f"/{name} {command.follows}".strip(), "bold"), command.meaning)
    table.add_row(Text("Ctrl-C", "bold"), "stop the answer")
    table.add_row(Text("Alt-Enter", "bold"), "begin a new line in the message")
    conversation.console.print(table)


async def _new(conversation: Conversation, _: str) -> None:
    conversation.renew()
    conversation.tell(conversation.where())


async def _sessions(conversation: Conversation, _: str) -> None:
    page = await conversation.service.list_sessions(conversation.agent.name, limit=_LISTED)
    conversation.listed = tuple(page.items)
    if not page.items:
        conversation.tell(f"No sessions with {conversation.agent.name} yet.")
        return
    table = Table.grid(padding=(0, 2))
    for number, session in enumerate(page.items, 1):
        mark = "•" if session.session_id == conversation.session_id else ""
        title = plain_line(session.title) or session.session_id
        table.add_row(
            f"{mark}{number}".rjust(3), title, Text(counts(session), "dim"), Text(ago(session.last_active_at), "dim")
        )
    conversation.console.print(table)
    conversation.tell("/open NUMBER continues one." + (" hector sessions list shows all." if page.next_cursor else ""))


async def _open(conversation: Conversation, rest: str) -> None:
    if rest.isdecimal() and 0 < int(rest) <= len(conversation.listed):
        rest = conversation.listed[int(rest) - 1].session_id
    if not rest or rest.isdecimal():
        raise InvalidRequest("Which session?", hint="Type /sessions, then /open and a number; or /open and an id.")
    session = await conversation.service.find_session(rest)
    conversation.agent = await conversation.service.get_agent(session.agent)
    await conversation.open(session.session_id)
    conversation.introduce()
    await conversation.catch_up()


async def _fork(conversation: Conversation, after: str) -> None:
    if await _nothing_yet(conversation):
        return
    forked = await conversation.service.fork_session(
        conversation.agent.name, conversation.session_id, after=after or None
    )
    left = conversation.session_id
    await conversation.open(forked.session_id)
    conversation.tell(f"Session {forked.session_id}, with the same history.")
    conversation.tell(f"/open {left} goes back.")


async def _agents(conversation: Conversation, _: str) -> None:
    table = Table.grid(padding=(0, 2))
    for agent in await conversation.service.list_agents():
        table.add_row(Text(plain_line(agent.name), "bold"), plain_line(model_of(agent)), plain_line(agent.description))
    conversation.console.print(table)


async def _agent(conversation: Conversation, rest: str) -> None:
    if not rest:
        raise InvalidRequest("Which agent?", hint="/agents lists them.")
    conversation.renew(await conversation.service.get_agent(rest))
    conversation.introduce()


async def _history(conversation: Conversation, _: str) -> None:
    session = await conversation.refresh()
    if session is None or not session.message_count:
        conversation.tell("Nothing has been said in this session yet.")
    else:
        await print_transcript(conversation.service, session, conversation.console)


async def _memory(conversation: Conversation, query: str) -> None:
    if await _nothing_yet(conversation):
        return
    service, agent, session_id = conversation.service, conversation.agent, conversation.session_id
    if query:
        found = await service.search_memory(agent.name, session_id, query)
        print_recalled(conversation.console, found)
        if not found:
            conversation.tell("Nothing is remembered that fits.")
        return
    _print_ledger(conversation, await conversation.seen())
    conversation.console.print()
    print_memories(conversation.console, await service.get_memory(agent.name, session_id, limit=_LISTED), agent.name)


async def _why(conversation: Conversation, _: str) -> None:
    if not await _nothing_yet(conversation):
        _print_ledger(conversation, await conversation.seen(), whole=True)


async def _forget(conversation: Conversation, memory_id: str) -> None:
    if not memory_id:
        raise InvalidRequest("Which memory?", hint="/memory lists them with their ids.")
    if await _nothing_yet(conversation):
        return
    service, agent, session_id = conversation.service, conversation.agent, conversation.session_id
    memory = await find_memory(service, agent.name, session_id, memory_id)
    await service.forget_memory(agent.name, session_id, memory_id)
    conversation.tell(f"Forgotten: {quoted(memory.text)}")


async def _nothing_yet(conversation: Conversation) -> bool:
    """Say so, where nothing was said."""
    if await conversation.refresh() is not None:
        return False
    conversation.tell("Nothing kept yet. The session is stored with its first message.")
    return True


def _print_ledger(conversation: Conversation, ledger: Ledger, *, whole: bool = False) -> None:
    title = conversation.session.title if conversation.session else ""
    settings = conversation.agent.memory.get("working")
    print_ledger(conversation.console, ledger, settings=settings, title=title, whole=whole)


async def _quit(conversation: Conversation, _: str) -> None:
    conversation.over = True


COMMANDS: dict[str, Command] = {
    "help": Command(_help, "", "this list"),
    "new": Command(_new, "", "begin a new session"),
    "sessions": Command(_sessions, "", "recent sessions with this agent"),
    "open": Command(_open, "NUMBER|ID", "continue another session"),
    "fork": Command(_fork, "[MSG_ID]", "go on in a copy of this session, cut after that message"),
    "history": Command(_history, "", "what was said in this session"),
    "memory": Command(_memory, "[QUERY]", "what the model saw last and what is remembered; or what fits a text"),
    "why": Command(_why, "", "what the model saw last, part by part"),
    "forget": Command(_forget, "MEM_ID", "erase a memory"),
    "agents": Command(_agents, "", "the agents"),
    "agent": Command(_agent, "NAME", "talk with another agent, in a new session"),
    "quit": Command(_quit, "", "leave"),
}
_SHORT = {"": "help", "?": "help", "h": "help", "exit": "quit", "q": "quit"}
