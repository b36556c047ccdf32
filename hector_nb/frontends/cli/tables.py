"""Lists in columns: drawn to fit a terminal, tab-separated and whole in a pipe."""

import sys
from collections.abc import Sequence

import typer
from rich.table import Table
from rich.text import Text

from hector_nb.frontends.cli.console import make_console
from hector_nb.frontends.render import plain_line


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text. A pipe gets no heading and nothing is cut, so that other programs can read it."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(plain_line(cell) for cell in row))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number, title in enumerate(head):
        # The first column is what people copy: it is never cut. The last one wraps; those between share what is left.
        table.add_column(Text(title), no_wrap=number == 0)
    for row in rows:
        cells = [Text(plain_line(cell), no_wrap=True, overflow="ellipsis") for cell in row]
        cells[-1].no_wrap = False
        table.add_row(*cells)
    make_console().print(table)
