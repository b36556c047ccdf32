"""What every store does, sentence by sentence of `stores/base_memories.py`: summaries, and what a model gets of a transcript."""

import pytest

from hector_nb.errors import SessionNotFound
from hector_nb.stores.base_sessions import Window

from .making import USER, begin, exchange, finish, make_session
from .making_memories import make_summary, messages_of

pytestmark = pytest.mark.anyio
SUMMARIZED = Window(summarized=True)


@pytest.fixture
async def past(store):
    """Three exchanges: six messages."""
    await store.create_session(make_session())
    for n in range(3):
        await exchange(store, f"t{n}", f"q{n}", f"a{n}")
    return await messages_of(store)


async def test_a_summary_stands_for_what_it_covers(store, past):
    summary = make_summary(past[3], 4, "caf\u00e9 \ud800")
    assert await store.store_summary(USER, "s", summary, after=0)
    begun = await begin(store, "t9", window=SUMMARIZED)
    assert begun.summary == make_summary(past[3], 4, "caf\u00e9 \ufffd", created_at=summary.created_at)
    assert (begun.history, begun.first_position) == (past[4:], 5)
    assert (await begin(store, "t9", window=SUMMARIZED)) == begun
    plain = await begin(store, "t9")
    assert (plain.summary, plain.history, plain.first_position) == (None, past, 1)
    assert await messages_of(store) == [*past, begun.message]


async def test_limits_count_from_the_newest_message_and_the_summary_is_the_newest(store, past):
    for position in (2, 4):
        assert await store.store_summary(USER, "s", make_summary(past[position - 1], position), after=position - 2)
    window = Window(summarized=True, max_messages=1)
    summary, history, first = await store.read_window(USER, "s", window=window)
    assert (summary.position, history, first) == (4, past[5:], 6)
    summary, history, first = await store.read_window(USER, "s", window=Window(summarized=True, after=5))
    assert (summary.position, history, first) == (4, past[5:], 6)


async def test_a_turn_that_began_now_would_get_what_read_window_gives(store, past):
    for window in (Window(), Window(max_messages=3), Window(max_tokens=4), Window(after=2), SUMMARIZED):
        expected = await store.read_window(USER, "s", window=window)
        assert expected[0] is None
        fork = await store.fork_session("s", make_session("fork"))
        begun = await begin(store, "t9", session_id=fork.session_id, window=window)
        assert (begun.summary, begun.history, begun.first_position) == expected
        await store.delete_session(USER, "fork")


async def test_the_window_of_a_new_session_is_empty(store):
    await store.create_session(make_session())
    assert await store.read_window(USER, "s", window=SUMMARIZED) == (None, [], 1)
    with pytest.raises(SessionNotFound):
        await store.read_window("bob", "s", window=SUMMARIZED)


async def test_only_the_summary_that_follows_the_newest_one_is_stored(store, past):
    assert not await store.store_summary(USER, "s", make_summary(past[1], 2), after=2)
    assert await store.store_summary(USER, "s", make_summary(past[1], 2), after=0)
    assert not await store.store_summary(USER, "s", make_summary(past[3], 4), after=0)
    assert not await store.store_summary(USER, "s", make_summary(past[1], 2), after=2)
    assert not await store.store_summary(USER, "s", make_summary(past[3], 5), after=2)
    assert not await store.store_summary(USER, "s", make_summary(past[3], 40), after=2)
    assert not await store.store_summary("bob", "s", make_summary(past[3], 4), after=0)
    assert not await store.store_summary(USER, "gone", make_summary(past[3], 4), after=0)
    assert (await store.read_window(USER, "s", window=SUMMARIZED))[0].position == 2


async def test_a_rewind_takes_the_summaries_of_what_it_erases(store, past):
    for position in (2, 4, 6):
        assert await store.store_summary(USER, "s", make_summary(past[position - 1], position), after=position - 2)
    await store.rewind_session(USER, "s", after=past[4].message_id)
    summary, history, first = await store.read_window(USER, "s", window=SUMMARIZED)
    assert (summary.position, history, first) == (4, past[4:5], 5)
    assert not await store.store_summary(USER, "s", make_summary(past[5], 6), after=4)
    await store.rewind_session(USER, "s")
    assert (await store.read_window(USER, "s", window=SUMMARIZED))[0] is None
    await exchange(store, "t9")
    assert (await store.read_window(USER, "s", window=SUMMARIZED))[0] is None


async def test_a_fork_has_the_summaries_of_what_it_copies(store, past):
    for position in (2, 4):
        await store.store_summary(
            USER, "s", make_summary(past[position - 1], position, f"up to {position}"), after=position - 2
        )
    await store.fork_session("s", make_session("whole"))
    await store.fork_session("s", make_session("part"), after=past[2].message_id)
    await store.fork_session("s", make_session("start"), after=past[0].message_id)
    await store.delete_session(USER, "s")
    found = {name: (await store.read_window(USER, name, window=SUMMARIZED))[0] for name in ("whole", "part", "start")}
    assert {name: summary and summary.text for name, summary in found.items()} == {
        "whole": "up to 4",
        "part": "up to 2",
        "start": None,
    }
    assert (found["part"].message_id, found["part"].position) == (past[1].message_id, 2)


async def test_messages_are_read_between_two_positions(store, past):
    await store.create_session(make_session("other"))
    await exchange(store, "o", session_id="other")
    assert await store.messages_between(USER, "s", after=0) == past
    assert await store.messages_between(USER, "s", after=2, upto=4) == past[2:4]
    assert await store.messages_between(USER, "s", after=2, limit=1) == past[2:3]
    assert await store.messages_between(USER, "s", after=6) == []
    assert await store.messages_between(USER, "s", after=4, upto=1 << 30) == past[4:]
    assert await store.messages_between("bob", "s", after=0) == []
    assert await store.messages_between(USER, "gone", after=0) == []


async def test_who_watches_is_told_of_a_summary(store, past):
    async with store.watch("s") as watch:
        await store.store_summary(USER, "s", make_summary(past[1], 2), after=0)
        assert await watch.wait(5)


async def test_a_summary_stored_while_a_turn_runs_is_for_the_next(store, past):
    begun = await begin(store, "t9", window=SUMMARIZED)
    assert await store.store_summary(USER, "s", make_summary(past[5], 6), after=0)
    await finish(store, "t9")
    after = await begin(store, "t10", window=SUMMARIZED)
    assert (after.summary.position, [message.content for message in after.history]) == (6, ["hello", "hi"])
    assert begun.summary is None
