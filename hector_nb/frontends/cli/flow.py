"""An answer that grows. What more text cannot change is settled and printed once; only the rest is drawn again and again.

A line that is not complete settles nothing, for its end may make something else of it. Of the complete lines, settled are all blocks but
the last; of a list all items but the last, of a code block all lines. So nothing of a long
answer is lost from the terminal's scrollback, and what moves is small. Above is `screen.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import Style
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
        blocks = self._blocks(self._source if final else self._source[: self._source.rfind("\n") + 1])
        for block in blocks if final else blocks[:-1]:
            yield self._draw(block)
        if final:
            self._source = ""
        elif blocks:
            self._cut(_line(blocks[-1][0]))
            yield from self._part_of(blocks[-1])

    def tail(self) -> RenderableType:
        """What is not settled yet."""
        place = self._place
        parts = [self._draw(block) for block in self._blocks(self._source)]
        self._place = place
        return Group(*parts)

    def _blocks(self, source: str) -> list[list[Token]]:
        """The top-level blocks, each as its tokens."""
        tokens = parse(source, {"references": dict(self._references.get("references", {}))})
        starts = [i for i, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0]
        return [tokens[a:b] for a, b in pairwise([*starts, len(tokens)])]

    def _cut(self, lines: int) -> None:
        """Drop so many lines of the source, and remember the link targets in them."""
        if lines:
            split = self._source.split("\n")
            parse("\n".join(split[:lines]), self._references)
            self._source = "\n".join(split[lines:])

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
        whole_lines = self._source.count("\n") - (code.type == "fence")
        code.content = "\n".join(code.content.split("\n")[:whole_lines]).rstrip()
        count = code.content.count("\n") + 1 if code.content else 0
        if count > self._place.shown:
            yield self._draw([code])
            self._place = _Place(shown=count)

    def _items(self, block: list[Token]) -> Iterator[RenderableType]:
        starts = [i for i, token in enumerate(block) if token.level == 1 and token.type == "list_item_open"]
        if len(starts) > 1:
            lines = _line(block[starts[-1]]) - _line(block[0])
            yield self._draw([*block[: starts[-1]], block[-1]])
            self._place = _Place(number=int(block[0].attrs.get("start", 1)) + len(starts) - 1)
            self._cut(lines)


class ThinkingFlow:
    """A model's reasoning, as it is and dim: whole lines settle."""

    def __init__(self) -> None:
        self._source = ""

    def feed(self, piece: str) -> None:
        """Take more text."""
        self._source += piece

    def settle(self, *, final: bool = False) -> Iterator[RenderableType]:
        """What can be printed for good, each part once; with `final` everything."""
        whole, _, rest = (self._source.rstrip(), "", "") if final else self._source.rpartition("\n")
        self._source = rest
        if whole:
            yield Text(whole, "dim italic")

    def tail(self) -> RenderableType:
        """What is not settled yet."""
        return Text(self._source, "dim italic")


class NestedFlow:
    """What another agent answers, under its name and beside a rule: whole lines settle."""

    def __init__(self, agent: str) -> None:
        self._name = agent
        self._lines = ThinkingFlow()

    def feed(self, piece: str) -> None:
        """Take more text."""
        self._lines.feed(piece)

    def settle(self, *, final: bool = False) -> Iterator[RenderableType]:
        """What can be printed for good, each part once; with `final` everything."""
        for lines in self._lines.settle(final=final):
            yield self._ruled(lines)
            self._name = ""

    def tail(self) -> RenderableType:
        """What is not settled yet."""
        return self._ruled(self._lines.tail())

    def _ruled(self, lines: RenderableType) -> RenderableType:
        ruled = _Ruled(lines)
        return Group(Text(f"  {self._name}", "dim bold"), ruled) if self._name else ruled


class _Ruled:
    """Something with a rule at its left, on every line that it takes."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - 4, 8)
        for line in console.render_lines(self._content, options.update_width(width), pad=False):
            yield Segment("  │ ", Style(dim=True))
            yield from line
            yield Segment.line()


def _line(token: Token) -> int:
    """Where a block's token begins, in lines of the source."""
    return token.map[0] if token.map else 0
