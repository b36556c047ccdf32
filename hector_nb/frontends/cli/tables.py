"""Lists in columns: drawn to fit a terminal, tab-separated and whole in a pipe."""

import sys
from collections.abc import Sequence

import typer
from rich.table import Table
from rich.text import Text

from hector_nb.frontends.cli.console import make_console
from hector_nb.frontends.render import plain_line


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text. A terminal gets no column that is empty. A pipe gets no heading and nothing is cut, so that other programs can read it."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(plain_line(cell) for cell in row))
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
