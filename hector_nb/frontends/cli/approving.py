"""Who gives the word on an agent's tool calls when it works for a terminal: the person there, or nobody.

`turn.py` reads the turn and has a `Person` asked, one call after the other. A question goes away when its answer comes from elsewhere
or its time is over.
"""

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from rich.cells import chop_cells
from rich.console import Console
from rich.text import Text

from hector_nb.approvals import Approval, Decision
from hector_nb.frontends.asking import Word, visible, visible_line
from hector_nb.frontends.cli.console import can_ask, make_console

_OWN = {"execute_command": ("", "command"), "write_file": ("path", "content")}
"""The tools whose question says what is done: what stands before their content, and the content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A call that waits, the agent that wants to make it, and the session in which a person talks."""

    approval: Approval
    agent: str
    session_id: str

    @property
    def permission(self) -> tuple[str, str, str]:
        """What is allowed with `a`."""
        return self.session_id, self.agent, self.approval.name


Submit: TypeAlias = Callable[[Word], Awaitable[None]]
"""Gives the word. It raises `InvalidRequest` where the edited arguments do not fit."""


class Person(Protocol):
    """Who is asked."""

    async def ask(self, asked: Question, submit: Submit) -> None:
        """Ask, and submit the answer; returns without one where `dismiss` was called.

        Raises:
            KeyboardInterrupt: they want the turn to stop.
        """
        ...

    def dismiss(self, words: str) -> None:
        """The question needs no answer any more; `words` say why."""
        ...


class Nobody:
    """Nobody is at the terminal, which means no. It says so on standard error."""

    async def ask(self, asked: Question, submit: Submit) -> None:
        """See `Person`."""
        console = make_console("err")
        name = visible_line(asked.approval.name)
        console.print(Text(f"Not allowed, for nobody is at the terminal to be asked: {name}"), soft_wrap=True)
        for line in call_lines(asked.approval):
            console.print(Text(f"  {line}"), soft_wrap=True)
        hint = "Run hector in a terminal, or set `require_approval` of the tool in the configuration."
        console.print(Text(hint, "dim"), soft_wrap=True)
        await submit(Word(decision="deny"))

    def dismiss(self, words: str) -> None:
        """See `Person`."""


def told(decision: Decision, *, edited: bool = False, always: bool = False, expired: bool = False) -> str:
    """What was decided, in a few words."""
    if expired:
        return "No answer in time, which means no."
    if decision == "deny":
        return "Denied."
    if always:
        return "Approved, for the rest of this session."
    return "Approved, with other arguments." if edited else "Approved."


def print_call(console: Console, approval: Approval) -> None:
    """The whole call in a terminal."""
    for line in call_lines(approval):
        # Folded here, by cells and anywhere: nothing of it may be left out, not even a space.
        for piece in chop_cells(line, max(console.width - 2, 10)) or [""]:
            console.print(Text(f"  {piece}"), soft_wrap=True)


def call_lines(approval: Approval) -> Iterator[str]:
    """The whole call, line by line. Nothing is left out, and what could hide something is written out."""
    before, content = _OWN.get(approval.name, ("", ""))
    arguments = approval.arguments
    if set(arguments) - {before, content} or not isinstance(arguments.get(content), str):
        before = content = ""
    for name, value in arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines = visible(text).expandtabs(4).split("\n")
        if name == content:
            yield from (f"│ {line}" for line in lines)
        elif len(lines) == 1:
            yield lines[0] if name == before else f"{visible_line(name)}: {lines[0]}"
        else:
            yield f"{visible_line(name)}:"
            yield from (f"│ {line}" for line in lines)


def make_person(console: Console) -> Person:
    """Who is asked in this process: the person at the terminal, where both ends of it are one."""
    from hector_nb.frontends.cli.person import PersonAtTerminal

    return PersonAtTerminal(console) if can_ask() else Nobody()
