"""Search by words in what is remembered, alike in every adapter: which words a text has, and how well they match (BM25).

Words are folded as for the search in sessions and stemmed by the Porter stemmer of SQLite's full-text search. An adapter keeps which
memory of which partition has which word how often, and counts within one partition: neither the scores nor the cost of a search tell
anything of what others gave. That is why FTS5's own index, which counts over everybody, is not used.
"""

import math
import os
import threading
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b

import apsw

from hector_nb.stores import codec
from hector_nb.stores.stop_words import STOP_WORDS

SATURATION = 1.2
"""BM25's k₁: how soon more of the same word stops to matter."""
LENGTH_SHARE = 0.4
"""BM25's b: how much a word counts less in a long text. What was answered makes a memory long, not what was told: with the usual 0.75 one
direct question in twelve is not answered first (`tests.benchmarks.retrieval`)."""
MOST_PLACES = 20_000
"""Places where the words of a query stand that are looked at; the commonest words are left out where there are more."""
_MOST_ASKED = 64
"""Different words of a query that count."""
_DIGITS = 6


class _Stemmer:
    """SQLite's Porter stemmer, which one thread uses at a time.

    Threads do not have one each: what belongs to a thread is taken apart in a forked child, and there closing a connection may hang.
    """

    def __init__(self) -> None:
        self._tokenizer = apsw.Connection(":memory:").fts5_tokenizer("porter", ["ascii"])
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._unlock)

    def stems(self, words: list[str]) -> list[str]:
        text = " ".join(words).encode()
        with self._lock:
            found = self._tokenizer(
                text, apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False
            )
        return [str(stem) for stem in found]

    def _unlock(self) -> None:
        """In a child there is no thread that could do so."""
        self._lock = threading.Lock()


_stemmer = _Stemmer()


def stems(text: str) -> Counter[str]:
    """The words by which a text is found, and how often it has each; of a very long text, those of its beginning."""
    words = codec.words(codec.clean(text[: codec.SEARCHED_CHARS]))
    return Counter(_stemmer.stems(words))


def asked(query: str) -> list[str]:
    """The different words that a query asks for; stop words only where there is nothing else. Nothing in it is an operator."""
    words = codec.words(codec.clean(query[: codec.SEARCHED_CHARS]))
    telling = [word for word in words if word not in STOP_WORDS] or words
    return list(dict.fromkeys(_stemmer.stems(telling)))[:_MOST_ASKED]


def weigh(found: Mapping[str, int], memories: int) -> dict[str, float]:
    """BM25's weights of the words to look for, the rarest first: `found` says in how many of a partition's memories each is."""
    weights: dict[str, float] = {}
    places = 0
    for count, word in sorted((count, word) for word, count in found.items() if count):
        places += count
        if weights and places > MOST_PLACES:
            break
        weights[word] = math.log(1 + (memories - count + 0.5) / (count + 0.5))
    return weights


def bm25(weights: Mapping[str, float], words: Mapping[str, int], *, length: int, average: float) -> float | None:
    """How well a text of `length` words matches; larger is better, None: not at all. `average` is the partition's mean length."""
    norm = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * length / average) if average else 0.0
    parts = [
        weight * count * (SATURATION + 1) / (count + norm)
        for word, weight in weights.items()
        if (count := words.get(word))
    ]
    return rounded(sum(parts)) if parts else None


def likeness(user: str, text: str) -> bytes:
    """The same for what one user gives twice, whatever its case and space."""
    told = f"{user}\0{' '.join(text.casefold().split())}"
    return blake2b(codec.clean(told).encode(), digest_size=16).digest()


def rounded(score: float) -> float:
    """A score as it is given back: without the digits in which two adapters may differ."""
    return round(score, _DIGITS)
