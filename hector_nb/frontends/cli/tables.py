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
        # The first column is what people copy: it is never cut.
        table.add_column(
            title, no_wrap=True, min_width=None if number else max(len(title), *(len(row[0]) for row in rows))
        )
    for row in rows:
        table.add_row(*(Text(plain_line(cell)) for cell in row))
    make_console().print(table)
