"""Markdown that a model wrote, made safe to display: JupyterLab runs scripts and loads images out of `text/markdown`.

What is not code goes through `safe_inline`. Code keeps its exact text: a fence whose content could do harm outside of one is
written again in the form that every renderer takes for code, at the left margin, with blank lines around it, a language,
and more backticks than its content has. `SafeMarkdown` takes the text in pieces and costs no more for a long answer than for a
short one: finished blocks are never looked at again.
"""

import html
import re
from copy import copy

from hector_nb.wire.safe_inline import is_inert, neutralise_paragraph

_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029]")
_TEX_SIGN = re.compile(r"[$\\]")
_OPENER = re.compile(r"(?P<prefix>[ \t]*(?:(?:>|[-*+]|\d{1,9}[.)])[ \t]*)*)(?P<run>`{3,}|~{3,})(?P<info>.*)")
_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)")
_INDENTED = re.compile(r"(?: {4}| {0,3}\t)")
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}", re.ASCII)
_QUOTED = re.compile(r"[ \t]*>[ \t]?")


def clean(text: str) -> str:
    """Text without control characters, bidirectional overrides and lone surrogates; lines end as Python's do."""
    return _SURROGATES.sub("\ufffd", _UNWANTED.sub("", _LINE_ENDS.sub("\n", text)))


def safe_html(text: str) -> str:
    """Text as HTML that shows it. JupyterLab typesets TeX in HTML too (and TeX can link to scripts), so none is left whole."""
    return _TEX_SIGN.sub(r"<span>\g<0></span>", html.escape(clean(text)))


def neutralise(markdown: str) -> str:
    """The whole of a model's Markdown, made safe."""
    safe = SafeMarkdown()
    safe.feed(markdown)
    return safe.text()


class SafeMarkdown:
    """A model's Markdown as it arrives."""

    def __init__(self) -> None:
        self._blocks = _Blocks()
        self._carry = ""
        self._line: list[str] = []
        self._done: list[str] = []

    def feed(self, delta: str) -> None:
        """Take the next piece."""
        delta = self._carry + delta
        # The other half of a line end may come with the next piece.
        self._carry = "\r" if delta.endswith("\r") else ""
        *lines, rest = clean(delta.removesuffix("\r") if self._carry else delta).split("\n")
        for line in lines:
            self._blocks.add("".join(self._line) + line)
            self._line.clear()
        self._line.append(rest)
        self._done += self._blocks.take()

    def text(self) -> str:
        """All so far, with what is still open closed."""
        rest = self._blocks.fork()
        if last := "".join(self._line):
            rest.add(last)
        rest.finish()
        return "".join([*self._done, *rest.take()]).rstrip("\n")


class _Fence:
    """A code block that is being read."""

    def __init__(self, match: re.Match[str], *, nested: bool) -> None:
        self.prefix = match["prefix"]
        self.run = match["run"]
        self.info = match["info"].strip()
        self.raw = [match[0]]
        self.lines: list[str] = []
        self.closed = False
        self.nested = nested or bool(self.prefix.strip())
        self._quoted = ">" in self.prefix
        self._indent = len(self.prefix.expandtabs(4))

    def takes(self, line: str) -> bool:
        """Read a line; False if the block ended before it."""
        content = line
        if self._quoted:
            if not line.lstrip().startswith(">"):
                return False
            for _ in range(self.prefix.count(">")):
                content = _QUOTED.sub("", content, count=1)
        self.raw.append(line)
        bare = content.strip()
        if len(bare) >= len(self.run) and not bare.strip(self.run[0]):
            self.closed = True
        else:
            self.lines.append(content if self._quoted else _dedented(content, self._indent))
        return True

    def written(self) -> str:
        """As Markdown. In a list or quotation it stays there if that is safe."""
        language = _LANGUAGE.match(self.info)
        if self.nested and is_inert("\n".join(self.raw)) and (language or not self.info) and "\t" not in self.prefix:
            raw = self.raw if self.closed else [*self.raw, self._closing_prefix() + self.run]
            if language is None or language[0] == self.info:
                return "\n".join(raw) + "\n"
        return _fenced(self.lines, language[0] if language else "text")

    def _closing_prefix(self) -> str:
        return self.prefix if self._quoted else " " * self._indent


class _Blocks:
    """Lines become blocks: paragraphs (and all else that is text), indented code and fences."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._paragraph: list[str] = []
        self._indented: list[str] = []
        self._fence: _Fence | None = None
        self._in_list = False
        self._after_blank = True
        self._apart = False
        self._shift = 0
        self._moved = False

    def fork(self) -> "_Blocks":
        """A copy that can be finished while this one goes on."""
        other = copy(self)
        other._out, other._paragraph, other._indented = [], [*self._paragraph], [*self._indented]
        if self._fence:
            other._fence = copy(self._fence)
            other._fence.raw, other._fence.lines = [*self._fence.raw], [*self._fence.lines]
        return other

    def take(self) -> list[str]:
        """The blocks finished since the last call."""
        out, self._out = self._out, []
        return out

    def add(self, line: str) -> None:
        """Read one line, without its end."""
        if self._fence:
            if self._fence.takes(line):
                if self._fence.closed:
                    self._end_fence()
                return
            self._end_fence()
        if opener := _opener(line):
            self._end_text()
            self._fence = _Fence(opener, nested=self._in_list)
        else:
            self._add_text(line)

    def finish(self) -> None:
        """End whatever is open."""
        self._end_fence()
        self._end_text()

    def _add_text(self, line: str) -> None:
        blank = not line.strip()
        if self._shift and not blank:
            # What follows a code block that was moved out of its list must not look like indented code.
            self._shift = self._shift if line[0].isspace() else 0
            line = _dedented(line, self._shift)
        if blank and not self._indented:
            self._end_text()
            if not self._apart:
                self._write("\n")
            self._apart = False
        elif self._is_code(line, blank=blank):
            self._indented.append(line)
        else:
            self._end_indented()
            if self._moved and _ITEM.match(line):
                # Nor may it swallow the next item: a list that does not begin with 1 cannot interrupt a paragraph.
                self._end_text()
                self._write("" if self._after_blank else "\n")
                self._moved = False
            if _ITEM.match(line):
                self._in_list = True
            elif not line[0].isspace():
                self._in_list = False
            self._paragraph.append(line)

    def _is_code(self, line: str, *, blank: bool) -> bool:
        """Whether a line belongs to an indented code block."""
        if self._indented and blank:
            return True
        may_begin = self._after_blank and not self._in_list and not self._paragraph
        return (bool(self._indented) or may_begin) and _INDENTED.match(line) is not None

    def _end_text(self) -> None:
        self._end_indented()
        if self._paragraph:
            self._write(neutralise_paragraph("\n".join(self._paragraph)) + "\n")
            self._paragraph.clear()

    def _end_indented(self) -> None:
        if not self._indented:
            return
        lines = self._indented
        blanks = 0
        while not lines[-1].strip():
            lines.pop()
            blanks += 1
        if is_inert("\n".join(lines)):
            self._write("\n".join(lines) + "\n")
        else:
            self._write_apart(_fenced([_dedented(line, 4) for line in lines], "text"))
        self._indented = []
        if blanks:
            self._write("\n" * blanks)

    def _end_fence(self) -> None:
        if self._fence:
            written, prefix = self._fence.written(), self._fence.prefix
            if written.startswith("`"):
                self._write_apart(written)
                self._shift = 0 if prefix.strip() else len(prefix.expandtabs(4))
                self._moved = self._in_list
            else:
                self._write(written)
            self._fence = None

    def _write(self, block: str) -> None:
        self._out.append(block)
        self._after_blank = block.endswith("\n\n") or block == "\n"
        self._apart = False

    def _write_apart(self, block: str) -> None:
        """With a blank line on both sides."""
        self._write(block + "\n" if self._after_blank else "\n" + block + "\n")
        self._apart = True


def _opener(line: str) -> re.Match[str] | None:
    match = _OPENER.fullmatch(line)
    return None if match and match["run"][0] == "`" and "`" in match["info"] else match


def _dedented(line: str, columns: int) -> str:
    """The line without up to `columns` columns of leading space."""
    width = len(line) - len(line.lstrip(" \t"))
    margin = line[:width].expandtabs(4)
    return margin[columns:] + line[width:] if width else line


def _fenced(lines: list[str], language: str) -> str:
    longest = max((len(run) for run in re.findall("`{3,}", "\n".join(lines))), default=2)
    fence = "`" * (longest + 1)
    return "\n".join([fence + language, *lines, fence]) + "\n"
