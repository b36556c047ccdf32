"""Lets `%hector` lines reach the magic as they were typed.

IPython takes a line that ends in `?` for a request for help, and tokenises prompts as if they were Python. This transformer runs
before that and turns `%hector what is df?` and `r = %hector what's up :(` into plain calls. `%hector?` stays help.
"""

import re

_LINE = re.compile(
    r"(?P<indent>[ \t]*)(?P<target>[^\W\d][\w., \t]*=[ \t]*)?%hector[ \t]+(?P<rest>[^\s?].*|\?+[^\s?].*)", re.DOTALL
)
_QUOTES = re.compile(r"""\\.|\"{3}|'{3}|["'#]""", re.DOTALL)


class PlainHectorLines:
    """A cleanup transformer for IPython's input."""

    has_side_effects = False

    def __call__(self, lines: list[str]) -> list[str]:
        """Rewrite the `%hector` lines of a cell that is not a cell magic and that are not inside a string."""
        if lines and lines[0].startswith("%%"):
            return lines
        quote: str | None = None
        out = []
        for line in lines:
            match = None if quote else _LINE.fullmatch(line)
            if match and not line.rstrip("\n").endswith("\\"):
                out.append(_call(match))
            else:
                out.append(line)
                quote = _open_quote(line, quote)
        return out


def _call(match: re.Match[str]) -> str:
    prompt = match["rest"].strip()
    return f"{match['indent']}{match['target'] or ''}get_ipython().run_line_magic('hector', {prompt!r})\n"


def _open_quote(line: str, quote: str | None) -> str | None:
    """The quotation mark of the string that is still open after a line."""
    for match in _QUOTES.finditer(line):
        found = match[0]
        if quote is None:
            if found == "#":
                return None
            if not found.startswith("\\"):
                quote = found
        elif found == quote:
            quote = None
        elif len(quote) == 1 and found == quote * 3:
            # A short string that ends at the first of these, and an empty or new one after it.
            quote = None
    if quote is not None and len(quote) == 1 and not line.rstrip("\n").endswith("\\"):
        return None
    return quote
