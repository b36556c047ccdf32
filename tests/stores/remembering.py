"""Calls on what is remembered, for the twins' test: few names and texts, so that they meet."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from hector_nb.memories import Summary
from hector_nb.stores.base_memories import LedgerRecord, NewMemory, Partition, ShownMemory

from .making_memories import partition, vector

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
users = st.sampled_from(["ann"] * 6 + ["bob"])
sessions = st.sampled_from(["s"] * 4 + ["r"])
agents = st.sampled_from(["assistant"] * 6 + ["coder"])
turns = st.sampled_from([f"t{n}" for n in range(4)])
scopes = st.sampled_from(["conversational"] * 3 + ["session", "all", "summaries_only"])
memory_ids = st.sampled_from([f"mem_{n}" for n in range(5)])
texts = st.lists(
    st.sampled_from(["tea", "cakes", "cake", "The", "not", "Caf\u00e9", "*", "\u6771\u4eac"]), max_size=4
).map(" ".join)
vectors = st.none() | st.sampled_from([vector(1, 0), vector(0, -1), vector(0, 1), vector(0, 0, 1), b"odd"])
embedders = st.sampled_from(["e"] * 3 + ["f"])
positions = st.integers(0, 6)
moments = st.integers(0, 3).map(lambda days: MOMENT + timedelta(days=days))
said = st.builds("msg_{}_{}".format, turns, st.sampled_from(["user", "assistant"]))

partitions = st.just(partition()) | st.builds(
    lambda scope, agent, user, session_id: Partition.of(scope, agent=agent, user=user, session_id=session_id),
    scopes, agents, users, sessions,
)  # fmt: skip
new_memories = st.builds(
    NewMemory, memory_id=st.uuids().map(str), kind=st.sampled_from(["exchange", "exchange", "summary"]), text=texts,
    tokens=st.integers(0, 9), message_ids=st.just(()) | st.tuples(said), last_position=positions, created_at=moments,
    vector=vectors,
)  # fmt: skip
summaries = st.builds(
    Summary, text=texts, tokens=st.integers(0, 9), message_id=said, position=positions, created_at=moments
)
scores = st.none() | st.sampled_from([0.5, 0.25])
shown = st.builds(
    ShownMemory, memory_id=memory_ids, version=st.integers(1, 3), tokens=st.integers(0, 9),
    score=st.sampled_from([0.0, 1.0]), keyword=scores, vector=scores,
)  # fmt: skip
ledgers = st.builds(
    LedgerRecord, model=texts, strategy=texts, budget=st.integers(0, 9), budget_note=st.none() | texts,
    estimated=st.booleans(), system=texts, system_tokens=st.integers(0, 9), tools=texts, tools_tokens=st.integers(0, 9),
    summary_position=st.none() | positions, first_position=st.integers(1, 4), last_position=positions,
    memories=st.lists(shown, max_size=3, unique_by=lambda memory: memory.memory_id).map(tuple),
    requests=st.integers(1, 3),
)  # fmt: skip


def first_memories():
    """Memories that two exchanges of `s` gave."""
    kinds = ["exchange", "summary", "exchange", "exchange"]
    of_both = [
        NewMemory(
            memory_id=f"mem_{n}", kind=kinds[n], text=text, tokens=n, message_ids=(f"msg_t{n // 2}_assistant",),
            last_position=2 + n // 2 * 2, created_at=MOMENT, vector=vector(n % 2, 1 - n % 2) if n else None,
        )
        for n, text in enumerate(["tea The Caf\u00e9", "tea cake tea", "not tea", "cakes"])
    ]  # fmt: skip
    named = {"scope": "conversational", "embedder": "e"}
    return [
        ("take_in", ("ann", "s"), {**named, "mark": mark, "upto": mark + 2, "memories": of_both[mark : mark + 2]})
        for mark in (0, 2)
    ]


def call(method, *arguments, **named):
    return st.tuples(st.just(method), st.tuples(*arguments), st.fixed_dictionaries(named))


taken = call(
    "take_in", users, sessions, scope=scopes, mark=st.sampled_from([0, 0, 1, 2, 4]), upto=positions,
    memories=st.lists(new_memories, max_size=3), embedder=embedders,
    replace=st.booleans(),
)  # fmt: skip
recalling = call(
    "recall", partitions, query=texts, vector=vectors, embedder=embedders, limit=st.integers(0, 4),
    unseen=st.none() | st.tuples(users, sessions, positions),
)  # fmt: skip
remembering = st.one_of(
    taken,
    taken,
    recalling,
    recalling,
    call("write_turn", turns, ledger=ledgers),
    call("get_ledger", users, turns),
    call("store_summary", users, sessions, summaries, after=positions),
    call("messages_between", users, sessions, after=positions, upto=st.none() | positions, limit=st.integers(1, 4)),
    call("untaken", st.lists(agents, max_size=2), over=st.none() | st.booleans(), limit=st.integers(1, 3)),
    call("untaken_of", users, sessions),
    call("list_memories", partitions, limit=st.integers(1, 4)),
    call("get_memory", partitions, memory_ids),
    call(
        "correct_memory",
        partitions,
        memory_ids,
        text=texts,
        tokens=st.integers(0, 9),
        vector=vectors,
        embedder=embedders,
    ),
    call("forget_memory", partitions, memory_ids),
    call("unembedded", embedders, agents=st.none() | st.lists(agents, max_size=2), limit=st.integers(1, 4)),
    call("count_unembedded", embedders),
    call(
        "embed_memories",
        embedders,
        st.lists(st.tuples(memory_ids, st.integers(1, 3), vectors.filter(bool)), max_size=3),
    ),
)
