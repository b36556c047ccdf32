"""Tools in words, as every front end says them: what they do, what came of it, what is asked."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hector_nb.frontends.asking import visible_line
from hector_nb.frontends.render import plain, plain_line
from hector_nb.frontends.words import counted, shortened
from hector_nb.messages import unreadable

_LONGEST_OUTPUT = 20_000
"""Characters of a tool's output that are shown at once."""
_LONGEST_RESULT = 48


class ToolWords(NamedTuple):
    """How a tool is spoken of: while it runs, afterwards, where it could not be used, by which argument, and that it asks first."""

    now: str
    then: str
    never: str
    argument: str
    asks: str


_TOOLS = {
    "execute_command": ToolWords("Running", "Ran", "Could not run", "command", "runs a command"),
    "write_file": ToolWords("Writing", "Wrote", "Could not write", "path", "writes a file"),
    "read_file": ToolWords("Reading", "Read", "Could not read", "path", "reads a file"),
    "list_files": ToolWords("Listing", "Listed", "Could not list", "path", "lists files"),
    "search": ToolWords("Searching for", "Searched for", "Could not search for", "query", "searches"),
    "agent_call": ToolWords("Asking", "Asked", "Could not ask", "agent", "asks another agent"),
}


def verb(name: str, *, over: bool) -> str:
    """`Running`, or `Ran` once it is over; of a tool that nobody knows, its name is part of it."""
    words = _TOOLS.get(name)
    if words:
        return words.then if over else words.now
    return f"{'Used' if over else 'Using'} {plain_line(name)}"


def verb_of(name: str, output: str, *, is_error: bool) -> str:
    """`Ran`, or `Could not run` where nothing came of the call; a command that ran and failed did run."""
    if not is_error or has_run(name, output):
        return verb(name, over=True)
    words = _TOOLS.get(name)
    return words.never if words else f"Could not use {plain_line(name)}"


def has_run(name: str, output: str) -> bool:
    """Whether a call that failed is a command that was run all the same, which says in brackets how it ended."""
    last = output.rstrip().rpartition("\n")[2]
    return name == "execute_command" and last.startswith("[")


def subject(name: str, arguments: Mapping[str, Any]) -> str:
    """The argument that tells most, whole; empty if there is none. Of arguments that are no JSON, what was written."""
    if (written := unreadable(arguments)) is not None:
        return plain_line(written)
    words = _TOOLS.get(name)
    if words:
        value = arguments.get(words.argument)
        return plain_line(value) if isinstance(value, str) else ""
    return plain_line(
        ", ".join(f"{key}={json.dumps(value, ensure_ascii=False, default=str)}" for key, value in arguments.items())
    )


def asks(names: Sequence[str]) -> list[str]:
    """Tools that ask first, in words: `writes a file`."""
    return [words.asks if (words := _TOOLS.get(name)) else f"uses {plain_line(name)}" for name in names]


def result(
    name: str, output: str, *, is_error: bool, hit: str = "hit", cut: Callable[[str, int], str] = shortened
) -> str:
    """What came of a call, in a few words; may be empty.

    Args:
        name: The tool.
        output: What it returned.
        is_error: Whether it failed.
        hit: What is found by a search.
        cut: Shortens a text to a length, as the eye measures it there.
    """
    lines = plain(output).strip().splitlines() or [""]
    if is_error:
        return cut(plain_line(lines[-1].strip("[]") if has_run(name, output) else lines[0]), _LONGEST_RESULT)
    match name:
        case "execute_command":
            return ""
        case "search":
            hits = [block for block in output.split("\n\n") if block and not block.startswith("[")]
            return counted(0 if output.startswith("Nothing was found") else len(hits), hit)
        case "write_file" | "agent_call":
            return ""
        case "read_file" | "list_files":
            return counted(len(lines), "line")
    short = plain_line(lines[0])
    return short if len(lines) == 1 and len(short) <= _LONGEST_RESULT else counted(len(lines), "line")


def last_lines(lines: list[str], most: int) -> list[str]:
    """The lines of a command's output, or those at its end with a note of how many came before: one is not worth a note."""
    left_out = len(lines) - most
    return [f"… {left_out:,} lines before", *lines[-most:]] if left_out > 1 else lines


def shown_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by their names; what is no JSON object as it was written."""
    written = unreadable(arguments)
    if written is None:
        return dict(arguments)
    return {"as written": plain(written)} if written else {}


def shown_output(text: str) -> str:
    """An output without what moves cursors, at most `_LONGEST_OUTPUT` characters of it."""
    return plain(text[: _LONGEST_OUTPUT + 1000])[:_LONGEST_OUTPUT]


def wider(name: str) -> str:
    """The wider permission."""
    return f"Allow {visible_line(name)} for the rest of this session"
