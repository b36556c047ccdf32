"""What `search` found: which pieces come first, and the lines that show why."""

from collections.abc import Callable, Mapping, Sequence

from hector_nb.tools.search_chunks import Pages
from hector_nb.tools.search_index import Place

_KEYWORD_SHARE = 0.5
_LIKE = 0.35
"""The least cosine of a piece that has none of the words."""
_NEIGHBOURS = 200
"""Pieces that are looked at for their likeness alone."""
_LINES = 3
"""Lines that show why a piece was found, of those that have words of the query."""
_OPENING = 4
"""Lines that are shown of a piece that has none of the words."""
_WIDEST = 240
"""Characters of a line that are shown."""


def ranked(words: Mapping[int, float], keys: Sequence[int], vectors: bytes, query: bytes | None) -> list[int]:
    """The pieces, best first: `words` has those found by words with their scores; `vectors` are those of `keys`, one after the other.

    Min-max score fusion: 0 is a score that says nothing, 1 that of the best. Of a piece without a vector the words count alone.
    """
    cosines = _cosines(keys, vectors, query)
    near = sorted((key for key, cosine in cosines.items() if cosine >= _LIKE), key=lambda key: -cosines[key])
    candidates = [*words, *(key for key in near[:_NEIGHBOURS] if key not in words)]
    most_words = max(words.values(), default=0.0) or 1.0
    most_like = max((cosines.get(key, 0.0) for key in candidates), default=0.0) or 1.0

    def score(key: int) -> float:
        keyword = words.get(key, 0.0) / most_words
        likeness = max(0.0, cosines[key]) / most_like if key in cosines else keyword
        return _KEYWORD_SHARE * keyword + (1 - _KEYWORD_SHARE) * likeness

    return sorted(candidates, key=score, reverse=True)


def shown(name: str, place: Place, pages: Pages, wanted: frozenset[str], stems: Callable[[str], list[str]]) -> str:
    """The place as `file:line` and the lines that tell most, with one line around each; empty where the file has no such lines any more.

    `wanted` are the stems to look for.
    """
    numbers = range(place.first, min(place.last, len(pages.lines)) + 1)
    hits = {number: len(wanted.intersection(stems(pages.lines[number - 1]))) for number in numbers}
    best = sorted((number for number in numbers if hits[number]), key=lambda number: (-hits[number], number))[:_LINES]
    telling = [number for number in numbers if pages.lines[number - 1].strip()]
    if not telling:
        return ""
    around = {near for number in best for near in (number - 1, number, number + 1) if near in numbers}
    lines = [number for number in sorted(around) if number in telling] or telling[:_OPENING]
    cell = f" (cell {place.cell})" if place.cell else ""
    head = f"{name}:{best[0] if best else telling[0]}{cell}"
    body = [_line(number, pages.lines[number - 1], wanted, stems) for number in lines]
    return "\n".join([head, *_with_gaps(lines, body)])


def _cosines(keys: Sequence[int], vectors: bytes, query: bytes | None) -> dict[int, float]:
    if not keys or query is None or len(vectors) != len(keys) * len(query):
        return {}
    import numpy as np

    rows = np.frombuffer(vectors, dtype="<f4").reshape(len(keys), -1)
    return dict(zip(keys, (rows @ np.frombuffer(query, dtype="<f4")).tolist(), strict=True))


def _line(number: int, text: str, wanted: frozenset[str], stems: Callable[[str], list[str]]) -> str:
    """A line; of a long one the part around the first of the words."""
    text = text.rstrip()
    if len(text) <= _WIDEST:
        return f"{number}: {text}"
    starts = range(0, len(text), _WIDEST // 2)
    start = next((each for each in starts if wanted.intersection(stems(text[each : each + _WIDEST]))), 0)
    end = start + _WIDEST
    return f"{number}: {'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _with_gaps(numbers: Sequence[int], body: Sequence[str]) -> list[str]:
    """The lines, with a mark where some are left out between them."""
    result: list[str] = []
    for index, line in enumerate(body):
        if index and numbers[index] > numbers[index - 1] + 1:
            result.append("…")
        result.append(line)
    return result
