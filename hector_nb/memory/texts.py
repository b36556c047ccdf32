"""Making texts shorter without breaking them: to a number of tokens, at the end of a sentence or a word."""

import re

from hector_nb.memory.base import TokenCounter

_WORD_ENDS = re.compile(r"(?<=\S)(?=\s|\Z)")
_SENTENCE_END = re.compile(r"[.!?。！？](?=\s|\Z)|\n")
_WORTH_ENDING = 0.6
"""A sentence's end is taken if so much of the text stands before it, else a word's."""


async def cut(counter: TokenCounter, text: str, most: int) -> str:
    """The beginning of a text, at most `most` tokens."""
    if await counter.count(text) <= most:
        return text
    ends = [0, *(match.end() for match in _WORD_ENDS.finditer(text))]
    if await counter.count(text[: ends[1]]) > most:
        ends = list(range(len(text) + 1))
    low, high = 0, len(ends)
    while high - low > 1:
        middle = (low + high) // 2
        fits = await counter.count(text[: ends[middle]]) <= most
        low, high = (middle, high) if fits else (low, middle)
    kept = text[: ends[low]]
    sentences = [match.end() for match in _SENTENCE_END.finditer(kept)]
    if sentences and sentences[-1] >= _WORTH_ENDING * len(kept):
        kept = kept[: sentences[-1]]
    return kept.rstrip()


def without_middle(text: str, most: int) -> str:
    """A text of about `most` characters: two thirds from its beginning, one third from its end, and how much is missing between."""
    if len(text) <= most:
        return text
    head, tail = most * 2 // 3, most - most * 2 // 3
    return f"{text[:head]} [… {len(text) - head - tail} characters left out …] {text[len(text) - tail :]}"
