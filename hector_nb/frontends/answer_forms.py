"""What is made of an answer besides Markdown: the code in it, for a new cell, and the JSON in it, as a value."""

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hector_nb.errors import InvalidRequest
from hector_nb.wire.safe_markdown import clean

_PYTHON = frozenset({"", "python", "py", "python3", "ipython", "ipython3", "pycon3"})
_MAGICS = {"bash": "bash", "sh": "sh", "shell": "bash", "html": "html", "javascript": "javascript", "js": "javascript"}


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A piece of code in an answer; `language` is in small letters, and empty where none is named."""

    language: str
    code: str


def code_blocks(markdown: str) -> Sequence[CodeBlock]:
    """The fenced code of an answer, in order."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(markdown)
    return [
        CodeBlock((token.info.split() or [""])[0].lower(), token.content.rstrip("\n"))
        for token in tokens
        if token.type == "fence" and token.content.strip()
    ]


def code_of(markdown: str) -> str | None:
    """The code of an answer as a cell: its Python, else its first block of another language; an answer that is all code counts too.

    What would make it read otherwise than it runs is taken out.
    """
    markdown = clean(markdown)
    blocks = code_blocks(markdown)
    if python := [block.code for block in blocks if block.language in _PYTHON]:
        return "\n\n".join(python)
    if blocks:
        magic = _MAGICS.get(blocks[0].language)
        return f"%%{magic}\n{blocks[0].code}" if magic else blocks[0].code
    return markdown.strip() if _is_python(markdown) else None


def _is_python(text: str) -> bool:
    """Whether a text without fences is a program, and not a word that happens to be one."""
    try:
        body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError):
        return False
    return any(not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Name | ast.Constant)) for each in body)


def json_of(markdown: str) -> Any:
    """The value of an answer that is JSON, bare or in a code block.

    Raises:
        InvalidRequest: it is not.
    """
    blocks = [block.code for block in code_blocks(markdown) if block.language in ("", "json")]
    wrong = ""
    for text in (markdown, *blocks):
        try:
            return json.loads(text)
        except ValueError as error:
            wrong = wrong or str(error)
    raise InvalidRequest(
        f"The answer is not JSON: {wrong}", hint="It is in _hector as it came. Say in the prompt what JSON you want."
    )


def json_markdown(value: Any) -> str:
    """A value as a block of JSON."""
    written = json.dumps(value, ensure_ascii=False, indent=2)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", written)), default=0))
    return f"{fence}json\n{written}\n{fence}"
