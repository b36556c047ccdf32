"""A file's text in pieces that can be found: some lines each, of a notebook never of two cells.

Lines are counted from 1. Those of a notebook are the lines that `read_file` shows of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hector_nb.tools.cells import BETWEEN, cells_of

_ENOUGH = 1200
"""Characters after which a piece ends."""
_AT_LEAST = 400
"""Characters after which a piece ends where something new begins."""
_MOST_LINES = 40
_MOST_PIECES = 1000
"""About the most pieces of one file; the pieces of a file of very many short lines are longer."""
_PRINTED_LINES = 20
"""Lines of a cell's output that can be found."""
_BEGINS = re.compile(
    r"#{1,6} |(async def|def|class|function|export|impl|fn|func|public|static|struct|interface|type) |@\w"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """The lines from `first` to `last`; `cell` is the number of the notebook's cell, 0: none."""

    first: int
    last: int
    cell: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Pages:
    """A file's lines and its pieces."""

    lines: list[str]
    chunks: list[Chunk]

    def between(self, first: int, last: int) -> str:
        """What these lines say, the last included."""
        return "\n".join(self.lines[first - 1 : last])


def pages(path: str, text: str) -> Pages:
    """A text in pieces; those that say nothing are left out."""
    cells = cells_of(text) if path.endswith(".ipynb") else None
    if cells is None:
        lines = text.splitlines()
        parts = [(0, len(lines), 0)]
    else:
        lines, parts = [], []
        for number, cell in enumerate(cells, 1):
            start = len(lines)
            lines += (cell.text + BETWEEN).splitlines()
            told = len(cell.source.splitlines()) + min(len(cell.printed.splitlines()), _PRINTED_LINES)
            parts.append((start, min(start + told, len(lines)), number))
    most = max(_MOST_LINES, len(lines) // _MOST_PIECES)
    chunks = [
        Chunk(first=first + 1, last=end, cell=cell)
        for start, stop, cell in parts
        for first, end in _pieces(lines, start, stop, most)
    ]
    return Pages(lines=lines, chunks=[chunk for chunk in chunks if _says_something(lines, chunk)])


def _pieces(lines: list[str], start: int, stop: int, most: int) -> Iterator[tuple[int, int]]:
    first, size = start, 0
    for index in range(start, stop):
        if size >= _ENOUGH or index - first >= most or (size >= _AT_LEAST and _BEGINS.match(lines[index])):
            yield first, index
            first, size = index, 0
        size += len(lines[index]) + 1
    if first < stop:
        yield first, stop


def _says_something(lines: list[str], chunk: Chunk) -> bool:
    return any(line and not line.isspace() for line in lines[chunk.first - 1 : chunk.last])
