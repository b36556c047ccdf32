"""What a search asks for, as words. Nothing in a query is an operator."""

import re
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LONGEST = 1000
"""Characters of a query that count."""
_MOST = 32
"""Different words of a query that count."""
_STOP_WORDS = frozenset(
    _WORD.findall(
        "a an and any are as at be been but by can could did do does for from had has have how i if in into is it its "
        "me my of on or our should so than that the their them then there these they this to us was we were what when "
        "where which who why will with would you your"
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A text to search for: its words that tell something, and `match`, the same for FTS5 (empty: there is none)."""

    text: str
    words: tuple[str, ...]
    match: str

    def is_in(self, text: str) -> bool:
        """Whether a text has the name that is asked for, as it is written. Several words are no name."""
        name = self.text.strip()
        return name in text and bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)) and not re.search(r"\s", name)


def asked(text: str) -> Query:
    """What a text asks for. Words that say nothing count only where there is nothing else."""
    text = text[:_LONGEST]
    found = _WORD.findall(text)
    telling = [word for word in found if word.casefold() not in _STOP_WORDS] or found
    words = list(dict.fromkeys([*telling, *humps(telling)]))[:_MOST]
    wanted = [f'"{word}"' for word in words]
    if len(telling) > 1:
        wanted.append(f'"{" ".join(found[:_MOST])}"')
    return Query(text=text, words=tuple(words), match=" OR ".join(wanted))


def humps(words: list[str]) -> list[str]:
    """The parts of words such as `makeSource`."""
    return [part for word in words if len(parts := _HUMP.split(word)) > 1 for part in parts]


def humps_of(text: str) -> str:
    """The parts of all such words of a text."""
    return " ".join(dict.fromkeys(humps(_WORD.findall(text))))
