"""Who gives the word on an agent's tool calls when it works for a terminal: the person there, or nobody.

`turn.py` reads the turn and has a `Person` asked, one call after the other. A question goes away when its answer comes from elsewhere
or its time is over.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import StyleAndTextTuples
from rich.cells import chop_cells
from rich.console import Console
from rich.text import Text

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import InvalidRequest
from hector_nb.frontends.asking import Word, question, time_left, visible, visible_line
from hector_nb.frontends.cli.console import make_console
from hector_nb.frontends.cli.keys import forget_keys
from hector_nb.frontends.cli.line_input import enter_sends

CHOICES = "y yes · n no · a for this session · e edit"
_OWN = {"execute_command": ("", "command"), "write_file": ("path", "content")}
"""The tools whose question says what is done: what stands before their content, and the content."""
_ANSWERS: dict[str, Word] = {
    "y": Word(decision="approve"),
    "yes": Word(decision="approve"),
    "n": Word(decision="deny"),
    "no": Word(decision="deny"),
    "a": Word(decision="approve", always=True),
}


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


class PersonAtTerminal:
    """Asks at the terminal. What was allowed for a session stays so as long as the program runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._allowed: set[tuple[str, str, str]] = set()
        self._prompt: PromptSession[str] = PromptSession(
            erase_when_done=True, key_bindings=enter_sends(), reserve_space_for_menu=0
        )
        self._dismissed: str | None = None

    async def ask(self, asked: Question, submit: Submit) -> None:
        """See `Person`."""
        if asked.permission in self._allowed:
            await submit(Word(decision="approve"))
            return
        self._dismissed = None
        self._show(asked)
        # What was typed before the question was there does not answer it.
        forget_keys()
        while not self._dismissed and (word := await self._word(asked.approval)):
            try:
                await submit(word)
            except InvalidRequest as error:
                self._tell(error.message, "red")
                continue
            if word.always:
                self._allowed.add(asked.permission)
            self._tell(told(word.decision, edited=word.edited is not None, always=word.always), "dim")
            return
        self._tell(self._dismissed or "", "dim")

    def dismiss(self, words: str) -> None:
        """See `Person`."""
        self._dismissed = words
        if self._prompt.app.is_running and not self._prompt.app.is_done:
            self._prompt.app.exit(result="")

    def _show(self, asked: Question) -> None:
        self._console.print()
        self._console.print(Text(question(asked.approval.name, asked.agent), "bold yellow"), soft_wrap=True)
        for line in call_lines(asked.approval):
            # Folded here, by cells and anywhere: nothing of it may be left out, not even a space.
            for piece in chop_cells(line, max(self._console.width - 2, 10)) or [""]:
                self._console.print(Text(f"  {piece}"), soft_wrap=True)

    async def _word(self, approval: Approval) -> Word | None:
        """The answer; None where there is none to be had any more."""
        hint = ""
        while not self._dismissed:
            answer = (await self._read(_prompt(approval, hint))).strip().lower()
            if answer in {"e", "edit"}:
                if (edited := await self._edited(approval.arguments)) is not None:
                    return Word(decision="approve", edited=edited)
            elif answer in _ANSWERS:
                return _ANSWERS[answer]
            else:
                hint = "Answer y, n, a or e."
        return None

    async def _edited(self, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The arguments that are wanted instead; None: the question stands again."""
        text = visible(json.dumps(dict(arguments), indent=2, ensure_ascii=False))
        hint = "Enter takes it, Alt-Enter begins a new line, empty goes back."
        while not self._dismissed:
            head: StyleAndTextTuples = [("bold", "Arguments as JSON. "), ("fg:ansibrightblack", f"{hint}\n")]
            text = await self._read(lambda head=head: head, default=text)  # type: ignore[misc]
            if not text.strip():
                return None
            try:
                edited = json.loads(text)
            except (ValueError, RecursionError) as error:
                hint = f"This is not JSON: {error}."
                continue
            if isinstance(edited, dict):
                return edited
            hint = 'They are one JSON object, for example {"path": "a.txt"}.'
        return None

    async def _read(self, message: Callable[[], StyleAndTextTuples], *, default: str = "") -> str:
        """A line; empty where the question was dismissed, `n` where the terminal is gone."""
        try:
            return await self._prompt.prompt_async(message, default=default, refresh_interval=1.0, handle_sigint=False)
        except EOFError:
            return "n" if not default else ""

    def _tell(self, line: str, style: str) -> None:
        self._console.print(Text(visible_line(line), style), soft_wrap=True)


def told(decision: Decision, *, edited: bool = False, always: bool = False, expired: bool = False) -> str:
    """What was decided, in a few words."""
    if expired:
        return "No answer in time, which means no."
    if decision == "deny":
        return "Denied."
    if always:
        return "Approved, for the rest of this session."
    return "Approved, with other arguments." if edited else "Approved."


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


def _prompt(approval: Approval, hint: str) -> Callable[[], StyleAndTextTuples]:
    """The choices and the time that is left, made anew each second."""

    def message() -> StyleAndTextTuples:
        first: StyleAndTextTuples = [("fg:ansiyellow", f"{hint}\n")] if hint else []
        return [*first, ("fg:ansibrightblack", f"{CHOICES} — {time_left(approval.deadline)}\n"), ("bold", "> ")]

    return message


def make_person(console: Console) -> Person:
    """Who is asked in this process: the person at the terminal, where both ends of it are one."""
    return PersonAtTerminal(console) if sys.stdin.isatty() and sys.stdout.isatty() else Nobody()
