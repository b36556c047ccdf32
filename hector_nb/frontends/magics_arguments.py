"""What may stand after `%hector` and `%%hector`.

A first word that is a command wins; `%hector -- …` is always a prompt. Options come before the prompt, and the prompt itself is
never split or unquoted: `what's up` arrives as it was typed.
"""

import argparse
import keyword
import re
from dataclasses import dataclass
from typing import Literal, NoReturn, cast

from IPython.core.error import UsageError

Format = Literal["markdown", "text"]
_WORD = re.compile(r"\s*(\S+)")
_VALUED = ("-a", "--agent", "-s", "--session", "--out", "-f", "--format")


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptArguments:
    """A prompt to send, and how."""

    prompt: str
    agent: str | None = None
    session: str | None = None
    new: bool = False
    out: str | None = None
    format: Format = "markdown"
    thinking: bool = False
    debug: bool = False
    raw: bool = False
    stream: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandArguments:
    """A command; what it does not take is None."""

    name: str
    agent: str | None = None
    session: str | None = None
    limit: int = 20


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}. See %hector help")


def _make(prog: str) -> _Parser:
    return _Parser(prog=prog, add_help=False, allow_abbrev=False)


def _prompt_parser(*, cell: bool) -> _Parser:
    parser = _make("%%hector" if cell else "%hector")
    if cell:
        parser.add_argument("name", nargs="?", metavar="AGENT")
    parser.add_argument("-a", "--agent")
    parser.add_argument("-s", "--session", metavar="ID")
    parser.add_argument("--new", action="store_true")
    parser.add_argument("--out", type=_identifier, metavar="NAME")
    parser.add_argument("-f", "--format", choices=("markdown", "text"), default="markdown")
    parser.add_argument("--thinking", action="store_true")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--no-stream", action="store_true")
    return parser


def _command_parsers() -> dict[str, _Parser]:
    parsers = {
        name: _make(f"%hector {name}")
        for name in ("agents", "use", "new", "sessions", "history", "tools", "version", "help")
    }
    parsers["use"].add_argument("agent")
    parsers["use"].add_argument("-s", "--session", metavar="ID")
    parsers["new"].add_argument("agent", nargs="?")
    parsers["sessions"].add_argument("agent", nargs="?")
    parsers["tools"].add_argument("agent", nargs="?")
    parsers["history"].add_argument("-s", "--session", metavar="ID")
    for name in ("sessions", "history"):
        parsers[name].add_argument("-n", "--limit", type=_positive, default=20)
    return parsers


def _identifier(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a variable name")
    return text


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


_LINE = _prompt_parser(cell=False)
_CELL = _prompt_parser(cell=True)
_COMMANDS = _command_parsers()
COMMANDS = tuple(_COMMANDS)


def parse_line(line: str) -> PromptArguments | CommandArguments | None:
    """What a `%hector` line asks for; None: what is connected.

    Raises:
        UsageError: it makes no sense.
    """
    line = line.strip()
    if not line:
        return None
    first, *words = line.split()
    if first in _COMMANDS:
        return _command(first, words)
    options, prompt = _peel(line)
    return _prompt(_LINE, options, prompt)


def parse_cell(line: str, cell: str) -> PromptArguments:
    """What a `%%hector` cell asks for.

    Raises:
        UsageError: it makes no sense.
    """
    return _prompt(_CELL, line.split(), cell)


def _command(name: str, words: list[str]) -> CommandArguments:
    found, rest = _COMMANDS[name].parse_known_args(words)
    if rest:
        raise UsageError(f"%hector {name} takes no {rest[0]!r}. To send these words as a prompt: %hector -- {name} …")
    return CommandArguments(name=name, **vars(found))


def _peel(line: str) -> tuple[list[str], str]:
    """The options at the start of a line, and the rest of it."""
    options: list[str] = []
    position = 0
    while (word := _WORD.match(line, position)) and word[1].startswith("-"):
        position = word.end()
        if word[1] == "--":
            break
        options.append(word[1])
        if word[1] in _VALUED and (value := _WORD.match(line, position)):
            options.append(value[1])
            position = value.end()
    return options, line[position:].lstrip()


def _prompt(parser: _Parser, options: list[str], prompt: str) -> PromptArguments:
    found, rest = parser.parse_known_args(options)
    if rest:
        what = "the prompt goes on the lines below it" if parser is _CELL else "to send it as a prompt: %hector -- …"
        raise UsageError(f"There is no option {rest[0]!r}; {what}")
    if not prompt.strip():
        raise UsageError("There is no prompt. See %hector help")
    if found.new and found.session:
        raise UsageError("--new and --session exclude each other")
    return PromptArguments(
        prompt=prompt.strip("\n"),
        agent=found.agent or getattr(found, "name", None),
        session=found.session,
        new=found.new,
        out=found.out,
        format=cast("Format", found.format),
        thinking=found.thinking,
        debug=found.debug,
        raw=found.raw,
        stream=not found.no_stream,
    )
