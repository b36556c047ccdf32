"""What every store does, sentence by sentence of `stores/base_memories.py`: what turns' models saw."""

from dataclasses import replace

import pytest

from hector_nb.stores.base_turns import TurnOutcome

from .making import USER, begin, exchange, finish, make_session
from .making_memories import give, make_ledger, make_summary, messages_of, partition

pytestmark = pytest.mark.anyio


@pytest.fixture
async def past(store):
    """Two exchanges: four messages."""
    await store.create_session(make_session())
    for n in range(2):
        await exchange(store, f"t{n}", f"q{n}", f"a{n}")
    return await messages_of(store)


async def test_a_ledger_comes_back_with_what_it_names(store, past):
    (memory,) = await give(store, "likes tea", session_id="other")
    summary = make_summary(past[1], 2)
    await store.store_summary(USER, "s", summary, after=0)
    await begin(store, "t9")
    record = make_ledger(
        memory, summary_position=2, first_position=3, last_position=5, tools='[{"name": "f"}]', tools_tokens=7
    )
    await store.write_turn("t9", ledger=record)
    await finish(store, "t9")
    ledger = await store.get_ledger(USER, "t9")
    assert (ledger.session, ledger.turn_id) == (await store.get_session(USER, "s"), "t9")
    assert (ledger.record, ledger.summary) == (record, summary)
    now = await messages_of(store)
    assert ledger.messages == [(3, now[2]), (4, now[3]), (5, now[4])]
    assert ledger.memories == [await store.get_memory(partition(), memory)]


async def test_a_ledger_is_its_users_own_and_needs_a_question_to_a_model(store, past):
    await begin(store, "t9")
    await store.write_turn("t9", ledger=make_ledger())
    assert await store.get_ledger("bob", "t9") is None
    assert await store.get_ledger(USER, "t0") is None
    assert await store.get_ledger(USER, "unknown") is None


async def test_the_last_ledger_of_a_turn_counts(store, past):
    await begin(store, "t9")
    await store.write_turn("t9", ledger=make_ledger(system="first"))
    last = make_ledger(system="second", requests=2, budget_note="cut", estimated=True, model="\u00e4")
    await store.write_turn("t9", ledger=last, outcome=TurnOutcome(status="complete"))
    assert (await store.get_ledger(USER, "t9")).record == last
    assert await store.write_turn("t9", ledger=make_ledger(system="late")) is None
    assert (await store.get_ledger(USER, "t9")).record == last


async def test_odd_text_survives_in_a_ledger(store, past):
    await begin(store, "t9")
    await store.write_turn("t9", ledger=make_ledger(system="a\x00b \ud800", tools="\udfff", budget_note="\ud800"))
    record = (await store.get_ledger(USER, "t9")).record
    assert (record.system, record.tools, record.budget_note) == ("a\x00b \ufffd", "\ufffd", "\ufffd")


async def test_a_corrected_memory_is_shown_as_the_model_saw_it(store, past):
    (memory,) = await give(store, "likes tea", session_id="other")
    await begin(store, "t9")
    await store.write_turn("t9", ledger=make_ledger(memory))
    before = await store.get_memory(partition(), memory)
    for text in ("likes coffee", "likes water"):
        await store.correct_memory(partition(), memory, text=text, tokens=9, vector=None, embedder="e")
    assert (await store.get_ledger(USER, "t9")).memories == [before]
    second = make_ledger(memory)
    second = replace(second, memories=(replace(second.memories[0], version=2),))
    await store.write_turn("t9", ledger=second)
    (shown,) = (await store.get_ledger(USER, "t9")).memories
    assert (shown.text, shown.version, shown.tokens) == ("likes coffee", 2, 9)
    assert before.created_at < shown.corrected_at
    now = await store.get_memory(partition(), memory)
    assert (now.text, now.version) == ("likes water", 3)
    assert now.corrected_at > shown.corrected_at


async def test_a_forgotten_memory_is_a_name_in_a_ledger_and_no_more(store, past):
    kept, memory = await give(store, "likes tea", "likes cake", session_id="other")
    await begin(store, "t9")
    record = make_ledger(memory, kept, "mem_unknown")
    await store.write_turn("t9", ledger=record)
    await store.correct_memory(partition(), memory, text="other", tokens=9, vector=None, embedder="e")
    assert await store.forget_memory(partition(), memory)
    ledger = await store.get_ledger(USER, "t9")
    assert [shown.memory_id for shown in ledger.memories] == [kept]
    assert ledger.record == record


async def test_memories_are_in_the_order_of_the_ledger(store, past):
    one, two, three = await give(store, "one", "two", "three", session_id="other")
    await begin(store, "t9")
    await store.write_turn("t9", ledger=make_ledger(two, three, one))
    ledger = await store.get_ledger(USER, "t9")
    assert [memory.text for memory in ledger.memories] == ["two", "three", "one"]


async def test_a_rewind_takes_the_ledgers_of_its_turns(store, past):
    for name in ("t8", "t9"):
        await begin(store, name)
        await store.write_turn(name, ledger=make_ledger(first_position=1, last_position=5))
        await finish(store, name)
    now = await messages_of(store)
    await store.rewind_session(USER, "s", after=now[5].message_id)
    assert await store.get_ledger(USER, "t9") is None
    assert len((await store.get_ledger(USER, "t8")).messages) == 5
    await store.delete_session(USER, "s")
    assert await store.get_ledger(USER, "t8") is None


async def test_scores_are_kept_with_four_digits(store, past):
    record = make_ledger("mem_1")
    shown = replace(record.memories[0], score=0.123456, keyword=12.0, vector=-0.00001)
    await begin(store, "t9")
    await store.write_turn("t9", ledger=replace(record, memories=(shown,)))
    (kept,) = (await store.get_ledger(USER, "t9")).record.memories
    assert (kept.score, kept.keyword, kept.vector) == (0.1235, 12.0, 0.0)


async def test_a_one_off_turn_has_a_ledger_for_as_long_as_it_is_kept(store):
    once = make_session("once", listed=False)
    await begin(store, "t1", session_id="once", create_session=once)
    await store.write_turn("t1", ledger=make_ledger())
    await finish(store, "t1", outcome=TurnOutcome(status="complete", keep_events=0))
    assert (await store.get_ledger(USER, "t1")).record == make_ledger()
    await store.sweep()
    assert await store.get_ledger(USER, "t1") is None
