"""How well and how fast long-term memory finds what was said: `python -m tests.benchmarks.retrieval`.

The conversations are those of `remembered.py`: 511 facts among 270 turns that tell nothing of interest, in 98 sessions, and 882 questions.
Measured on two cores, with SQLite and `wordllama`, how often the right memory is among the first 1, 5 and 10:

    any@1 @5 @10       direct         paraphrased    restated       reworded       all            newer first
    keyword            1.00 1.00 1.00 0.10 0.41 0.75 0.58 0.87 1.00 0.00 0.03 0.40 0.51 0.67 0.85 0.59
    vector             0.82 0.94 1.00 0.37 0.71 0.89 0.41 0.77 0.95 0.11 0.40 0.63 0.54 0.79 0.92 0.52
    fused 0.5          0.98 1.00 1.00 0.32 0.65 0.91 0.59 0.81 0.97 0.06 0.27 0.55 0.60 0.78 0.93 0.55
    … newer +0.05      0.98 1.00 1.00 0.31 0.64 0.89 0.64 0.79 0.99 0.11 0.32 0.65 0.61 0.78 0.93 0.60

The last line is what is in use. Without putting newer versions first (`fusion.py`) it is 0.29 for `restated` at once and 0.37 in the last
column. A question is embedded in 0.2 ms (p95 0.4), searched for by words in 0.5 ms (0.8) and by both in 0.9 ms (1.3); recall as a whole
takes 1.9 ms (2.4), taking in a turn 0.6 ms, its embedding included.
"""

import argparse
import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from hector_nb.memories import RecalledMemory
from hector_nb.memory.embedders import WordllamaEmbedder
from hector_nb.memory.fusion import KEYWORD_SHARE, RECENCY_SHARE, fuse
from hector_nb.memory.longterm import LongTermMemory
from hector_nb.memory.tokens import TiktokenCounter
from hector_nb.messages import Message
from hector_nb.sessions import Lifetime, Session
from hector_nb.stores.base_memories import Candidate
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import NewTurn, TurnOutcome
from hector_nb.stores.sqlite import SQLiteStore
from tests.benchmarks.remembered import Asked, Said, year

AGENT, USER = "assistant", "ann"
REMEMBERED = TurnOutcome(status="complete", finish_reason="stop", take_in=True)
BEGAN = datetime(2026, 1, 1, 8, tzinfo=UTC)
KINDS = ("direct", "paraphrased", "restated", "reworded", "all")
POOL = 40


@dataclass(frozen=True)
class Found:
    """What the store gave for a question, and how long it and the embedding took, in milliseconds."""

    asked: Asked
    candidates: Sequence[Candidate]
    embedding: float
    keyword: float
    both: float


async def remember(store: SQLiteStore, memory: LongTermMemory) -> tuple[dict[str, int], float]:
    """Hold the year's conversations and take them in; which fact each message tells, and the milliseconds a turn took to take in."""
    told: dict[str, int] = {}
    numbers = count(1)
    spent = 0.0
    turns = 0
    for place, turns_said in enumerate(year().sessions):
        session_id = f"session-{place}"
        at = BEGAN + timedelta(days=3 * place)
        await store.create_session(
            Session(session_id=session_id, agent=AGENT, user=USER, created_at=at, last_active_at=at)
        )
        for said in turns_said:
            at += timedelta(minutes=1)
            message = await _turn(store, session_id, next(numbers), said, at)
            if said.fact is not None:
                told[message] = said.fact
        untaken = await store.untaken_of(USER, session_id)
        assert untaken
        began = time.perf_counter()
        await memory.take_in(store, untaken)
        spent += time.perf_counter() - began
        turns += len(turns_said)
    return told, 1000 * spent / turns


async def _turn(store: SQLiteStore, session_id: str, number: int, said: Said, at: datetime) -> str:
    turn_id = f"turn-{number}"
    message = Message(
        message_id=f"said-{number}", turn_id=turn_id, role="user", content=said.message, created_at=at, tokens=10
    )
    answer = Message(
        message_id=f"answer-{number}", turn_id=turn_id, role="assistant", content=said.answer, created_at=at, tokens=10
    )
    new = NewTurn(turn_id=turn_id, agent=AGENT, user=USER, session_id=session_id, message=message, holder="benchmark")
    await store.begin_turn(new, window=Window(max_messages=0), lifetime=Lifetime())
    await store.write_turn(turn_id, events=[], messages=[answer], outcome=REMEMBERED)
    return message.message_id


async def ask(store: SQLiteStore, memory: LongTermMemory) -> list[Found]:
    """Ask everything by both searches."""
    partition = memory.partition(USER, "now")
    embedder = memory.embedder
    found = []
    for asked in year().questions:
        began = time.perf_counter()
        (vector,) = await embedder.embed([asked.text])
        embedded = time.perf_counter()
        await store.recall(partition, query=asked.text, vector=None, embedder=embedder.name, limit=POOL)
        searched = time.perf_counter()
        candidates = await store.recall(partition, query=asked.text, vector=vector, embedder=embedder.name, limit=POOL)
        done = time.perf_counter()
        found.append(
            Found(
                asked=asked,
                candidates=candidates,
                embedding=1000 * (embedded - began),
                keyword=1000 * (searched - embedded),
                both=1000 * (done - searched),
            )
        )
    return found


Ranking = Callable[[Sequence[Candidate]], Sequence[RecalledMemory]]


def ranked(keyword_share: float, recency_share: float = 0.0) -> Ranking:
    """Fused with these shares; with 0 or 1 what the other search alone found is no candidate."""

    def rank(candidates: Sequence[Candidate]) -> Sequence[RecalledMemory]:
        if keyword_share in {0.0, 1.0}:
            name = "keyword" if keyword_share else "vector"
            candidates = [each for each in candidates if getattr(each, name) is not None]
        return fuse(candidates, keyword_share=keyword_share, recency_share=recency_share)

    return rank


def quality(found: Sequence[Found], told: dict[str, int], rank: Ranking) -> dict[str, str]:
    """For each kind of question, how often the memory was among the first 1, 5 and 10; and how often the new one was before the old."""
    places: dict[str, list[int]] = defaultdict(list)
    newer: list[bool] = []
    for each in found:
        facts = [told.get(recalled.memory.message_ids[0]) for recalled in rank(each.candidates)]
        place = _place(facts, each.asked.fact)
        places[each.asked.kind].append(place)
        places["all"].append(place)
        if each.asked.outdated is not None:
            newer.append(place < _place(facts, each.asked.outdated))
    told_of = {
        kind: " ".join(f"{sum(place < most for place in places[kind]) / len(places[kind]):.2f}" for most in (1, 5, 10))
        for kind in KINDS
    }
    return told_of | {"newer first": f"{sum(newer) / len(newer):.2f}"}


def _place(facts: Sequence[int | None], fact: int) -> int:
    return facts.index(fact) if fact in facts else len(facts) + 1000


def percentiles(times: Sequence[float]) -> str:
    """p50 and p95."""
    cuts = quantiles(times, n=20)
    return f"p50 {cuts[9]:.2f} ms, p95 {cuts[18]:.2f} ms"


async def main(*, sweep: bool) -> None:
    """Print all figures; `sweep`: also those of other shares."""
    with TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder) / "hector.db")
        await store.aopen()
        memory = LongTermMemory(
            agent=AGENT, scope="conversational", embedder=WordllamaEmbedder(), counter=TiktokenCounter(), budget=4000
        )
        await memory.embedder.embed(["warm"])
        told, spent = await remember(store, memory)
        found = await ask(store, memory)
        whole = []
        for each in found:
            began = time.perf_counter()
            await memory.recall(store, user=USER, session_id="now", text=each.asked.text, seen=None)
            whole.append(1000 * (time.perf_counter() - began))
        await store.aclose()
    print(f"{len(told)} facts, {len(found)} questions; taking in: {spent:.2f} ms a turn")
    rankings = {
        "keyword": ranked(1.0),
        "vector": ranked(0.0),
        f"fused {KEYWORD_SHARE}": ranked(KEYWORD_SHARE),
        f"… newer +{RECENCY_SHARE}": ranked(KEYWORD_SHARE, RECENCY_SHARE),
    }
    if sweep:
        rankings |= {
            f"fused {share} +{more}": ranked(share, more)
            for share in (0.3, 0.4, 0.5, 0.6, 0.7)
            for more in (0.0, 0.05, 0.1, 0.2)
        }
    print("any@1 @5 @10".ljust(18), *(kind.ljust(14) for kind in KINDS), "newer first")
    for name, rank in rankings.items():
        figures = quality(found, told, rank)
        print(name.ljust(18), *(figures[kind].ljust(14) for kind in KINDS), figures["newer first"])
    print("embedding a question:", percentiles([each.embedding for each in found]))
    print("search by words:     ", percentiles([each.keyword for each in found]))
    print("search by both:      ", percentiles([each.both for each in found]))
    print("recall as a whole:   ", percentiles(whole))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweep", action="store_true", help="other shares, too")
    asyncio.run(main(sweep=parser.parse_args().sweep))
