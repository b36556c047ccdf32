"""Lists for a terminal, drawn to fit it; in a pipe they are tab-separated and whole, so that other programs can read them."""

import sys
from collections.abc import Sequence

import typer
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hector_nb.frontends.cli.console import make_console
from hector_nb.frontends.render import plain_line


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a line for each row. A terminal gets the headings, and no column that is empty."""
    if not sys.stdout.isatty():
        _print_lines(rows)
        return
    shown = [number for number in range(len(head)) if not rows or any(row[number] for row in rows)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number in shown:
        # The first column is what people copy: it is never cut. The last one wraps; those between share what is left.
        table.add_column(Text(head[number]), no_wrap=number == 0)
    for row in rows:
        cells = [Text(plain_line(row[number]), no_wrap=True, overflow="ellipsis") for number in shown]
        cells[-1].no_wrap = False
        table.add_row(*cells)
    make_console().print(table)


def print_blocks(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows that are too long for one line. A terminal gets a block of lines for each: the first cell, and beneath it what is not empty."""
    if not sys.stdout.isatty():
        _print_lines(rows)
        return
    for number, (first, *others) in enumerate(rows):
        block = Table.grid(padding=(0, 2, 0, 0))
        block.add_column(style="dim", no_wrap=True)
        block.add_column(overflow="fold")
        for label, cell in zip(head[1:], others, strict=True):
            if cell:
                block.add_row(Text(label.lower()), Text(plain_line(cell)))
        title = Text(plain_line(first), "bold")
        make_console().print(Padding(Group(title, Padding(block, (0, 0, 0, 2))), (1 if number else 0, 0, 0, 0)))


def _print_lines(rows: Sequence[Sequence[str]]) -> None:
    for row in rows:
        typer.echo("\t".join(plain_line(cell) for cell in row))
