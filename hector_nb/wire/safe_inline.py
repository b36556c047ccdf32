r"""Markdown inside one paragraph, made inert: whatever a renderer takes it for, nothing runs and nothing is loaded.

Renderers disagree about what is code and what is mathematics, so safety may not rest on guessing as they do. Each piece is
rewritten so that it is harmless under every reading: text gets entities and backslashes, mathematics the TeX equivalents
(`\lt` for `<`), and a code span that holds anything dangerous becomes `<code>` with entities. JupyterLab puts mathematics back
into the finished HTML without escaping quotes; therefore mathematics never holds one, nor ever follows a URL.
"""

import html
import re
from bisect import bisect_right
from collections import defaultdict

# TeX that makes links, styles, loads code, or reads one of these from an argument.
_TEX = r"(?:href|url|style|class|cssId|data|require|bbox|mmlToken|unicode|csname|html[A-Za-z]*|includegraphics)(?![A-Za-z])"
_TAG = r"<(?=[A-Za-z/!?])"
_URL = (
    r"(?:(?:https?://|mailto:)(?:[^\s()<>\"'`\\$@\[\]]|@(?!@)|\([^\s()<>\"'`\\$@\[\]]{0,500}\)){1,2000}"
    r"|\#(?:[\w.:%-]{0,200}))"
)
_TITLE = r"""(?:[ \t]+(?:"[^"\n]{0,300}"|'[^'\n]{0,300}'))?[ \t]*"""

_PLAIN = re.compile(
    rf"""
      (?P<tex>(?<!\\)\\++(?={_TEX}))
    | (?P<escape>\\[\\$<&])
    | (?P<image>(?<![!\\])!\[(?P<alt>[^\[\]\n]{{0,500}})\]\((?P<source>{_URL}){_TITLE}\))
    | (?P<bang>!\[)
    | (?P<link>\]\((?P<target>{_URL}){_TITLE}\))
    | (?P<badlink>\]\()
    | (?P<definition>\]:[ \t]+{_URL}[ \t]*(?=\n|\Z))
    | (?P<badefinition>\]:)
    | (?<![^\s(])<(?P<autolink>https?://[^\s<>"'`\\$@()\[\]!&]{{1,2000}})>
    | (?P<harmless><(?:br[ \t]*/?|/?su[bp])>)
    | (?P<tag><(?![\s\d=-]))
    | &(?P<entity>\#\d{{1,7}}|\#[xX][0-9a-fA-F]{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,31}});
    | (?P<number>&(?=\#))
    | (?P<bare>(?:(?:https?|ftp)://|www\.)[^\s<>\[\]()!\\&]*)
    | (?P<dollar>\$)
    | (?P<run>`{{3,}}|~{{3,}})
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DANGER = re.compile(rf"{_TAG}|\]\(|\]:|!\[|@@|\\{_TEX}|&\#|\$[^\n]*\"|\"[^\n]*\$")
_SPECIAL = re.compile(r"(?:https?|ftp)://|www\.|[\\`$]", re.IGNORECASE)
_IN_MATHS = re.compile(
    rf'(?P<quote>")|(?P<tex>\\(?={_TEX}))|(?P<tag>{_TAG})|(?P<entity>&(?=\#|\w{{2,31}};))|(?P<bracket>\](?=[(:]))|(?P<bang>!(?=\[))'
)
_MATHS_FORMS = {"quote": "''", "tex": "", "tag": r"\lt ", "entity": "& ", "bracket": "]{}", "bang": "!{}"}
_CODE_ENTITIES = str.maketrans({c: f"&#x{ord(c):x};" for c in "&<>\"'$`*_[]()\\!~|@:#"} | {"\n": " "})
_NOT_MATHS = {
    "$": re.compile(r"`|://|www\.|\n|(?<!\\)\$", re.IGNORECASE),
    "$$": re.compile(r"`|://|www\.|\$\$", re.IGNORECASE),
}
_DOLLAR = "&#36;"
_SPACE = re.compile(r"\s")
_LONGEST_MATHS = 3000


def is_inert(text: str) -> bool:
    """Whether text is harmless as it stands, under every reading."""
    return not _DANGER.search(text)


def neutralise_paragraph(text: str) -> str:
    """The Markdown of one paragraph (no blank line in it), made inert."""
    return _Paragraph(text).neutralised()


class _Paragraph:
    """One pass over a paragraph. Closers are looked up in sorted lists, so that the work grows with the length only."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ticks: dict[int, list[int]] = defaultdict(list)
        for run in re.finditer("`+", text):
            self._ticks[len(run[0])].append(run.start())
        self._dollars = [m.start() for m in re.finditer(r"(?<![\s\\$])\$(?![\d$])", text)]
        self._doubles = [m.start() for m in re.finditer(r"(?<!\\)\$\$", text)]
        self._closers = {kind: [m.start() for m in re.finditer(re.escape(kind), text)] for kind in (r"\)", r"\]")}
        self._out: list[str] = []
        self._done = 0

    def neutralised(self) -> str:
        position = in_url = 0
        while special := _SPECIAL.search(self._text, position):
            start, found = special.start(), special[0]
            if found == "\\":
                position = self._backslash(start)
            elif found == "`":
                position = self._code(start)
            elif found == "$":
                position = start + 1 if start < in_url else self._dollar(start)
            else:
                position = special.end()
                in_url = _word_end(self._text, position) if position > in_url else in_url
        self._plain_until(len(self._text))
        whole = "".join(self._out)
        # MathJax pairs dollars in the finished page too, where an entity is a dollar; it never looks across an element.
        return (
            whole if whole.count("$") + whole.count(_DOLLAR) < 2 else whole.replace(_DOLLAR, f"<span>{_DOLLAR}</span>")
        )

    def _plain_until(self, end: int) -> None:
        if end > self._done:
            self._out.append(_PLAIN.sub(_plain, self._text[self._done : end]))
            self._done = end

    def _emit(self, start: int, piece: str, end: int) -> int:
        self._plain_until(start)
        self._out.append(piece)
        self._done = end
        return end

    def _code(self, start: int) -> int:
        length = 1
        while self._text.startswith("`", start + length):
            length += 1
        close = _after(self._ticks[length], start)
        if close is None:
            return start + length
        span = self._text[start : close + length]
        escaped = start > 0 and self._text[start - 1] == "\\"
        if escaped or length > 2 or "\n" in span or not is_inert(span):
            span = f"<code>{_code_text(span[length:-length]).translate(_CODE_ENTITIES)}</code>"
        return self._emit(start, span, close + length)

    def _backslash(self, start: int) -> int:
        """TeX's own delimiters become dollars; anything else after a backslash is taken as it is."""
        opener = self._text[start : start + 2]
        if opener == r"\(":
            return self._maths(start, start + 2, _after(self._closers[r"\)"], start), 2, "$") or start + 2
        if opener == r"\[" and not self._text[self._text.rfind("\n", 0, start) + 1 : start].strip():
            return self._maths(start, start + 2, _after(self._closers[r"\]"], start), 2, "$$") or start + 2
        return start + 2

    def _dollar(self, start: int) -> int:
        if self._text.startswith("$$", start):
            return self._maths(start, start + 2, _after(self._doubles, start + 1), 2, "$$") or start + 2
        if self._text[start + 1 : start + 2].strip():
            return self._maths(start, start + 1, _after(self._dollars, start), 1, "$") or start + 1
        return start + 1

    def _maths(self, start: int, begin: int, close: int | None, width: int, delimiter: str) -> int | None:
        """Emit what is between `begin` and `close` as mathematics; None if it is not."""
        if close is None or not begin < close <= begin + _LONGEST_MATHS or self._text[start - 1 : start] == "\\":
            return None
        content = self._text[begin:close]
        if _NOT_MATHS[delimiter].search(content) or not content.strip():
            return None
        if self._text[start] == "\\":
            content = content.strip()
        content = _IN_MATHS.sub(lambda m: _MATHS_FORMS[m.lastgroup or ""], content)
        return self._emit(start, delimiter + content + delimiter, close + width)


def _after(positions: list[int], start: int) -> int | None:
    index = bisect_right(positions, start)
    return positions[index] if index < len(positions) else None


def _word_end(text: str, position: int) -> int:
    space = _SPACE.search(text, position)
    return space.start() if space else len(text)


def _code_text(text: str) -> str:
    """A code span's text without the one space that may pad each side."""
    padded = len(text) > 2 and text[0] == text[-1] == " " and text.strip()
    return text[1:-1] if padded else text


def _plain(match: re.Match[str]) -> str:
    kind, found = match.lastgroup or "", match[0]
    match kind:
        case "image":
            return f"[{_PLAIN.sub(_plain, match['alt']) or 'image'}]({match['source']})"
        case "link":
            return f"]({match['target']})"
        case "autolink":
            return f"[{match['autolink']}]({match['autolink']})"
        case "escape":
            return {r"\$": _DOLLAR, r"\<": "&lt;", r"\&": "&amp;"}.get(found, found)
        case "entity":
            return found if _is_harmless(found) else "&amp;" + found[1:]
        case "bare":
            return found.replace("$", "%24").replace("@@", "%40%40").replace('"', "%22")
        case "run":
            # Once the code after it is rewritten, this could open a fence, and JupyterLab does not escape what follows.
            return f"&#{ord(found[0])};" * len(found)
        case "definition" | "harmless":
            return found
        case _:
            return _PLAIN_FORMS[kind]


_PLAIN_FORMS = {
    "tex": "",
    "bang": r"!\[",
    "badlink": r"]\(",
    "badefinition": r"]\:",
    "tag": "&lt;",
    "number": "&amp;",
    "dollar": _DOLLAR,
}


def _is_harmless(entity: str) -> bool:
    """Whether an entity stands for a character that no syntax is made of; letters could spell TeX."""
    character = html.unescape(entity)
    return character in "<>&\"'\xa0" or (character != entity and not character.isascii())
