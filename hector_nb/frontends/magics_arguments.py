"""What may stand after `%hector` and `%%hector`.

A first word that is a command wins; `%hector -- …` is always a prompt. Options come before the prompt, and the prompt itself is
never split or unquoted: `what's up` arrives as it was typed.
"""

import argparse
import keyword
import re
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, cast, get_args

from IPython.core.error import UsageError

Format = Literal["markdown", "text", "code", "json"]
FORMATS = get_args(Format)
FILE_FORMATS = ("markdown", "json", "ipynb")
_WORD = re.compile(r"\s*(\S+)")
_FILLED_IN = r"\{[^\s{}]+\}"
_MEMORY_ID = re.compile(rf"mem_\w{{1,64}}|{_FILLED_IN}")
_TURN_ID = re.compile(rf"turn_\w{{1,64}}|{_FILLED_IN}")
_CORRECTION = re.compile(r"(?P<words>\s*(?:(?:-s|--session)[\s=]\s*\S+\s+)?[^\s-]\S*)(?P<text>\s.*)?", re.DOTALL)
_QUERY = re.compile(r"(?P<words>.*?(?:^|\s))(?:-q|--query)[\s=](?P<text>.*)", re.DOTALL)
_NAMES = (
    *("agents", "use", "new", "sessions", "history"),
    *("memory", "why", "correct", "forget", "tools", "connect", "version", "help"),
    *("fork", "rewind", "export", "chat"),
)
_OF_SESSION = ("use", "history", "memory", "why", "correct", "forget", "fork", "rewind", "export", "chat")
"""These are about a session: the notebook's own, or another one."""
_VALUED = ("-a", "--agent", "-s", "--session", "--out", "-f", "--format")
ABOUT_THE_ERROR = "Explain this error and say how to mend it."
"""The prompt of `--err` alone."""


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
    err: bool = False
    append: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandArguments:
    """A command; what it does not take is None."""

    name: str
    agent: str | None = None
    session: str | None = None
    limit: int = 20
    query: str | None = None
    turn: str | None = None
    memory_ids: tuple[str, ...] = ()
    text: str | None = None
    file: str | None = None
    format: str | None = None
    overwrite: bool = False
    url: str | None = None
    token: str | None = None


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
    parser.add_argument("-f", "--format", choices=FORMATS, default="markdown")
    parser.add_argument("--err", action="store_true")
    parser.add_argument("--append", action="store_true")
    parser.add_argument("--thinking", action="store_true")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--no-stream", action="store_true")
    return parser


def _command_parsers() -> dict[str, _Parser]:
    parsers = {name: _make(f"%hector {name}") for name in _NAMES}
    parsers["use"].add_argument("agent")
    parsers["new"].add_argument("agent", nargs="?")
    parsers["sessions"].add_argument("agent", nargs="?")
    parsers["tools"].add_argument("agent", nargs="?")
    parsers["chat"].add_argument("agent", nargs="?")
    for name in ("why", "fork", "rewind"):
        parsers[name].add_argument("turn", nargs="?", type=_turn)
    parsers["export"].add_argument("file", nargs="?", metavar="FILE")
    parsers["export"].add_argument("-f", "--format", choices=FILE_FORMATS)
    parsers["export"].add_argument("--overwrite", action="store_true")
    parsers["connect"].add_argument("url", nargs="?", metavar="URL")
    parsers["connect"].add_argument("--token")
    parsers["forget"].add_argument("memory_ids", nargs="+", type=_memory, metavar="MEM_ID")
    parsers["correct"].add_argument("memory_ids", nargs=1, type=_memory, metavar="MEM_ID")
    parsers["memory"].add_argument("-q", "--query", metavar="TEXT")
    for name in _OF_SESSION:
        parsers[name].add_argument("-s", "--session", metavar="ID")
    for name in ("sessions", "history"):
        parsers[name].add_argument("-n", "--limit", type=_positive, default=20)
    return parsers


def _memory(text: str) -> str:
    if not _MEMORY_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a memory (mem_…)")
    return text


def _turn(text: str) -> str:
    if not _TURN_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a turn (turn_…)")
    return text


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
    first = line.split(maxsplit=1)[0]
    if first in _COMMANDS:
        return _command(first, line[len(first) :])
    options, prompt = _peel(line)
    return _prompt(_LINE, options, prompt)


def parse_cell(line: str, cell: str) -> PromptArguments:
    """What a `%%hector` cell asks for.

    Raises:
        UsageError: it makes no sense.
    """
    return _prompt(_CELL, line.split(), cell)


def _command(name: str, line: str) -> CommandArguments:
    words, text = _split(name, line)
    try:
        found, rest = _COMMANDS[name].parse_known_args(words)
    except UsageError as error:
        raise UsageError(f"{error}. {_as_prompt(name)}") from None
    if rest:
        raise UsageError(f"%hector {name} takes no {rest[0]!r}. {_as_prompt(name)}")
    if name == "correct" and not text:
        raise UsageError(f"%hector correct needs the new text: %hector correct mem_… TEXT. {_as_prompt(name)}")
    given: dict[str, Any] = {key: tuple(value) if key == "memory_ids" else value for key, value in vars(found).items()}
    return CommandArguments(name=name, text=text or None, **given)


def _split(name: str, line: str) -> tuple[list[str], str]:
    """The words of a command, and the free text at its end: a correction or a query is as it was typed."""
    if name == "correct":
        match = _CORRECTION.fullmatch(line)
        return (match["words"].split(), _unquoted(match["text"] or "")) if match else (line.split(), "")
    if name == "memory" and (match := _QUERY.fullmatch(line)):
        return [*match["words"].split(), f"--query={_unquoted(match['text'])}"], ""
    return line.split(), ""


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _as_prompt(name: str) -> str:
    return f"To send these words as a prompt: %hector -- {name} …"


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
    if found.err and not prompt.strip():
        prompt = ABOUT_THE_ERROR
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
        err=found.err,
        append=found.append,
    )
