"""Summaries, memories and ledgers for the store's tests."""

import struct

from hector_nb.ids import new_id
from hector_nb.memories import Summary
from hector_nb.stores.base_memories import LedgerRecord, NewMemory, Partition, ShownMemory
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import TurnOutcome

from .making import AGENT, USER, ago, begin, exchange, make_session

REMEMBERED = TurnOutcome(status="complete", finish_reason="stop", take_in=True)
WORDS = "wordllama"


def vector(*numbers):
    """A vector of length 1 if the numbers are."""
    return struct.pack(f"<{len(numbers)}f", *numbers)


def partition(scope="conversational", user=USER, session_id="s", agent=AGENT):
    return Partition.of(scope, agent=agent, user=user, session_id=session_id)


def make_memory(text, last=None, position=2, **changes):
    """`last` is the message that it ends with."""
    return NewMemory(
        **{
            "memory_id": new_id("mem"),
            "kind": "exchange",
            "text": text,
            "tokens": 3,
            "message_ids": (last.message_id,) if last else (),
            "last_position": position,
            "created_at": ago(),
            **changes,
        }
    )


async def messages_of(store, session_id="s", user=USER):
    return (await store.list_messages(user, session_id, limit=1000)).items


async def give(
    store, *texts, session_id="s", scope="conversational", user=USER, agent=AGENT, embedder=WORDS, **changes
):
    """Let a session give memories, each made of one exchange; a text may come with a vector. Their ids."""
    await store.create_session(make_session(session_id, user=user, agent=agent))
    ids = []
    for text in texts:
        text, its_vector = text if isinstance(text, tuple) else (text, None)
        said = {"session_id": session_id, "user": user, "agent": agent, "outcome": REMEMBERED}
        await exchange(store, new_id("turn"), text, **said)
        waiting = await store.untaken_of(user, session_id)
        last = (await messages_of(store, session_id, user))[-1]
        memory = make_memory(text, last, waiting.upto, vector=its_vector, **changes)
        assert await store.take_in(
            user, session_id, scope=scope, mark=waiting.mark, upto=waiting.upto, memories=[memory], embedder=embedder
        )
        ids.append(memory.memory_id)
    return ids


async def recalled(store, query="", *, where=None, vector=None, embedder=WORDS, limit=10, unseen=None):
    """What is found, as text → (keyword, vector)."""
    found = await store.recall(
        where or partition(), query=query, vector=vector, embedder=embedder, limit=limit, unseen=unseen
    )
    return {candidate.memory.text: (candidate.keyword, candidate.vector) for candidate in found}


async def remembered(store, where=None):
    """What a partition holds, newest first."""
    return [memory.text for memory in (await store.list_memories(where or partition())).items]


def make_summary(message, position, text="in short", **changes):
    return Summary(
        **{
            "text": text,
            "tokens": 2,
            "message_id": message.message_id,
            "position": position,
            "created_at": ago(),
            **changes,
        }
    )


def make_ledger(*memory_ids, **changes):
    shown = [
        ShownMemory(memory_id=name, version=1, tokens=5, score=0.75, keyword=1.5, vector=None) for name in memory_ids
    ]
    return LedgerRecord(
        **{
            "model": "gpt-5-mini",
            "strategy": "summary_buffer",
            "budget": 4000,
            "budget_note": None,
            "estimated": False,
            "system": "You are kind.",
            "system_tokens": 4,
            "tools": "",
            "tools_tokens": 0,
            "summary_position": None,
            "first_position": 1,
            "last_position": 1,
            "memories": tuple(shown),
            **changes,
        }
    )


async def remember_everything(store):
    """Every call on what is remembered, with what leads to each of its statements."""
    tea, cake = await give(store, ("tea", vector(1, 0)), ("cake", vector(0, 1)), session_id="remembers")
    await give(store, "alone", session_id="remembers", scope="session")
    await give(store, "summary", session_id="remembers", kind="summary")
    await store.summary_memory_of(USER, "remembers")
    past = await messages_of(store, "remembers")
    await store.store_summary(USER, "remembers", make_summary(past[1], 2), after=0)
    await store.fork_session("remembers", make_session("copied"), take_in=True)
    await store.messages_between(USER, "remembers", after=0)
    await store.read_window(USER, "remembers", window=Window(summarized=True))
    for over in (None, True, False):
        await store.untaken([AGENT], over=over)
        await store.untaken([AGENT], over=over, idle_before=ago())
    await recalled(store, "tea", vector=vector(1, 0), unseen=(USER, "remembers", 5))
    await store.summary_memory_of(USER, "remembers")
    await store.list_memories(partition())
    await store.correct_memory(partition(), tea, text="coffee", tokens=1, vector=vector(0, 1), embedder=WORDS)
    await begin(store, "asks", session_id="remembers")
    for system in ("one", "two"):
        ledger = make_ledger(tea, cake, system=system, tools="[]", summary_position=2)
        await store.write_turn("asks", ledger=ledger)
    await store.get_ledger(USER, "asks")
    await store.write_turn("asks", outcome=REMEMBERED)
    await store.unembedded("other", agents=[AGENT])
    await store.count_unembedded("other")
    await store.embed_memories("other", [(tea, 2, vector(1, 0))])
    await store.count_unembedded("third")
    await store.forget_memory(partition(), tea)
    waiting = await store.untaken_of(USER, "remembers")
    marks = {"scope": "all", "mark": waiting.mark, "upto": waiting.upto}
    await store.take_in(USER, "remembers", **marks, memories=[], embedder=WORDS, replace=True)
    await store.rewind_session(USER, "remembers", after=past[3].message_id)
    await store.delete_session(USER, "copied")
    await store.delete_session(USER, "remembers", forget=True)
