"""Consoles for text that is not ours."""

import os
import sys
from typing import Literal

from rich.console import Console
from rich.theme import Theme

THEME = Theme(
    {
        "markdown.code": "cyan",
        "markdown.h1": "bold underline",
        "markdown.h2": "bold underline",
        "markdown.h3": "bold",
        "markdown.h4": "bold italic",
        "markdown.h6": "italic dim",
        "markdown.block_quote": "dim",
        "markdown.item.number": "bold",
        "markdown.link": "underline",
        "markdown.link_url": "dim",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
    }
)


def make_console(stream: Literal["out", "err"] = "out") -> Console:
    """A console without automatic markup, links or highlighting, for text that is not ours."""
    return Console(stderr=stream == "err", theme=THEME, highlight=False, markup=False, emoji=False)


def can_ask() -> bool:
    """Whether a person sits at the terminal, who can be asked and sees the question."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def can_draw() -> bool:
    """Whether standard output is a terminal on which lines can be drawn again."""
    return sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}
