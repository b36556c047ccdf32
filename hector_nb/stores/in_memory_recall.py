"""Finding memories in memory by words and by vectors."""

from collections.abc import Sequence

from hector_nb.stores import keywords, vectors
from hector_nb.stores.base_memories import Candidate
from hector_nb.stores.in_memory_records import KeptMemory


class Asked:
    """The scores of all memories of a partition, in the order of their storing, for a query."""

    def __init__(self, memories: Sequence[KeptMemory], *, query: str, vector: bytes | None, embedder: str) -> None:
        self._memories = memories
        self._keyword = _keyword_scores(memories, query)
        self._vector = _vector_scores(memories, vector, embedder)

    def candidates(self, limit: int, *, besides: Sequence[KeptMemory]) -> list[Candidate]:
        """The best by words and the best by vector."""
        seen = {place for place, kept in enumerate(self._memories) if kept not in besides}
        chosen = {place for scores in (self._keyword, self._vector) for place in _best(scores, limit, seen)}
        return [
            Candidate(
                memory=self._memories[place].memory,
                keyword=self._keyword.get(place),
                vector=self._vector.get(place),
            )
            for place in sorted(chosen)
        ]


def _best(scores: dict[int, float], limit: int, among: set[int]) -> list[int]:
    places = sorted(among & scores.keys(), key=lambda place: (scores[place], place), reverse=True)
    return places[: max(limit, 0)]


def _keyword_scores(memories: Sequence[KeptMemory], query: str) -> dict[int, float]:
    found = {word: sum(word in kept.words for kept in memories) for word in keywords.asked(query)}
    weights = keywords.weigh(found, len(memories))
    lengths = [kept.words.total() for kept in memories]
    scores = (
        keywords.bm25(weights, kept.words, length=length, average=sum(lengths) / len(lengths))
        for kept, length in zip(memories, lengths, strict=True)
    )
    return {place: score for place, score in enumerate(scores) if score is not None}


def _vector_scores(memories: Sequence[KeptMemory], query: bytes | None, embedder: str) -> dict[int, float]:
    comparable = {
        place: kept.vector
        for place, kept in enumerate(memories)
        if kept.vector and kept.embedder == embedder and len(kept.vector) == len(query or b"")
    }
    if not query or len(query) % 4 or not comparable:
        return {}
    rows = vectors.matrix(list(comparable.values()), len(query) // 4)
    scores = (vectors.score(float(cosine)) for cosine in vectors.cosines(rows, query))
    return {place: score for place, score in zip(comparable, scores, strict=True) if score is not None}
