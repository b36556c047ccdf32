"""What an agent's tools do, in one line each: `✓ Searched for "sales"  3 places · 0.2 s`."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from hector_nb.events import ToolCalled, ToolReturned
from hector_nb.frontends.render import plain, plain_line


class _Words(NamedTuple):
    now: str
    then: str
    argument: str


_WORDS = {
    "execute_command": _Words("Running", "Ran", "command"),
    "write_file": _Words("Writing", "Wrote", "path"),
    "read_file": _Words("Reading", "Read", "path"),
    "list_files": _Words("Listing", "Listed", "path"),
    "search": _Words("Searching for", "Searched for", "query"),
    "agent_call": _Words("Asking", "Asked", "agent"),
}
_SHOWN_LINES = 12
"""Lines of a command's output that are shown, those at its end."""
_LONGEST_RESULT = 48


def doing(call: ToolCalled, width: int) -> Text:
    """What goes on."""
    words = _WORDS.get(call.name)
    verb = words.now if words else f"Using {plain_line(call.name)}"
    return Text(_cut(f"◌ {verb} {_argument(call)}".rstrip(), width), "dim")


def done(call: ToolCalled, result: ToolReturned, seconds: float, width: int) -> Text:
    """What was done, and what came of it."""
    words = _WORDS.get(call.name)
    verb = words.then if words else f"Used {plain_line(call.name)}"
    told = [_outcome(result), f"{seconds:.1f} s"]
    right = f"  {' · '.join(word for word in told if word)}"
    left = _cut(f"{verb} {_argument(call)}".rstrip(), max(width - 2 - cell_len(right), 10))
    mark = ("✗ ", "red") if result.is_error else ("✓ ", "green")
    return Text.assemble(mark, left, (_cut(right, max(width - 2 - cell_len(left), 0)), "dim"))


def output_of(result: ToolReturned) -> Text | None:
    """What a command printed: its last lines."""
    if result.name != "execute_command" or not result.output.strip():
        return None
    lines = plain(result.output).rstrip().split("\n")
    left_out = len(lines) - _SHOWN_LINES
    if left_out > 1:
        lines = [f"… {left_out:,} lines before", *lines[-_SHOWN_LINES:]]
    return Text("\n".join(f"  {line}" for line in lines), "dim")


def _argument(call: ToolCalled) -> str:
    """The argument that tells most, or all of them."""
    words = _WORDS.get(call.name)
    value = call.arguments.get(words.argument) if words else None
    if isinstance(value, str):
        return f'"{plain_line(value)}"' if call.name == "search" else plain_line(value)
    return "" if words else plain_line(_all(call.arguments))


def _all(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())


def _outcome(result: ToolReturned) -> str:
    lines = plain(result.output).strip().splitlines() or [""]
    if result.is_error and result.name != "execute_command":
        return _cut(plain_line(lines[0]), _LONGEST_RESULT)
    match result.name:
        case "execute_command":
            return lines[-1].strip("[]") if lines[-1].startswith("[") and result.is_error else ""
        case "search":
            places = [block for block in result.output.split("\n\n") if block and not block.startswith("[")]
            found = len(places) if not result.output.startswith("Nothing was found") else 0
            return f"{found} {'place' if found == 1 else 'places'}"
        case "write_file" | "agent_call":
            return ""
        case "read_file" | "list_files":
            return f"{len(lines):,} {'line' if len(lines) == 1 else 'lines'}"
    short = plain_line(lines[0])
    return short if len(lines) == 1 and len(short) <= _LONGEST_RESULT else f"{len(lines):,} lines"


def _cut(text: str, cells: int) -> str:
    return text if cell_len(text) <= cells else f"{set_cell_size(text, max(cells - 1, 0)).rstrip()}…"
