"""What is remembered, what is recalled of it by whom, and that no failure costs a turn."""

import asyncio
import logging
from dataclasses import replace

import pytest

from hector_nb.errors import Forbidden, InvalidRequest, MemoryNotFound, StoreError
from hector_nb.ids import new_id
from hector_nb.memory.recalled import memory_block
from hector_nb.memory.tokens import TiktokenCounter
from tests.memory.longterm_world import (
    REMEMBERED,
    Clock,
    FailingEmbedder,
    longterm,
    recalled,
    remember,
    remembered,
    say,
    take_in,
)
from tests.stores.making import USER, begin, exchange, make_message, make_session

pytestmark = pytest.mark.anyio

BEES = "My sister Clara keeps bees in Lyon."
DOG = "My dog is called Rufus."


async def test_what_was_said_in_one_session_is_recalled_in_the_next(store):
    memory = longterm()
    assert await remember(memory, store, BEES, DOG, "I work at the aquarium.") == 3
    assert (await recalled(memory, store, "Where does Clara keep bees?"))[0] == BEES
    assert (await recalled(memory, store, "Which animal lives with me?"))[0] == DOG


async def test_taking_in_twice_makes_nothing_new(store):
    memory = longterm()
    assert await remember(memory, store, BEES) == 1
    assert await take_in(memory, store) == 0
    assert await remember(memory, store, DOG) == 1
    assert await remembered(memory, store) == [BEES, DOG]


async def test_two_who_take_in_at_once_store_everything_once(store):
    memory = longterm()
    await say(store, BEES, DOG)
    untaken = await store.untaken_of(USER, "s")
    await asyncio.gather(memory.take_in(store, untaken), memory.take_in(store, untaken))
    assert await remembered(memory, store) == [BEES, DOG]


async def test_a_long_session_is_taken_in_piece_by_piece(store):
    memory = longterm()
    said = [f"My number {number} is {number * 7}." for number in range(75)]
    await say(store, *said)
    reads = []

    async def counted(*where, **what):
        messages = await between(*where, **what)
        reads.append(len(messages))
        return messages

    between, store.messages_between = store.messages_between, counted
    assert await take_in(memory, store) == 75
    assert max(reads) <= 64
    assert await store.untaken_of(USER, "s") is None


async def test_a_turn_of_very_many_messages_is_taken_in_whole(store):
    memory = longterm()
    await store.create_session(make_session())
    await begin(store, "t1", "Count to two hundred, please.")
    steps = [make_message(str(number), "t1", "assistant") for number in range(200)]
    await store.write_turn("t1", events=[], messages=steps, outcome=REMEMBERED)
    await exchange(store, "t2", BEES, outcome=REMEMBERED)
    assert await take_in(memory, store) == 2
    assert await remembered(memory, store) == ["Count to two hundred, please.\nAnswer: 199", BEES]


async def test_a_turn_that_is_not_finished_waits(store):
    memory = longterm()
    await say(store, BEES)
    await begin(store, "t9", DOG)
    assert await take_in(memory, store) == 1
    assert await remembered(memory, store) == [BEES]
    assert (await store.untaken_of(USER, "s")).mark == 2


async def test_what_says_nothing_is_not_remembered_and_not_asked_again(store):
    memory = longterm()
    assert (
        await remember(memory, store, ("ok", "Great!"), ("🙂🙂", "🙂"), ("Hi there!", "Hello! How can I help you?"))
        == 0
    )
    assert await store.untaken_of(USER, "s") is None


async def test_session_scope_is_blind_to_other_sessions(store):
    memory = longterm("session")
    await remember(memory, store, BEES)
    assert await recalled(memory, store, "Where does Clara keep bees?", session_id="s") == [BEES]
    assert await recalled(memory, store, "Where does Clara keep bees?", session_id="other") == []


async def test_conversational_scope_is_blind_to_other_users(store):
    memory = longterm()
    await remember(memory, store, BEES)
    assert await recalled(memory, store, "Where does Clara keep bees?", user="eve") == []


async def test_in_scope_all_everybody_recalls_and_sees_who_gave_it(store):
    memory = longterm("all")
    await remember(memory, store, BEES)
    found = await memory.recall(store, user="eve", session_id="x", text="Where does Clara keep bees?", seen=None)
    assert f"from {USER}] {BEES}" in memory_block(found)


async def test_what_the_model_sees_anyway_is_not_recalled(store):
    memory = longterm()
    await remember(memory, store, BEES, "Clara sells honey, too, to her bees' friends.")
    question = "What about Clara and her bees?"
    assert len(await recalled(memory, store, question, session_id="s")) == 2
    assert await recalled(memory, store, question, session_id="s", seen=3) == [BEES]
    assert await recalled(memory, store, question, session_id="s", seen=1) == []
    assert len(await recalled(memory, store, question, session_id="other", seen=1)) == 2


async def test_no_more_is_recalled_than_the_limit_and_the_score_allow(store):
    await remember(
        longterm(), store, *(f"My bee number {number} is called Maya {number}." for number in range(9)), BEES
    )
    question = "Where does Clara keep bees?"
    assert len(await recalled(longterm(recall_limit=3, min_score=0), store, question)) == 3
    assert await recalled(longterm(recall_limit=0), store, question) == []
    assert await recalled(longterm(min_score=0.8), store, question) == [BEES]
    assert len(await recalled(longterm(min_score=0.0), store, question)) == 5
    assert len(await recalled(longterm(), store, "Is Lyon far?")) < 5


async def test_what_is_recalled_stays_within_its_tokens(store):
    memory = longterm(recall_limit=50)
    await remember(memory, store, *(f"My bee number {number} is called Maya {number}." for number in range(30)))
    counter = TiktokenCounter()
    sizes = []
    for allowance in (0, 20, 60, 150, 400):
        found = await memory.recall(store, user=USER, session_id="x", text="bees Maya", seen=None, allowance=allowance)
        tokens = await counter.count(memory_block(found))
        assert tokens <= allowance
        sizes.append(len(found))
    assert sizes[0] == sizes[1] == 0 < sizes[2] < sizes[3] < sizes[4]


async def test_small_talk_recalls_nothing(store):
    memory = longterm()
    await remember(memory, store, BEES)
    for text in ("", "thanks!", "🙂", "ok"):
        assert await recalled(memory, store, text) == []


async def test_a_question_with_search_syntax_in_it_is_just_a_question(store):
    memory = longterm()
    await remember(memory, store, BEES)
    for text in ('"bees', "bees OR", "NEAR(bees", "bees*", "text:bees", "-bees", "bees AND (", "';--bees"):
        assert await recalled(memory, store, text) == [BEES]


async def test_the_question_may_stand_at_the_end_of_a_very_long_message(store):
    memory = longterm()
    await remember(memory, store, BEES, DOG)
    pasted = "lorem ipsum dolor " * 20_000
    async with asyncio.timeout(30):
        assert BEES in await recalled(memory, store, pasted + "Where does Clara keep bees?")


async def test_without_vectors_the_words_are_enough(store, caplog):
    embedder = FailingEmbedder()
    memory = longterm(embedder=embedder)
    with caplog.at_level(logging.WARNING):
        assert await remember(memory, store, BEES, DOG) == 2
        assert await recalled(memory, store, "Where does Clara keep bees?") == [BEES]
    assert "on holiday" in caplog.text
    assert "Clara" not in caplog.text


async def test_an_embedder_that_failed_rests_and_then_makes_up_for_it(store):
    embedder, clock = FailingEmbedder(), Clock()
    memory = longterm(embedder=embedder, clock=clock)
    await remember(memory, store, BEES)
    await remember(memory, store, DOG)
    await recalled(memory, store, "Where does Clara keep bees?")
    assert await memory.embed_missing(store) == 0
    assert embedder.asked == 1
    clock.now += 61
    embedder.mended = True
    told = []
    assert await memory.embed_missing(store, lambda *progress: told.append(progress)) == 2
    assert told == [(2, 2)]
    assert await store.count_unembedded("failing") == 0
    assert len(await recalled(memory, store, "entirely different words")) == 2


async def test_where_nothing_is_remembered_nothing_is_embedded(store):
    embedder = FailingEmbedder()
    memory = longterm(embedder=embedder)
    assert await recalled(memory, store, "Where does Clara keep bees?") == []
    assert await memory.embed_missing(store) == 0
    assert embedder.asked == 0


async def test_a_slow_embedder_does_not_hold_up_the_turn(store, monkeypatch):
    class Slow(FailingEmbedder):
        async def embed(self, texts):
            await asyncio.Event().wait()

    await remember(longterm(), store, BEES)
    monkeypatch.setattr("hector_nb.memory.longterm.RECALL_SECONDS", 2.0)
    async with asyncio.timeout(30):
        assert await recalled(longterm(embedder=Slow()), store, "Where does Clara keep bees?") == [BEES]


@pytest.mark.parametrize("slow", [False, True])
async def test_a_store_that_fails_or_hangs_costs_the_memories_but_not_the_turn(store, monkeypatch, slow, caplog):
    async def fail(*_, **__):
        if slow:
            await asyncio.Event().wait()
        raise StoreError("The disk is on holiday.")

    await remember(longterm(), store, BEES)
    monkeypatch.setattr("hector_nb.memory.longterm.RECALL_SECONDS", 0.2)
    monkeypatch.setattr(store, "recall", fail)
    with caplog.at_level(logging.WARNING):
        assert await recalled(longterm(), store, "Where does Clara keep bees?") == []
    assert "Nothing was recalled" in caplog.text
    assert "Clara" not in caplog.text


async def test_a_corrected_memory_is_what_is_recalled_next_time(store):
    memory = longterm()
    await remember(memory, store, BEES, DOG)
    (found, *_) = await memory.recall(store, user=USER, session_id="x", text="Where does Clara keep bees?", seen=None)
    corrected = await memory.correct(
        store, user=USER, session_id="x", memory_id=found.memory.memory_id, text="  Clara keeps goats in Porto. "
    )
    assert corrected.text == "Clara keeps goats in Porto."
    assert corrected.tokens == await TiktokenCounter().count(corrected.text)
    assert (await recalled(memory, store, "Who has goats?"))[0] == "Clara keeps goats in Porto."
    assert await store.count_unembedded(memory.embedder.name) == 0


@pytest.mark.parametrize("text", ["", " \n", "x" * 8001])
async def test_a_correction_must_say_something_and_not_too_much(store, text):
    memory = longterm()
    await remember(memory, store, BEES)
    (found,) = (await store.list_memories(memory.partition(USER, "s"))).items
    with pytest.raises(InvalidRequest):
        await memory.correct(store, user=USER, session_id="s", memory_id=found.memory_id, text=text)
    assert await remembered(memory, store) == [BEES]


async def test_a_forgotten_memory_is_gone(store):
    memory = longterm()
    await remember(memory, store, BEES)
    (found,) = (await store.list_memories(memory.partition(USER, "s"))).items
    await memory.forget(store, user=USER, session_id="s", memory_id=found.memory_id)
    assert await recalled(memory, store, "Where does Clara keep bees?") == []
    with pytest.raises(MemoryNotFound):
        await memory.forget(store, user=USER, session_id="s", memory_id=found.memory_id)


@pytest.mark.parametrize(("scope", "error"), [("conversational", MemoryNotFound), ("all", Forbidden)])
async def test_nobody_else_corrects_or_forgets_a_memory(store, scope, error):
    memory = longterm(scope)
    await remember(memory, store, BEES)
    (found,) = (await store.list_memories(memory.partition(USER, "s"))).items
    with pytest.raises(error):
        await memory.forget(store, user="eve", session_id="s", memory_id=found.memory_id)
    with pytest.raises(error):
        await memory.correct(store, user="eve", session_id="s", memory_id=found.memory_id, text="no bees")
    assert await remembered(memory, store) == [BEES]


async def test_memories_are_cut_so_that_several_fit_a_small_budget(store):
    memory = longterm(budget=400, min_score=0)
    text = " ".join(f"Hive {number} stands at the edge of field {number}." for number in range(60))
    assert await remember(memory, store, (f"Remember this list of hives: {text}", "I will.")) > 5
    found = await recalled(memory, store, "Where does hive 42 stand?")
    assert len(found) >= 2
    assert "Hive 42" in found[0]


async def test_a_failing_store_is_told_and_nothing_is_lost(store, monkeypatch):
    memory = longterm()
    await say(store, BEES)

    async def fail(*_, **__):
        raise StoreError("The disk is on holiday.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "take_in", fail)
        with pytest.raises(StoreError):
            await take_in(memory, store)
    assert await take_in(memory, store) == 1


async def test_a_failed_turn_leaves_what_the_user_said(store):
    memory = longterm()
    await store.create_session(make_session())
    await begin(store, "t1", "Please book a table for Clara's birthday on May 3.")
    await store.write_turn(
        "t1",
        events=[],
        messages=[make_message("Sure, I w", "t1", "assistant", status="failed")],
        outcome=replace(REMEMBERED, status="failed"),
    )
    assert await take_in(memory, store) == 1
    assert await remembered(memory, store) == ["Please book a table for Clara's birthday on May 3."]
    assert new_id("mem") > (await store.list_memories(memory.partition(USER, "s"))).items[0].memory_id
