"""Scope `summaries_only`: one summary a session, never what was said, made when it is due, and never lost to a failure."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.memory.longterm_world import Clock, PlainSummarizer, ended, longterm, recalled, remembered, say, take_in
from tests.stores.making import USER

pytestmark = pytest.mark.anyio
LONG = "My sister Clara keeps bees in Lyon."


@pytest.fixture
def summarizer():
    return PlainSummarizer()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def memory(summarizer, clock):
    return longterm("summaries_only", summarizer=summarizer, clock=clock, budget=60)


async def idle(memory, store, minutes):
    untaken = await store.untaken_of(USER, "s")
    return await memory.take_in(store, replace(untaken, idle_since=untaken.idle_since - timedelta(minutes=minutes)))


async def test_nothing_is_summarized_before_it_is_due(store, memory, summarizer):
    await say(store, LONG)
    assert await take_in(memory, store) == 0
    assert await idle(memory, store, 4) == 0
    assert summarizer.asked == []


async def test_a_session_that_fell_silent_is_summarized(store, memory):
    await say(store, LONG)
    assert await idle(memory, store, 5) == 1
    assert await remembered(memory, store) == ["They talked"]
    assert await recalled(memory, store, "What did they talk about?", allowance=99) == ["They talked"]


async def test_the_end_of_a_session_makes_its_summary_due(store, memory):
    await say(store, LONG)
    assert await take_in(memory, store, over=True) == 1
    assert await store.untaken_of(USER, "s") is None


async def test_an_ended_session_is_summarized_by_whoever_finds_it(store, memory):
    await say(store, LONG)
    await store.end_session(USER, "s")
    assert await take_in(memory, store) == 1


async def test_many_tokens_make_it_due_and_are_folded_in_portions(store, memory, summarizer):
    await say(store, *(f"My dog number {number} is called Rufus." for number in range(25)))
    assert await take_in(memory, store) == 2
    assert [len(messages) for _, messages in summarizer.asked] == [20, 20]
    assert [previous for previous, _ in summarizer.asked] == [None, "They talked"]
    assert await remembered(memory, store) == ["They talked and more"]
    assert await take_in(memory, store, over=True) == 1
    assert await remembered(memory, store) == ["They talked and more and more"]


async def test_more_messages_than_are_read_at_once_make_it_due(store, summarizer):
    memory = longterm("summaries_only", summarizer=summarizer, budget=100_000)
    await say(store, *(f"My dog number {number} is called Rufus." for number in range(40)))
    assert await take_in(memory, store) == 1
    assert (await store.untaken_of(USER, "s")).mark == 62


async def test_what_was_said_is_never_stored(store, memory, summarizer, caplog):
    summarizer.fails = True
    await say(store, *[LONG] * 30)
    with caplog.at_level(logging.WARNING):
        assert await take_in(memory, store, over=True) == 0
    assert await remembered(memory, store) == []
    assert (await store.untaken_of(USER, "s")).mark == 0
    assert "on holiday" in caplog.text
    assert "Clara" not in caplog.text


async def test_a_summarizer_that_failed_is_asked_again_after_a_while(store, memory, summarizer, clock):
    summarizer.fails = True
    await say(store, LONG)
    for _ in range(3):
        await take_in(memory, store, over=True)
    assert len(summarizer.asked) == 1
    summarizer.fails = False
    clock.now += 61
    assert await take_in(memory, store, over=True) == 1


async def test_a_summarizer_that_says_nothing_has_failed(store, memory, summarizer):
    async def silent(*_):
        return " \n"

    summarizer.summarize = silent
    await say(store, LONG)
    assert await take_in(memory, store, over=True) == 0
    assert (await store.untaken_of(USER, "s")).mark == 0


async def test_small_talk_keeps_the_summary_as_it_is(store, memory, summarizer):
    await say(store, LONG)
    await take_in(memory, store, over=True)
    await say(store, ("ok, thanks!", "You're welcome!"))
    assert await take_in(memory, store, over=True) == 0
    assert len(summarizer.asked) == 1
    assert await remembered(memory, store) == ["They talked"]
    assert await store.untaken_of(USER, "s") is None


async def test_a_forgotten_summary_is_not_summarized_again(store, memory, summarizer):
    await say(store, LONG)
    await take_in(memory, store, over=True)
    (found,) = (await store.list_memories(memory.partition(USER, "s"))).items
    await memory.forget(store, user=USER, session_id="s", memory_id=found.memory_id)
    await say(store, "My dog is called Rufus.")
    await take_in(memory, store, over=True)
    assert summarizer.asked[-1][0] is None


async def test_a_corrected_summary_is_what_is_gone_on_from(store, memory, summarizer):
    await say(store, LONG)
    await take_in(memory, store, over=True)
    (found,) = (await store.list_memories(memory.partition(USER, "s"))).items
    await memory.correct(store, user=USER, session_id="s", memory_id=found.memory_id, text="They sang")
    await say(store, "My dog is called Rufus.")
    await take_in(memory, store, over=True)
    assert await remembered(memory, store) == ["They sang and more"]


async def test_two_who_summarize_at_once_leave_one_summary(store, memory):
    await say(store, LONG)
    untaken = await store.untaken_of(USER, "s")
    await asyncio.gather(*(memory.take_in(store, ended(untaken)) for _ in range(2)))
    assert await remembered(memory, store) == ["They talked"]


async def test_of_a_huge_message_the_summarizer_reads_the_beginning(store, memory, summarizer):
    await say(store, "bees " * 50_000)
    untaken = await store.untaken_of(USER, "s")
    read = store.messages_between

    async def counted(*where, **what):
        return [replace(message, tokens=len(message.content) // 4) for message in await read(*where, **what)]

    store.messages_between = counted
    assert await memory.take_in(store, ended(untaken)) == 1
    assert max(len(content) for _, contents in summarizer.asked for content in contents) <= 64_000


async def test_each_session_has_its_own_summary(store, memory, summarizer):
    async def first_words(_, messages):
        return messages[0].content

    summarizer.summarize = first_words
    for session_id in ("s", "s2", "s"):
        await say(store, f"My dog in {session_id} is called Rufus.", session_id=session_id)
        await take_in(memory, store, session_id=session_id, over=True)
    assert sorted(await remembered(memory, store)) == [f"My dog in {name} is called Rufus." for name in ("s", "s2")]
