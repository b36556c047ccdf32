"""What every store does, sentence by sentence of `stores/base.py`: titles, imports, forks, rewinds, and what a turn has said."""

import pytest

from hector_nb.errors import Conflict, MessageNotFound, SessionBusy, SessionNotFound
from hector_nb.messages import ToolCall
from hector_nb.stores.base_sessions import Idempotency, Window
from hector_nb.stores.base_turns import RepeatedTurn, TurnOutcome

from .making import USER, ago, begin, exchange, finish, make_message, make_session, transcript

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session(store):
    return (await store.create_session(make_session()))[0]


async def messages_of(store, session_id="s"):
    return list((await store.list_messages(USER, session_id)).items)


async def talk(store, count, session_id="s"):
    for n in range(count):
        await exchange(store, f"{session_id}-t{n}", f"q{n}", f"a{n}", session_id=session_id)
    return await messages_of(store, session_id)


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("What is new?", "What is new?"),
        ("\n  \tTell me \t more \n of that", "Tell me more"),
        ("w" * 60, "w" * 60),
        ("w" * 61, "w" * 59 + "…"),
        ("word " * 20, "word " * 11 + "word…"),
        ("a\ud800", "a\ufffd"),
        ("\ufeff\u3000x\u2028y", "\ufeff\u3000x".strip()),
    ],
)
async def test_a_session_is_named_by_its_first_message(store, session, message, title):
    begun = await begin(store, "t1", message)
    assert begun.session.title == title.replace("\u3000", " ")
    await finish(store, "t1")
    await exchange(store, "t2", "something else")
    assert (await store.get_session(USER, "s")).title == begun.session.title


async def test_a_given_title_stays(store):
    await store.create_session(make_session(title="Mine"))
    assert (await begin(store, "t1", "other")).session.title == "Mine"
    await finish(store, "t1")
    await store.update_session(USER, "s", title="")
    assert (await begin(store, "t2", "second")).session.title == "second"


async def test_a_message_that_never_got_its_turn_names_its_session_too(store, session):
    await begin(store, "t1", "one")
    await store.update_session(USER, "s", title="")
    await begin(store, "t2", "two")
    await store.write_turn("t2", outcome=TurnOutcome(status="cancelled"))
    assert (await store.get_session(USER, "s")).title == "two"


async def test_an_imported_transcript_is_the_one_given(store):
    call = ToolCall(call_id="c", name="f", arguments={"x": [1]})
    given = [
        make_message("first", "t1", tokens=3),
        make_message("", "t1", "assistant", tokens=2, tool_calls=(call,), thinking="hm", estimated=False),
        make_message("out", "t1", "tool", call_id="c", is_error=True),
        make_message("half", "t1", "assistant", status="interrupted"),
    ]
    session = await store.import_session(make_session(metadata={"a": 1}), given)
    assert (session.title, session.metadata) == ("first", {"a": 1})
    assert (session.message_count, session.token_count) == (4, 7)
    assert session == await store.get_session(USER, "s")
    assert await messages_of(store) == given
    begun = await begin(store, "t9")
    assert (begun.history, begun.message_number, begun.first_position) == (given, 2, 1)
    assert (await store.import_session(make_session("empty"), [])).message_count == 0
    with pytest.raises(Conflict):
        await store.import_session(make_session(), given)
    assert len(await messages_of(store)) == 5


async def test_a_fork_is_a_copy_that_goes_its_own_way(store, session):
    past = await talk(store, 3)
    whole = await store.fork_session("s", make_session("whole", title="T"))
    assert (whole.title, whole.message_count, whole.token_count) == ("T", 6, session.token_count + 9)
    assert await messages_of(store, "whole") == past
    part = await store.fork_session("s", make_session("part"), after=past[2].message_id)
    assert (part.title, part.message_count, part.token_count) == ("q0", 3, 4)
    assert await messages_of(store, "part") == past[:3]
    begun = await begin(store, "new", "other", session_id="part")
    assert (begun.message_number, begun.history) == (3, past[:3])
    again = await store.fork_session("part", make_session("again"), after=past[0].message_id)
    assert await messages_of(store, "again") == past[:1]
    assert again.running_turn is None
    assert await messages_of(store) == past
    await store.delete_session(USER, "s")
    assert await messages_of(store, "whole") == past


async def test_what_is_not_there_cannot_be_forked_or_rewound_to(store, session):
    await talk(store, 1)
    await store.create_session(make_session("other"))
    (elsewhere, _) = await talk(store, 1, "other")
    for call in (
        store.fork_session("s", make_session("new"), after="msg_unknown"),
        store.fork_session("s", make_session("new"), after=elsewhere.message_id),
        store.rewind_session(USER, "s", after="msg_\ud800"),
        store.rewind_session(USER, "s", after=elsewhere.message_id),
    ):
        with pytest.raises(MessageNotFound):
            await call
    for call in (
        store.fork_session("gone", make_session("new")),
        store.fork_session("s", make_session("new", user="bob")),
        store.rewind_session("bob", "s"),
    ):
        with pytest.raises(SessionNotFound):
            await call
    with pytest.raises(Conflict):
        await store.fork_session("s", make_session("other"))
    assert await store.get_session(USER, "new") is None


async def test_rewinding_erases_what_follows_with_its_turns_and_events(store, session):
    past = await talk(store, 3)
    await store.join_turn("s-t1", "reader")
    rewound = await store.rewind_session(USER, "s", after=past[1].message_id)
    assert (rewound.message_count, rewound.token_count) == (2, 3)
    assert rewound == await store.get_session(USER, "s")
    assert await messages_of(store) == past[:2]
    assert (await store.read_turn(USER, "s-t0")).events != []
    for gone in ("s-t1", "s-t2"):
        assert await store.get_turn(USER, gone) is None
        assert await store.read_turn(USER, gone) is None
        assert await store.write_turn(gone, outcome=TurnOutcome(status="complete")) is None
    begun = await begin(store, "new", "other")
    assert (begun.message_number, begun.first_position, begun.history) == (2, 1, past[:2])
    await finish(store, "new")
    assert (await store.rewind_session(USER, "s")).message_count == 0
    assert (await begin(store, "first", window=Window())).message_number == 1


async def test_a_turn_of_which_a_part_is_erased_is_erased(store, session):
    past = await talk(store, 1)
    await store.rewind_session(USER, "s", after=past[0].message_id)
    assert await transcript(store) == ["q0"]
    assert await store.get_turn(USER, "s-t0") is None


async def test_a_session_is_not_rewound_while_a_turn_is_unfinished(store, session):
    await begin(store, "t1")
    with pytest.raises(SessionBusy) as busy:
        await store.rewind_session(USER, "s")
    assert busy.value.details == {"running_turn": "t1"}
    assert await transcript(store) == ["hello"]


async def test_an_answer_is_what_the_assistant_said_in_the_turn(store, session):
    await begin(store, "t1")
    assert await store.answer(USER, "t1") == ""
    await begin(store, "t2", "waiting")
    await store.write_turn("t2", outcome=TurnOutcome(status="cancelled"))
    said = [make_message("one ", "t1", "assistant"), make_message("out", "t1", "tool", call_id="c")]
    await store.write_turn("t1", messages=said)
    assert await store.answer(USER, "t1") == "one "
    await finish(store, "t1", "two")
    await exchange(store, "t3", "q", "three")
    assert [await store.answer(USER, turn) for turn in ("t1", "t2", "t3")] == ["one \n\ntwo", "", "three"]
    assert await store.answer("bob", "t1") == await store.answer(USER, "unknown") == ""


async def test_turns_follow_each_other_as_they_were_queued(store, session):
    assert await store.next_turn(USER, "s") is None
    assert await store.last_turn(USER, "s") is None
    await store.create_session(make_session("other"))
    await exchange(store, "t0", session_id="other")
    for turn_id in ("t3", "t1", "t2"):
        await begin(store, turn_id)
    order, after = [], None
    while turn := await store.next_turn(USER, "s", after=after):
        order.append(turn.turn_id)
        after = turn.turn_id
    assert order == ["t3", "t1", "t2"]
    assert (await store.last_turn(USER, "s")).turn_id == "t2"
    assert await store.next_turn(USER, "s", after="t2") is None
    for call in (store.next_turn("bob", "s"), store.last_turn(USER, "gone")):
        with pytest.raises(SessionNotFound):
            await call


async def test_after_an_erased_turn_comes_the_next_later_one(store, session):
    for turn_id in ("turn_a", "turn_b", "turn_c"):
        await exchange(store, turn_id)
    await store.rewind_session(USER, "s", after=(await messages_of(store))[1].message_id)
    assert await store.next_turn(USER, "s", after="turn_c") is None
    await exchange(store, "turn_d")
    assert (await store.next_turn(USER, "s", after="turn_b")).turn_id == "turn_d"


async def test_skipped_numbers_stay_unused(store, session):
    await begin(store, "t1")
    await finish(store, "t1", outcome=None)
    assert (await store.write_turn("t1", skip=5)).last_seq == 2
    turn = await store.write_turn(
        "t1", events=[event for _, event in (await store.read_turn(USER, "t1")).events], skip=1000
    )
    assert turn.last_seq == 1004
    assert [seq for seq, _ in (await store.read_turn(USER, "t1")).events] == [1, 2, 1003, 1004]
    assert [seq for seq, _ in (await store.read_turn(USER, "t1", after=2)).events] == [1003, 1004]
    assert [seq for seq, _ in (await store.read_turn(USER, "t1", after=1003)).events] == [1004]


async def test_an_import_and_a_rewind_wake_those_who_watch(store, session):
    past = await talk(store, 2)
    async with store.watch("s") as watch:
        await store.rewind_session(USER, "s", after=past[1].message_id)
        assert await watch.wait(5)


async def test_a_key_of_an_erased_turn_may_be_used_again(store, session):
    key = Idempotency(key="k", fingerprint="1")
    await exchange(store, "t1", idempotency=key)
    assert isinstance(await begin(store, "t2", idempotency=key), RepeatedTurn)
    await store.rewind_session(USER, "s")
    again = await begin(store, "t3", idempotency=Idempotency(key="k", fingerprint="2"))
    assert again.turn.turn_id == "t3"
    assert ago() >= again.turn.created_at
