"""Asking a person about a tool call: the question, the whole call as it can be seen, and the words that answer it.

Nothing of a call is hidden: characters that would steer the terminal or turn the line around are written out. Above are the cell
(`cell_approvals.py`) and the Python API (`approving.py`).
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hector_nb.approvals import Decision

CHOICES = "y yes · n no · a always for this session · e edit"
"""What may be answered. No answer in time means no."""
_PROMPT = "y/n/a/e: "
_EDIT = "arguments as JSON (nothing: back): "
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A person's answer. `edited` are the arguments to use instead; `always`: later calls of this tool in this session need no answer."""

    decision: Decision
    edited: Mapping[str, Any] | None = None
    always: bool = False


def question(name: str, agent: str) -> str:
    """What is asked, in a few words."""
    known = {"execute_command": "Run this command?", "write_file": "Write this file?"}
    return known.get(name) or f"Let {visible_line(agent)} use {visible_line(name)}?"


def visible(text: str) -> str:
    r"""The text with every character that could hide or reorder something written out, such as `\\u202e`; newline and tab stay."""
    return _HIDDEN.sub(lambda found: _written(found[0]), text)


def visible_line(text: str) -> str:
    """The same on one line."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def call_text(name: str, arguments: Mapping[str, Any]) -> str:
    """The whole call: the tool, then each argument under its name; nothing is cut."""
    return "\n".join([visible_line(name), *(_argument(each, value) for each, value in arguments.items())])


def time_left(deadline: datetime) -> str:
    """For example `no answer in 5:00 means no`."""
    seconds = max(0, round((deadline - datetime.now(UTC)).total_seconds()))
    return f"no answer in {seconds // 60}:{seconds % 60:02} means no"


def choices(deadline: datetime) -> str:
    """What may be answered, and until when."""
    return f"{CHOICES} — {time_left(deadline)}"


def read_word(arguments: Mapping[str, Any], *, read: Callable[[str], str], say: Callable[[str], None]) -> Word:
    """Ask until there is an answer.

    Args:
        arguments: Those that the model wrote.
        read: Shows a prompt and gives the line that a person types.
        say: Shows a line.
    """
    while True:
        answer = read(_PROMPT).strip().lower()
        if answer in ("y", "yes"):
            return Word(decision="approve")
        if answer in ("n", "no"):
            return Word(decision="deny")
        if answer in ("a", "always"):
            return Word(decision="approve", always=True)
        if answer in ("e", "edit"):
            edited = _read_arguments(arguments, read=read, say=say)
            if edited is not None:
                return Word(decision="approve", edited=edited)
        else:
            say("Answer y, n, a or e.")


def _read_arguments(
    arguments: Mapping[str, Any], *, read: Callable[[str], str], say: Callable[[str], None]
) -> Mapping[str, Any] | None:
    """The arguments that a person wants instead; None: the question stands again."""
    say(f"Now: {visible_line(json.dumps(dict(arguments), ensure_ascii=False))}")
    while text := read(_EDIT).strip():
        try:
            edited = json.loads(text)
        except (ValueError, RecursionError) as error:
            say(f"This is not JSON: {visible_line(str(error))}")
            continue
        if isinstance(edited, dict):
            return edited
        say('The arguments are one JSON object, for example {"path": "a.txt"}.')
    return None


def _argument(name: str, value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = visible(text)
    if "\n" not in shown:
        return f"  {visible_line(name)}: {shown}"
    return "\n".join([f"  {visible_line(name)}:", *(f"  │ {line}" for line in shown.split("\n"))])


def _written(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
