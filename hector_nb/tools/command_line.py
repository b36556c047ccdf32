"""A command as a model writes it, as an argument vector.

Quotes are understood as a POSIX shell understands them. What only a shell can do is refused where it stands unquoted, instead of being
handed to a program that makes something else of it.
"""

import re
import shlex
from typing import NoReturn

from hector_nb.tools.base import ToolError

_LONGEST = 30_000
"""Characters of a command: fewer than Linux takes in one argument, and few enough to be read at once."""
_UNUSABLE = re.compile(r"[\x00\ud800-\udfff]")
_OPERATORS = {
    ";": "`;` between commands",
    "&": "`&` and `&&`",
    "|": "`|` and `||`",
    "<": "`<`",
    ">": "`>`",
    "(": "`(…)`",
    ")": "`(…)`",
    "\n": "a line break between commands",
    "\r": "a line break between commands",
}
_EXPANSION = re.compile(r"\$[A-Za-z_0-9{(?!#@*$-]|`")


def split(command: str) -> list[str]:
    """The program and its arguments.

    Raises:
        ToolError: it is no command, or would need a shell.
    """
    usable(command)
    command = command.strip()
    _refuse_shell(command)
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ToolError(f"The command cannot be read: {str(error).lower()}.") from error
    if not words or not words[0]:
        raise ToolError("The command names no program.")
    return words


def usable(command: str) -> None:
    """Refuse what no command can be.

    Raises:
        ToolError: it is empty or too long, or holds characters that cannot be passed on.
    """
    if not command.strip():
        raise ToolError("The command is empty.")
    if len(command) > _LONGEST:
        raise ToolError(f"The command is longer than {_LONGEST:,} characters. Put the text in a file.")
    if _UNUSABLE.search(command):
        raise ToolError("The command holds a NUL character or a lone surrogate, which cannot be passed to a program.")


def _refuse_shell(command: str) -> None:
    """Look at every character that is not quoted; `$` and a backtick mean something between double quotes, too."""
    quote = ""
    at = 0
    while at < len(command):
        letter = command[at]
        if quote != "'" and letter == "\\":
            if not quote and command[at + 1 : at + 2] in ("\n", "\r"):
                _refuse("a line break")
            at += 2
            continue
        if quote != "'" and (found := _EXPANSION.match(command, at)):
            _refuse("backticks" if found[0] == "`" else "`$(…)`" if found[0] == "$(" else "`$` with a name")
        if letter == quote:
            quote = ""
        elif not quote and letter in "'\"":
            quote = letter
        elif not quote and letter in _OPERATORS:
            _refuse(_OPERATORS[letter])
        at += 1


def _refuse(what: str) -> NoReturn:
    raise ToolError(
        f"There is no shell here, so {what} cannot be used. Run one program with its arguments at a time; "
        "an argument that holds such characters stands between single quotes."
    )
