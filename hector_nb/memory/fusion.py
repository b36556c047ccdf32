"""Which of the memories found come first: the scores of both searches are mixed.

Measured by `python -m tests.benchmarks.retrieval`, whose docstring has the figures: words alone miss paraphrases, vectors alone put
other things of the same person first, and the shares hardly matter between 0.4 and 0.6.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from hector_nb.memories import RecalledMemory
from hector_nb.memory.exchanges import ANSWER
from hector_nb.stores.base_memories import Candidate

KEYWORD_SHARE = 0.5
RECENCY_SHARE = 0.05
"""How much the newest of the candidates is ahead of the oldest where both match as well."""
MIN_SCORE = 0.4
"""What matches less is not recalled unless somebody wants it: it drops nothing that was asked for, and what would only confuse."""
_CLOSE = 0.9
_ALIKE = 0.6
"""Two memories of which one matches 0.9 times as well, and that have six in ten of their words in common, tell of the same thing."""
_WORD = re.compile(r"\w+")


def fuse(
    candidates: Sequence[Candidate], *, keyword_share: float = KEYWORD_SHARE, recency_share: float = RECENCY_SHARE
) -> list[RecalledMemory]:
    """All candidates with scores from 0 to 1, best first.

    Min-max score fusion: 0 is a score that says nothing (no word in common, no likeness), 1 that of the best candidate. Where no
    candidate has one of the two scores, the other counts alone. Of memories that match as well the newer is first,
    and what looks like the newer version of a memory takes its place before it.
    """
    most_keyword = max((each.keyword or 0.0 for each in candidates), default=0.0)
    most_vector = max((each.vector or 0.0 for each in candidates), default=0.0)
    share = (keyword_share if most_keyword > 0 else 0.0) if most_vector > 0 else 1.0
    age = _ages(candidates)
    found = []
    for each in candidates:
        keyword = _part(each.keyword, most_keyword)
        vector = _part(each.vector, most_vector)
        match = share * (keyword or 0.0) + (1 - share) * (vector or 0.0)
        score = match * (1 - recency_share * age[each.memory.memory_id])
        found.append(RecalledMemory(memory=each.memory, score=round(score, 4), keyword=keyword, vector=vector))
    newest_first = sorted(found, key=lambda each: (each.memory.created_at, each.memory.memory_id), reverse=True)
    return _newer_versions_first(sorted(newest_first, key=lambda each: each.score, reverse=True))


def _newer_versions_first(best_first: Sequence[RecalledMemory]) -> list[RecalledMemory]:
    found: list[RecalledMemory] = []
    words: list[frozenset[str]] = []
    for each in best_first:
        own = _told(each)
        place = next((place for place, old in enumerate(found) if _replaces(each, own, old, words[place])), len(found))
        score = found[place].score if place < len(found) else each.score
        found.insert(place, replace(each, score=score))
        words.insert(place, own)
    return found


def _replaces(new: RecalledMemory, words: frozenset[str], old: RecalledMemory, old_words: frozenset[str]) -> bool:
    return (
        new.memory.created_at > old.memory.created_at
        and new.score >= _CLOSE * old.score
        and len(words & old_words) >= _ALIKE * max(1, min(len(words), len(old_words)))
    )


def _told(recalled: RecalledMemory) -> frozenset[str]:
    """The words of what was said, without the answer."""
    return frozenset(_WORD.findall(recalled.memory.text.partition(f"\n{ANSWER}")[0].casefold()))


def _part(score: float | None, most: float) -> float | None:
    if score is None:
        return None
    return round(max(0.0, score) / most, 4) if most > 0 else 0.0


def _ages(candidates: Sequence[Candidate]) -> dict[str, float]:
    """From 0 for the newest to 1 for the oldest, in even steps."""
    newest_first = sorted(
        (each.memory for each in candidates), key=lambda memory: (memory.created_at, memory.memory_id), reverse=True
    )
    last = max(1, len(newest_first) - 1)
    return {memory.memory_id: place / last for place, memory in enumerate(newest_first)}
