"""Markdown in a terminal: what `rich` draws, made fit for model text.

HTML is shown as it is written instead of vanishing, links show where they lead, images are links, headings stand left, and
code uses the terminal's own colours. One block at a time. Above is `flow.py`.
"""

from collections.abc import Iterable, MutableMapping
from typing import Any, ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.box import SIMPLE
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, HorizontalRule, ListItem, Markdown, MarkdownElement, TableElement
from rich.rule import Rule
from rich.segment import Segment
from rich.syntax import Syntax
from rich.table import Table

_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def parse(source: str, references: MutableMapping[str, Any]) -> list[Token]:
    """The tokens of the source; link targets defined in it are added to `references`, so that later text can use them."""
    tokens = _PARSER.parse(source, references)
    for token in tokens:
        for child in token.children or ():
            if child.type == "image":
                child.type, child.tag = "text", ""
                child.content, child.children = f"{child.content} ({child.attrs.get('src', '')})", None
    return tokens


class _Heading(Heading):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text


class _Rule(HorizontalRule):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Rule(style="dim", characters="-" if options.ascii_only else "─")


class _Code(CodeBlock):
    """A code block; `token.meta["shown"]` lines of it stand on the screen already."""

    shown: int = 0

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> "_Code":
        words = token.info.split(maxsplit=1)
        block = cls(words[0] if words else "text", markdown.code_theme)
        block.shown = token.meta.get("shown", 0)
        return block

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        if self.shown and self.shown >= code.count("\n") + 1:
            return
        yield Syntax(
            code,
            self.lexer_name,
            theme=self.theme,
            line_range=(self.shown + 1, None),
            word_wrap=True,
            padding=(0, 2),
            background_color="default",
        )


class _Item(ListItem):
    def render_number(self, console: Console, options: ConsoleOptions, number: int, last_number: int) -> RenderResult:
        width = max(len(str(last_number)), 2) + 2
        lines = console.render_lines(self.elements, options.update(width=options.max_width - width), style=self.style)
        for i, line in enumerate(lines):
            mark = f"{number}.".rjust(width - 1) if i == 0 else " " * (width - 1)
            yield Segment(f"{mark} ", console.get_style("markdown.item.number"))
            yield from line
            yield Segment.line()


class _Table(TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=SIMPLE, show_edge=False, pad_edge=False, style="markdown.table.border")
        for cell in self.header.row.cells if self.header and self.header.row else ():
            table.add_column(cell.content, header_style="markdown.table.header", justify=cell.justify)
        for row in self.body.rows if self.body else ():
            table.add_row(*(cell.content for cell in row.cells))
        yield table


class _Blocks(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "hr": _Rule,
        "fence": _Code,
        "code_block": _Code,
        "list_item_open": _Item,
        "table_open": _Table,
    }

    def __init__(self, tokens: Iterable[Token]) -> None:
        super().__init__("", hyperlinks=False, code_theme="ansi_dark")
        self.parsed = list(tokens)


class Block:
    """One top-level block, given as its tokens, ready to print: no empty line before it, no spaces at the ends of its lines."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._blocks = _Blocks(tokens)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._blocks, options, pad=False)
        for line in lines[1:] if lines and not lines[0] else lines:
            yield from _trimmed(line)
            yield Segment.line()


def _trimmed(line: list[Segment]) -> list[Segment]:
    while line and not line[-1].text.strip():
        line = line[:-1]
    return [*line[:-1], Segment(line[-1].text.rstrip(), line[-1].style)] if line else line
