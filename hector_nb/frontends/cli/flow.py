"""An answer that grows. What more text cannot change is settled and printed once; only the rest is drawn again and again.

Settled are all blocks but the last; of a list all items but the last, of a code block all whole lines. So nothing of a long
answer is lost from the terminal's scrollback, and what moves is small. Above is `screen.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from markdown_it.token import Token
from rich.console import Group, RenderableType
from rich.text import Text

from hector_nb.frontends.cli.markdown import Block, parse


class Flow(Protocol):
    """Text that comes in pieces, on its way to the screen."""

    def feed(self, piece: str) -> None:
        """Take more text."""
        ...

    def settle(self, *, final: bool = False) -> Iterator[RenderableType]:
        """What can be printed for good, each part once; with `final` everything."""
        ...

    def tail(self) -> RenderableType:
        """What is not settled yet."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where the unsettled text begins: after a block, inside a list (whose next item has `number`), or inside code."""

    gap: bool = False
    number: int | None = None
    shown: int = 0


class MarkdownFlow:
    """Markdown text."""

    def __init__(self) -> None:
        self._source = ""
        self._references: dict[str, Any] = {}
        self._place = _Place()

    def feed(self, piece: str) -> None:
        """Take more text."""
        self._source += piece

    def settle(self, *, final: bool = False) -> Iterator[RenderableType]:
        """What can be printed for good, each part once; with `final` everything."""
        blocks = self._blocks()
        for block in blocks if final else blocks[:-1]:
            yield self._draw(block)
        if final:
            self._source = ""
        elif blocks:
            self._cut(blocks[-1][0])
            yield from self._part_of(blocks[-1])

    def tail(self) -> RenderableType:
        """What is not settled yet."""
        place = self._place
        parts = [self._draw(block) for block in self._blocks()]
        self._place = place
        return Group(*parts)

    def _blocks(self) -> list[list[Token]]:
        tokens = parse(self._source, self._references)
        starts = [i for i, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0]
        return [tokens[a:b] for a, b in pairwise([*starts, len(tokens)])]

    def _cut(self, token: Token) -> None:
        """Drop the source before this token."""
        line = token.map[0] if token.map else 0
        self._source = "\n".join(self._source.split("\n")[line:])

    def _draw(self, block: list[Token]) -> RenderableType:
        place, self._place = self._place, _Place(gap=True)
        if place.number is not None:
            block[0].attrs["start"] = place.number
        block[0].meta["shown"] = place.shown
        return Group("", Block(block)) if place.gap else Block(block)

    def _part_of(self, block: list[Token]) -> Iterator[RenderableType]:
        if block[0].type in {"fence", "code_block"}:
            yield from self._code_lines(block[0])
        elif block[0].type in {"bullet_list_open", "ordered_list_open"}:
            yield from self._items(block)

    def _code_lines(self, code: Token) -> Iterator[RenderableType]:
        code.content = code.content.rpartition("\n")[0].rstrip()
        count = code.content.count("\n") + 1 if code.content else 0
        if count > self._place.shown:
            yield self._draw([code])
            self._place = _Place(shown=count)

    def _items(self, block: list[Token]) -> Iterator[RenderableType]:
        starts = [i for i, token in enumerate(block) if token.level == 1 and token.type == "list_item_open"]
        if len(starts) > 1:
            last = block[starts[-1]]
            yield self._draw([*block[: starts[-1]], block[-1]])
            number = int(block[0].attrs.get("start", 1)) + len(starts) - 1
            self._place = _Place(number=number)
            self._cut(last)


class PlainFlow:
    """Plain text, such as a model's reasoning: whole lines settle."""

    def __init__(self, style: str) -> None:
        self._source = ""
        self._style = style

    def feed(self, piece: str) -> None:
        """Take more text."""
        self._source += piece

    def settle(self, *, final: bool = False) -> Iterator[RenderableType]:
        """What can be printed for good, each part once; with `final` everything."""
        if final:
            self._source = self._source.rstrip() + "\n"
        lines, _, self._source = self._source.rpartition("\n")
        if lines:
            yield Text(lines, self._style)

    def tail(self) -> RenderableType:
        """What is not settled yet."""
        return Text(self._source, self._style)
