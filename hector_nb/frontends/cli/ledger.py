"""A ledger in a terminal: the budget as a bar, what stands against it, what was recalled. In colours where there are any, else in letters."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from hector_nb.frontends.cli.cells import cut
from hector_nb.frontends.cli.console import can_draw
from hector_nb.frontends.ledger_rows import LOOKS, Row, bar, excerpt_of, headline, notes, rows
from hector_nb.frontends.render import plain_line
from hector_nb.memories import Ledger, LedgerPart

_INDENT = "  "
_MOST_CELLS = 56
_EXCERPT_FROM = 72
"""Columns from which on there is room for what the parts say."""
_LEAST_EXCERPT = 8
"""Columns below which nothing of it is shown."""
_TITLE = 32
"""Columns of the session's title."""
_LABEL = max(len(look.label) for look in LOOKS.values())


def print_ledger(
    console: Console, ledger: Ledger, *, settings: Mapping[str, Any] | None, title: str = "", whole: bool = False
) -> None:
    """Print it.

    Args:
        console: Where.
        ledger: The ledger.
        settings: The agent's working-memory settings, for the marks under the bar.
        title: What the session is called.
        whole: Every part with its first words, where else there is one line for each kind.
    """
    width = console.width
    colours = console.color_system is not None and not console.no_color and can_draw()
    for line in _lines(ledger, width, settings or {}, title=title, whole=whole, colours=colours):
        line.truncate(width, overflow="ellipsis")
        console.print(line, no_wrap=True, soft_wrap=True)
    folds = ledger.strategy == "summary_buffer" and settings is not None
    for note in notes(ledger, threshold=settings["threshold"] if folds and settings else None):
        console.print(Text(f"{_INDENT}{note}", "dim"))


def _lines(
    ledger: Ledger, width: int, settings: Mapping[str, Any], *, title: str, whole: bool, colours: bool
) -> Iterator[Text]:
    cells = min(_MOST_CELLS, width - len(_INDENT) - 1)
    title = cut(plain_line(title), _TITLE)
    words = (ledger.turn_id, title) if ledger.turn_id else (title, "now")
    head = Text(_INDENT).append(headline(ledger), "bold")
    yield head.append("".join(f"  ·  {word}" for word in words if word), "dim")
    yield _bar(ledger, cells, colours=colours)
    if ledger.strategy == "summary_buffer" and settings:
        yield Text(_INDENT + _marks(settings, cells), "dim")
    found = rows(ledger)
    items = max((len(f"{len(row.parts)}") for row in found), default=1)
    tokens = max((len(f"{row.tokens:,}") for row in found), default=1)
    for row in found:
        line = _row(row, items, tokens, colours=colours)
        room = width - cell_len(line.plain) - 2
        if whole:
            yield line
            for part in row.parts:
                yield from _part(part, tokens)
        elif row.kind == "memory":
            yield line
            yield from _memories(row.parts, width)
        else:
            yield line.append(f"  {_told(row.excerpt, room)}", "dim") if width >= _EXCERPT_FROM else line


def _bar(ledger: Ledger, cells: int, *, colours: bool) -> Text:
    line = Text(_INDENT)
    for kind, size in bar(ledger, cells):
        if colours:
            line.append(("━" if kind else "─") * size, LOOKS[kind].ansi if kind else "dim")
        else:
            line.append((LOOKS[kind].letter if kind else "-") * size)
    return line


def _marks(settings: Mapping[str, Any], cells: int) -> str:
    """Down to where old turns are folded, and from where on."""
    target, threshold = float(settings["target"]), float(settings["threshold"])
    first = f"╵{target:.0%}".replace("%", " %")
    second = f"╵folds at {threshold:.0%}".replace("%", " %")
    at, then = round(cells * target), round(cells * threshold)
    if at + len(first) >= then:
        return " " * then + second
    return (" " * at + first).ljust(then) + second


def _row(row: Row, items: int, tokens: int, *, colours: bool) -> Text:
    share = f"{row.share:5.1f} %" if row.kind != "tools" else " beside"
    line = Text(_INDENT).append("■ " if colours else f"{row.look.letter} ", row.look.ansi if colours else "")
    return line.append(f"{row.look.label:<{_LABEL}}  {len(row.parts):>{items}}  {row.tokens:>{tokens},}  {share}")


def _memories(parts: Sequence[LedgerPart], width: int) -> Iterator[Text]:
    """Each memory with its score."""
    indent = len(_INDENT) + 2
    for part in parts:
        head = f"{' ' * indent}{part.score or 0:.2f}  "
        yield Text(head + _told(excerpt_of(part), width - len(head)), "dim")


def _part(part: LedgerPart, tokens: int) -> Iterator[Text]:
    """One part: its tokens, who said it or how it was found, its first words."""
    line = Text(f"{_INDENT}  {part.tokens:>{tokens},}  ")
    if part.kind == "memory":
        yield line.append(f"{part.score or 0:.2f}").append(f"  {part.source}  {_scores(part)}", "dim")
        line = Text(" " * (len(_INDENT) + 4 + tokens))
    if part.role:
        line.append(f"{part.role:<9}  ", "dim")
    if part.drops_next:
        line.append("drops next  ", "yellow")
    yield line.append(excerpt_of(part), "dim" if part.kind in {"system", "tools"} else "")


def _scores(part: LedgerPart) -> str:
    """The two scores that were mixed, and the session that the memory comes from."""
    keyword = "–" if part.keyword is None else f"{part.keyword:.2f}"
    vector = "–" if part.vector is None else f"{part.vector:.2f}"
    origin = [f"words {keyword}, vector {vector}"]
    if part.session_id:
        origin.append(f"from {part.session_id}")
    if part.created_at:
        origin.append(f"{part.created_at.astimezone():%Y-%m-%d}")
    return ", ".join(origin)


def _told(excerpt: str, room: int) -> str:
    """As much of what a part says as there is room for; less than a word tells nothing."""
    return cut(excerpt, room) if room >= _LEAST_EXCERPT else ""
