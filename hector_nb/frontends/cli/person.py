"""The person at the terminal, who is asked whether an agent may use a tool. The line editor is loaded with the first question."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from hector_nb.approvals import Approval
from hector_nb.errors import ApprovalNotFound, Conflict, InvalidRequest
from hector_nb.frontends.asking import Word, question, time_left, visible, visible_line
from hector_nb.frontends.cli.approving import Question, Submit, print_call, told
from hector_nb.frontends.cli.keys import forget_keys

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.formatted_text import StyleAndTextTuples

CHOICES = "y yes · n no · a for this session · e edit"
_EDITING = "Enter takes it, Alt-Enter begins a new line, empty goes back."
_ANSWERS: dict[str, Word] = {
    "y": Word(decision="approve"),
    "yes": Word(decision="approve"),
    "n": Word(decision="deny"),
    "no": Word(decision="deny"),
    "a": Word(decision="approve", always=True),
}


class PersonAtTerminal:
    """Asks at the terminal. What was allowed for a session stays so as long as the program runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._allowed: set[tuple[str, str, str]] = set()
        self._prompt: PromptSession[str] | None = None
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
        word = await self._word(asked.approval)
        while word is not None:
            try:
                await submit(word)
            except InvalidRequest as error:
                word = await self._corrected(asked.approval, word, error.message)
                continue
            except (ApprovalNotFound, Conflict):
                self._tell(self._dismissed or "Decided elsewhere, or too late.")
                return
            if word.always:
                self._allowed.add(asked.permission)
            self._tell(told(word.decision, edited=word.edited is not None, always=word.always))
            return
        self._tell(self._dismissed or "")

    def dismiss(self, words: str) -> None:
        """See `Person`."""
        self._dismissed = words
        if self._prompt and self._prompt.app.is_running and not self._prompt.app.is_done:
            self._prompt.app.exit(result="")

    def _show(self, asked: Question) -> None:
        self._console.print()
        self._console.print(Text(question(asked.approval.name, asked.agent), "bold yellow"), soft_wrap=True)
        print_call(self._console, asked.approval)

    async def _word(self, approval: Approval) -> Word | None:
        """The answer; None where there is none to be had any more."""
        hint = ""
        while not self._dismissed:
            answer = (await self._read(_prompt(approval, hint))).strip().lower()
            if answer in {"e", "edit"}:
                if (edited := await self._edited(_as_json(approval.arguments))) is not None:
                    return Word(decision="approve", edited=edited)
                hint = ""
            elif answer in _ANSWERS:
                return _ANSWERS[answer]
            else:
                hint = "Answer y, n, a or e."
        return None

    async def _corrected(self, approval: Approval, refused: Word, reason: str) -> Word | None:
        """The answer after the arguments were refused."""
        edited = await self._edited(_as_json(refused.edited or {}), hint=reason)
        return await self._word(approval) if edited is None else Word(decision="approve", edited=edited)

    async def _edited(self, text: str, *, hint: str = _EDITING) -> Mapping[str, Any] | None:
        """The arguments that are wanted instead; None: the question stands again."""
        while not self._dismissed:
            text = await self._read(partial(_edit_prompt, hint), default=text)
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

    async def _read(self, message: "Callable[[], StyleAndTextTuples]", *, default: str = "") -> str:
        """A line; empty where the question was dismissed, `n` where the terminal is gone."""
        from prompt_toolkit import PromptSession

        from hector_nb.frontends.cli.line_input import enter_sends

        if self._prompt is None:
            self._prompt = PromptSession(erase_when_done=True, key_bindings=enter_sends(), reserve_space_for_menu=0)
        try:
            return await self._prompt.prompt_async(message, default=default, refresh_interval=1.0, handle_sigint=False)
        except EOFError:
            return "n" if not default else ""

    def _tell(self, line: str) -> None:
        self._console.print(Text(line, "dim"), soft_wrap=True)


def _prompt(approval: Approval, hint: str) -> "Callable[[], StyleAndTextTuples]":
    """The choices and the time that is left, made anew each second."""

    def message() -> "StyleAndTextTuples":
        first: StyleAndTextTuples = [("fg:ansiyellow", f"{hint}\n")] if hint else []
        return [*first, ("fg:ansibrightblack", f"{CHOICES} — {time_left(approval.deadline)}\n"), ("bold", "> ")]

    return message


def _edit_prompt(hint: str) -> "StyleAndTextTuples":
    return [("bold", "Arguments as JSON. "), ("fg:ansibrightblack", f"{visible_line(hint)}\n")]


def _as_json(arguments: Mapping[str, Any]) -> str:
    return visible(json.dumps(dict(arguments), indent=2, ensure_ascii=False))
