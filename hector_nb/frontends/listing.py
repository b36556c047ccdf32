"""Rows that look like a table in a notebook and are a list in code."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Generic, TypeVar

from hector_nb.frontends.render import plain
from hector_nb.wire.safe_markdown import safe_html

Row = TypeVar("Row")


class Shown(str):
    """Text that is shown as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Listing(list[Row], Generic[Row]):
    """A list whose rich form is a table.

    Args:
        rows: The values.
        columns: What each column shows of a value.
        empty: What is said where there are none.
    """

    def __init__(self, rows: Iterable[Row], *, columns: Mapping[str, Callable[[Row], object]], empty: str) -> None:
        super().__init__(rows)
        self._columns = columns
        self._empty = empty

    def _table(self) -> list[list[str]]:
        shown = [[_cell(show(row)) for show in self._columns.values()] for row in self]
        return [list(self._columns), *shown]

    def __repr__(self) -> str:
        if not self:
            return self._empty
        table = self._table()
        widths = [max(len(line[i]) for line in table) for i in range(len(self._columns))]
        rows = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in table)
        return "\n".join(row.rstrip() for row in rows)

    def _repr_html_(self) -> str:
        if not self:
            return f"<em>{safe_html(self._empty)}</em>"
        head, *body = self._table()
        rows = "".join(f"<tr>{_cells('td', line)}</tr>" for line in body)
        return f"<table><thead><tr>{_cells('th', head)}</tr></thead><tbody>{rows}</tbody></table>"


def local(moment: datetime) -> str:
    """A time as people here write it."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _cells(tag: str, line: list[str]) -> str:
    return "".join(f'<{tag} style="text-align: left; white-space: pre-wrap">{safe_html(cell)}</{tag}>' for cell in line)


def _cell(value: object) -> str:
    text = plain(str(value)).strip()
    return text if len(text) <= 500 else f"{text[:500]}…"
