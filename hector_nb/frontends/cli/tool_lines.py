"""What an agent's tools do, in one line each: `✓ Searched for "sales"  3 places · 0.2 s`."""

from rich.cells import cell_len
from rich.text import Text

from hector_nb.events import ToolCalled, ToolReturned
from hector_nb.frontends import tool_words
from hector_nb.frontends.cli.cells import cut
from hector_nb.frontends.render import plain
from hector_nb.messages import unreadable

_SHOWN_LINES = 12
"""Lines of a command's output that are shown, those at its end."""


def doing(call: ToolCalled, width: int) -> Text:
    """What goes on."""
    return Text(cut(f"◌ {tool_words.verb(call.name, over=False)} {_argument(call)}".rstrip(), width), "dim")


def done(call: ToolCalled, result: ToolReturned, seconds: float, width: int) -> Text:
    """What was done, and what came of it."""
    outcome = tool_words.result(result.name, result.output, is_error=result.is_error, hit="place", cut=cut)
    did = tool_words.verb_of(result.name, result.output, is_error=result.is_error)
    told = [outcome, f"{seconds:.1f} s"]
    right = f"  {' · '.join(word for word in told if word)}"
    left = cut(f"{did} {_argument(call)}".rstrip(), max(width - 2 - cell_len(right), 10))
    mark = ("✗ ", "red") if result.is_error else ("✓ ", "green")
    return Text.assemble(mark, left, (cut(right, max(width - 2 - cell_len(left), 0)), "dim"))


def output_of(result: ToolReturned) -> Text | None:
    """What a command printed: its last lines."""
    if result.name != "execute_command" or not result.output.strip() or _never_ran(result):
        return None
    lines = tool_words.last_lines(plain(result.output).rstrip().split("\n"), _SHOWN_LINES)
    return Text("\n".join(f"  {line}" for line in lines), "dim")


def _argument(call: ToolCalled) -> str:
    """The argument that tells most, or all of them."""
    told = tool_words.subject(call.name, call.arguments)
    return f'"{told}"' if told and call.name == "search" and unreadable(call.arguments) is None else told


def _never_ran(result: ToolReturned) -> bool:
    return result.is_error and not tool_words.has_run(result.name, result.output)
