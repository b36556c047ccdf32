"""What every store does, sentence by sentence of `stores/base_memories.py`: how far long-term memory has taken sessions in."""

import pytest

from hector_nb.stores.base_turns import TurnOutcome

from .making import AGENT, COMPLETE, USER, ago, begin, exchange, finish, make_message, make_session, one_off
from .making_memories import REMEMBERED, give, make_memory, messages_of, partition, remembered

pytestmark = pytest.mark.anyio
AGENTS = [AGENT]


async def waiting(store, agents=AGENTS, **wanted):
    return [(each.session.session_id, each.mark, each.upto) for each in await store.untaken(agents, **wanted)]


async def take_in(store, *memories, session_id="s", mark=0, upto=2, scope="conversational", **changes):
    return await store.take_in(
        USER, session_id, scope=scope, mark=mark, upto=upto, memories=memories, embedder="e", **changes
    )


@pytest.fixture
async def session(store):
    return (await store.create_session(make_session()))[0]


async def test_a_remembered_turn_waits_to_be_taken_in(store, session):
    assert await waiting(store) == []
    await exchange(store, "t1", outcome=REMEMBERED)
    (untaken,) = await store.untaken(AGENTS)
    newest = (await messages_of(store))[-1]
    assert (untaken.session, untaken.mark, untaken.upto) == (await store.get_session(USER, "s"), 0, 2)
    assert untaken.idle_since == newest.created_at
    assert await store.untaken_of(USER, "s") == untaken
    assert await store.untaken_of("bob", "s") is None
    assert await waiting(store, ["other"]) == await waiting(store, []) == []
    assert await waiting(store, ["other", AGENT, AGENT]) == [("s", 0, 2)]


async def test_a_turn_that_is_not_to_be_remembered_moves_the_mark_past_it(store, session):
    await exchange(store, "t1")
    assert await store.untaken_of(USER, "s") is None
    await exchange(store, "t2", outcome=REMEMBERED)
    assert await waiting(store) == [("s", 2, 4)]
    await begin(store, "t3")
    await store.write_turn("t3", outcome=TurnOutcome(status="waiting"))
    assert (await store.untaken_of(USER, "s")).mark == 2
    await finish(store, "t3", outcome=COMPLETE)
    assert await waiting(store) == []


async def test_a_session_with_an_unfinished_turn_is_left_alone_unless_it_is_asked_for(store, session):
    await exchange(store, "t1", outcome=REMEMBERED)
    await begin(store, "t2")
    await begin(store, "t3")
    assert await waiting(store) == []
    assert (await store.untaken_of(USER, "s")).upto == 3
    for turn in ("t2", "t3"):
        await store.write_turn(turn, outcome=REMEMBERED)
    assert await waiting(store) == [("s", 0, 4)]


async def test_one_off_sessions_give_nothing(store):
    await one_off(store, "t1", outcome=REMEMBERED)
    assert await waiting(store) == []
    assert await store.untaken_of(USER, "once-t1") is None


async def test_the_longest_idle_come_first_and_limits_hold(store):
    for n in (2, 0, 1):
        await store.import_session(make_session(f"s{n}", agent=f"a{n % 2}"), [make_message()], take_in=True)
    names = [name for name, *_ in await waiting(store, ["a0", "a1"])]
    assert names == ["s2", "s0", "s1"]
    assert [name for name, *_ in await waiting(store, ["a1", "a0"], limit=2)] == ["s2", "s0"]
    assert [name for name, *_ in await waiting(store, ["a1"])] == ["s1"]
    (_, _, last) = await store.untaken(["a0", "a1"])
    assert [name for name, *_ in await waiting(store, ["a0", "a1"], idle_before=last.idle_since)] == ["s2", "s0"]
    assert await waiting(store, ["a0"], idle_before=ago(60)) == []


async def test_sessions_that_are_over_can_be_told_from_the_others(store):
    for name, changes in {
        "open": {},
        "later": {"expires_at": ago(-60)},
        "late": {"expires_at": ago(1)},
        "expired": {"status": "expired"},
        "ended": {"status": "ended"},
    }.items():
        await store.import_session(make_session(name, **changes), [make_message()], take_in=True)
    assert [name for name, *_ in await waiting(store, over=True)] == ["late", "expired", "ended"]
    assert [name for name, *_ in await waiting(store, over=False)] == ["open", "later"]
    assert len(await waiting(store)) == 5
    await store.expire_sessions()
    assert [name for name, *_ in await waiting(store, over=True)] == ["late", "expired", "ended"]


async def test_taking_in_moves_the_mark(store, session):
    for n in range(2):
        await exchange(store, f"t{n}", outcome=REMEMBERED)
    past = await messages_of(store)
    assert await take_in(store, make_memory("one", past[1], 2))
    assert await waiting(store) == [("s", 2, 4)]
    assert not await take_in(store, make_memory("again", past[1], 2))
    assert not await take_in(store, make_memory("skipping", past[3], 4), mark=3, upto=4)
    assert await take_in(store, mark=2, upto=4)
    assert await waiting(store) == []
    assert await remembered(store) == ["one"]


async def test_nothing_is_taken_in_that_is_gone(store, session):
    await exchange(store, "t1", outcome=REMEMBERED)
    past = await messages_of(store)
    memory = make_memory("one", past[1], 2)
    await store.rewind_session(USER, "s", after=past[0].message_id)
    assert not await take_in(store, memory)
    await exchange(store, "t2", outcome=REMEMBERED)
    assert not await take_in(store, memory)
    assert not await take_in(store, memory, upto=9)
    assert await store.delete_session(USER, "s")
    assert not await take_in(store, memory)
    assert not await take_in(store, memory, session_id="never")
    assert await remembered(store) == []


async def test_a_rewind_moves_the_mark_back(store, session):
    await give(store, "one", "two", "three")
    past = await messages_of(store)
    await store.rewind_session(USER, "s", after=past[2].message_id)
    assert await remembered(store) == ["one"]
    assert await waiting(store) == []
    await exchange(store, "t9", outcome=REMEMBERED)
    assert await waiting(store) == [("s", 3, 5)]
    await store.rewind_session(USER, "s", after=past[1].message_id)
    assert await waiting(store) == []
    await store.rewind_session(USER, "s")
    assert await remembered(store) == []


async def test_a_rewind_before_the_mark_moves_it_and_one_after_it_does_not(store, session):
    for n in range(3):
        await exchange(store, f"t{n}", outcome=REMEMBERED)
    past = await messages_of(store)
    assert await take_in(store, make_memory("one", past[1], 2))
    await store.rewind_session(USER, "s", after=past[3].message_id)
    assert await waiting(store) == [("s", 2, 4)]
    (untaken,) = await store.untaken(AGENTS)
    assert untaken.idle_since == past[3].created_at


async def test_where_a_summary_was_made_of_what_a_rewind_erases_all_is_taken_in_again(store, session):
    await give(store, "one", "two", scope="summaries_only", kind="summary")
    where = partition("summaries_only")
    past = await messages_of(store)
    await store.rewind_session(USER, "s", after=past[2].message_id)
    assert await remembered(store, where) == ["one"]
    assert await waiting(store) == [("s", 0, 3)]


@pytest.mark.parametrize("take_it_in", [True, False])
async def test_forks_and_imports_are_taken_in_on_request(store, session, take_it_in):
    await exchange(store, "t1")
    past = await messages_of(store)
    await store.fork_session("s", make_session("fork"), after=past[0].message_id, take_in=take_it_in)
    await store.import_session(make_session("import"), past, take_in=take_it_in)
    assert await waiting(store) == ([("fork", 0, 1), ("import", 0, 2)] if take_it_in else [])
    await exchange(store, "t2", session_id="fork", outcome=REMEMBERED)
    assert (await store.untaken_of(USER, "fork")).mark == (0 if take_it_in else 1)


async def test_a_fork_is_not_taken_in_unless_it_is_wanted(store, session):
    await exchange(store, "t1", outcome=REMEMBERED)
    await store.fork_session("s", make_session("fork"))
    await store.import_session(make_session("import"), await messages_of(store))
    assert await waiting(store) == [("s", 0, 2)]


async def test_an_ended_turn_of_the_queue_is_remembered_with_the_rest(store, session):
    await begin(store, "t1")
    await begin(store, "t2", "waiting")
    await store.write_turn("t2", outcome=TurnOutcome(status="cancelled", take_in=True))
    await finish(store, "t1", outcome=REMEMBERED)
    assert await waiting(store) == [("s", 0, 3)]


async def test_who_watches_is_told_of_what_was_taken_in(store, session):
    await exchange(store, "t1", outcome=REMEMBERED)
    async with store.watch("s") as watch:
        assert await take_in(store)
        assert await watch.wait(5)
