"""What every store does, sentence by sentence of `stores/base_sessions.py`: sessions and transcripts."""

from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from hector_nb.errors import Conflict, InvalidRequest, SessionNotFound
from hector_nb.messages import ToolCall
from hector_nb.stores.base_sessions import Window

from .making import AGENT, USER, ago, begin, exchange, finish, make_message, make_session, transcript

pytestmark = pytest.mark.anyio


async def test_a_session_is_created_once(store):
    first, created = await store.create_session(make_session(title="one", metadata={"a": [1, None, "ü"]}))
    again, created_again = await store.create_session(make_session(title="two"))
    assert (created, created_again) == (True, False)
    assert again == first == await store.get_session(USER, "s")
    assert first.title == "one"
    assert first.metadata == {"a": [1, None, "ü"]}


async def test_a_stored_session_equals_the_one_given(store):
    given = make_session(title="t", expires_at=ago(-60))
    assert (await store.create_session(given))[0] == given


async def test_two_users_may_use_one_id(store):
    await store.create_session(make_session())
    other, created = await store.create_session(make_session(user="bob", agent="coder"))
    assert created
    assert other.user == "bob"
    await exchange(store, "t1")
    assert await transcript(store, user="bob") == []


async def test_an_id_in_use_with_another_agent_is_a_conflict(store):
    await store.create_session(make_session())
    with pytest.raises(Conflict):
        await store.create_session(make_session(agent="coder"))
    assert (await store.get_session(USER, "s")).agent == AGENT


async def test_somebody_elses_session_is_not_there(store):
    await store.create_session(make_session())
    assert await store.get_session("bob", "s") is None
    assert not await store.delete_session("bob", "s")
    for call in (store.update_session("bob", "s", title="x"), store.end_session("bob", "s")):
        with pytest.raises(SessionNotFound):
            await call
    with pytest.raises(SessionNotFound):
        await store.list_messages("bob", "s")
    assert await store.unfinished_turns("bob", "s") == []
    assert (await store.list_sessions("bob")).items == []


async def test_an_id_that_no_session_can_have_is_not_found(store):
    for session_id in ("", "\ud800", "a\0b", "s" * 5000):
        assert await store.get_session(USER, session_id) is None


async def test_a_session_expires_when_its_time_has_passed(store):
    await store.create_session(make_session("old", expires_at=ago(1)))
    await store.create_session(make_session("new", expires_at=ago(-60)))
    assert (await store.get_session(USER, "old")).status == "expired"
    assert (await store.get_session(USER, "new")).status == "active"


async def test_times_are_utc_with_microseconds(store):
    moment = ago().replace(microsecond=123456)
    zone = moment.astimezone(None)
    session, _ = await store.create_session(make_session(created_at=zone, last_active_at=moment))
    session = await store.get_session(USER, "s")
    assert session.created_at == session.last_active_at == moment
    assert session.created_at.tzinfo is UTC
    await begin(store, "t1")
    turn = await finish(store, "t1")
    assert turn.created_at.tzinfo is turn.finished_at.tzinfo is UTC
    assert timedelta(0) <= turn.finished_at - turn.created_at < timedelta(minutes=1)
    assert (await store.list_messages(USER, "s")).items[0].created_at.tzinfo is UTC


async def test_update_changes_what_is_given(store):
    await store.create_session(make_session(title="one", metadata={"a": 1}))
    assert (await store.update_session(USER, "s", title="two")).title == "two"
    changed = await store.update_session(USER, "s", metadata={"b": 2})
    assert (changed.title, changed.metadata) == ("two", {"b": 2})
    assert (await store.update_session(USER, "s", title="", metadata={})).title == ""
    assert (await store.get_session(USER, "s")).metadata == {}
    with pytest.raises(SessionNotFound):
        await store.update_session(USER, "gone", title="x")


async def test_ending_twice_is_ending_once(store):
    await store.create_session(make_session())
    await exchange(store, "t1")
    ended = await store.end_session(USER, "s")
    assert ended.status == "ended"
    assert await store.end_session(USER, "s") == ended
    assert await transcript(store) == ["hello", "hi"]
    with pytest.raises(SessionNotFound):
        await store.end_session(USER, "gone")


async def test_an_ended_session_does_not_expire(store):
    await store.create_session(make_session(expires_at=ago(1)))
    assert (await store.end_session(USER, "s")).status == "ended"


async def test_deleting_erases_messages_turns_and_events(store):
    await store.create_session(make_session(title="secret"))
    await exchange(store, "t1")
    await begin(store, "t2")
    await begin(store, "t3")
    await store.request_cancel("t2")
    assert await store.delete_session(USER, "s")
    assert not await store.delete_session(USER, "s")
    assert await store.get_session(USER, "s") is None
    assert await store.get_turn(USER, "t1") is None
    assert await store.read_turn(USER, "t1") is None
    assert await store.unfinished_turns(USER, "s") == []
    assert await store.cancel_requests("holder-1") == []
    assert (await store.list_sessions(USER, query="secret")).items == []
    assert await finish(store, "t2") is None
    with pytest.raises(SessionNotFound):
        await begin(store, "t3")
    _, created = await store.create_session(make_session())
    assert created
    assert await transcript(store) == []


async def test_sessions_are_listed_newest_activity_first(store):
    for n in range(4):
        await store.create_session(make_session(f"s{n}", last_active_at=ago(100 - n)))
    await exchange(store, "t1", session_id="s1")
    assert [s.session_id for s in (await store.list_sessions(USER)).items] == ["s1", "s3", "s2", "s0"]


async def test_a_listing_pages_to_its_end(store):
    moment = ago()
    for n in range(7):
        await store.create_session(make_session(f"s{n}", last_active_at=moment))
    seen, cursor = [], None
    for _ in range(3):
        page = await store.list_sessions(USER, limit=3, cursor=cursor)
        seen += [s.session_id for s in page.items]
        cursor = page.next_cursor
    assert seen == [f"s{n}" for n in reversed(range(7))]
    assert cursor is None


async def test_a_full_last_page_has_no_next_cursor(store):
    await store.create_session(make_session("a"))
    await store.create_session(make_session("b"))
    assert (await store.list_sessions(USER, limit=2)).next_cursor is None


async def test_a_cursor_stands_while_sessions_move_and_vanish(store):
    for n in range(6):
        await store.create_session(make_session(f"s{n}", last_active_at=ago(100 - n)))
    page = await store.list_sessions(USER, limit=2)
    assert [s.session_id for s in page.items] == ["s5", "s4"]
    await exchange(store, "t1", session_id="s4")
    await store.delete_session(USER, "s5")
    await store.create_session(make_session("s6"))
    rest = await store.list_sessions(USER, cursor=page.next_cursor)
    assert [s.session_id for s in rest.items] == ["s3", "s2", "s1", "s0"]


@pytest.mark.parametrize("cursor", ["x", "12", "1.2.3", "-1.2", "f" * 40 + ".1", "1.", "\ud800"])
async def test_a_foreign_cursor_is_refused(store, cursor):
    await store.create_session(make_session())
    with pytest.raises(InvalidRequest):
        await store.list_sessions(USER, cursor=cursor)
    with pytest.raises(InvalidRequest):
        await store.list_messages(USER, "s", cursor=f"{cursor}.1")


async def test_a_listing_filters_by_agent_status_and_words_of_the_title(store):
    await store.create_session(make_session("a", title="Grüße aus Köln"))
    await store.create_session(make_session("b", title="Green tea", agent="coder"))
    await store.create_session(make_session("c", title="green fields", expires_at=ago(1)))
    await store.create_session(make_session("d", title="red tea"))
    await store.end_session(USER, "d")

    async def found(**wanted):
        return {s.session_id for s in (await store.list_sessions(USER, **wanted)).items}

    assert await found() == {"a", "b", "c", "d"}
    assert await found(agent="coder") == {"b"}
    assert await found(agent="nobody") == set()
    assert await found(status="active") == {"a", "b"}
    assert await found(status="expired") == {"c"}
    assert await found(status="ended") == {"d"}
    assert await found(query="GREEN") == {"b", "c"}
    assert await found(query="gre te") == {"b"}
    assert await found(query="koln grus") == {"a"}
    assert await found(query="een") == set()
    assert await found(query="tea", status="ended", agent=AGENT) == {"d"}
    assert await found(query='"te*') == {"b", "d"}
    assert await found(query="te AND NOT OR") == set()
    assert await found(query=" -!\ud800 ") == set()


async def test_a_search_follows_a_changed_title_and_pages(store):
    for n in range(5):
        await store.create_session(make_session(f"s{n}", title="first", last_active_at=ago(100 - n)))
    await store.update_session(USER, "s4", title="second")
    assert [s.session_id for s in (await store.list_sessions(USER, query="second")).items] == ["s4"]
    page = await store.list_sessions(USER, query="first", limit=3)
    assert [s.session_id for s in page.items] == ["s3", "s2", "s1"]
    rest = await store.list_sessions(USER, query="first", limit=3, cursor=page.next_cursor)
    assert ([s.session_id for s in rest.items], rest.next_cursor) == (["s0"], None)


async def test_unlisted_sessions_are_not_listed(store):
    await store.create_session(make_session(listed=False, title="once"))
    assert (await store.list_sessions(USER)).items == []
    assert (await store.list_sessions(USER, query="once")).items == []
    assert not (await store.get_session(USER, "s")).listed


async def test_counts_and_running_turn_are_part_of_the_session(store):
    await store.create_session(make_session())
    await exchange(store, "t1")
    await begin(store, "t2")
    session = await store.get_session(USER, "s")
    assert (session.message_count, session.token_count, session.running_turn) == (3, 4, "t2")
    assert (await store.list_sessions(USER)).items == [session]
    await finish(store, "t2")
    assert (await store.get_session(USER, "s")).running_turn is None


async def test_the_transcript_pages_oldest_first(store):
    await store.create_session(make_session())
    for n in range(3):
        await exchange(store, f"t{n}", f"q{n}", f"a{n}")
    page = await store.list_messages(USER, "s", limit=4)
    assert [m.content for m in page.items] == ["q0", "a0", "q1", "a1"]
    await exchange(store, "t3", "q3", "a3")
    rest = await store.list_messages(USER, "s", limit=4, cursor=page.next_cursor)
    assert [m.content for m in rest.items] == ["q2", "a2", "q3", "a3"]
    assert rest.next_cursor is None


async def test_messages_come_back_as_they_were_given(store):
    await store.create_session(make_session())
    asked = (await begin(store, "t1")).message
    calls = (ToolCall(call_id="c1", name="write_file", arguments={"path": "ü.py", "lines": [1, {"a": None}]}),)
    given = [
        make_message("", "t1", "assistant", tokens=9, thinking="hm", tool_calls=calls, estimated=False),
        make_message(
            "", "t1", "assistant", tool_calls=calls, provider_state={"by": "p", "parts": [{"signature": "é"}]}
        ),
        make_message("no room", "t1", "tool", tokens=3, call_id="c1", is_error=True),
        make_message("par", "t1", "assistant", status="cancelled"),
    ]
    await store.write_turn("t1", messages=given)
    assert (await store.list_messages(USER, "s")).items == [asked, *given]
    await finish(store, "t1")
    assert (await begin(store, "t2")).history[:5] == [asked, *given]


async def test_any_text_survives(store):
    text = "a\0b\r\n\t\"'\\ é 漢字 👩‍👩‍👧 \u2028 \x7f \ufeff"
    await store.create_session(make_session(title=text, metadata={text: text}))
    await exchange(store, "t1", text, text)
    assert await transcript(store) == [text, text]
    session = await store.get_session(USER, "s")
    assert (session.title, session.metadata) == (text, {text: text})
    assert (await store.read_turn(USER, "t1")).events[0].event.text == text


async def test_lone_surrogates_become_replacement_characters(store):
    broken, mended = "a\ud800b\udc00", "a\ufffdb\ufffd"
    await store.create_session(make_session(title=broken, metadata={"k": broken}))
    begun = await begin(store, "t1", broken)
    assert begun.message.content == mended
    call = ToolCall(call_id="c", name="n", arguments={"x": broken})
    said = make_message(broken, "t1", "assistant", thinking=broken, tool_calls=(call,))
    await store.write_turn("t1", messages=[said])
    await finish(store, "t1", broken)
    assert await transcript(store) == [mended, mended, mended]
    stored = (await store.list_messages(USER, "s")).items[1]
    assert stored == replace(
        said, content=mended, thinking=mended, tool_calls=(replace(call, arguments={"x": mended}),)
    )
    assert (await store.read_turn(USER, "t1")).events[0].event.text == mended
    session = await store.update_session(USER, "s", title=broken)
    assert (session.title, session.metadata) == (mended, {"k": mended})


async def test_what_is_given_may_be_changed_afterwards(store):
    metadata = {"a": [1]}
    await store.create_session(make_session(metadata=metadata))
    metadata["a"].append(2)
    assert (await store.get_session(USER, "s")).metadata == {"a": [1]}


async def test_the_window_is_bounded_by_messages_tokens_and_position(store):
    await store.create_session(make_session())
    for n in range(4):
        await exchange(store, f"t{n}", f"q{n}", f"a{n}")
    everything = ["q0", "a0", "q1", "a1", "q2", "a2", "q3", "a3"]
    for n, (window, count) in enumerate(
        [
            (Window(), 8),
            (Window(max_messages=3), 3),
            (Window(max_messages=0), 0),
            (Window(max_messages=100, max_tokens=1000), 8),
            (Window(max_tokens=3), 2),
            (Window(max_tokens=4), 2),
            (Window(max_tokens=5), 3),
            (Window(max_tokens=1), 0),
            (Window(after=6), 2),
            (Window(after=8), 0),
            (Window(after=6, max_messages=1), 1),
        ]
    ):
        await store.create_session(make_session(f"copy{n}"))
        for turn in range(4):
            await exchange(store, f"c{n}-{turn}", f"q{turn}", f"a{turn}", session_id=f"copy{n}")
        begun = await begin(store, f"last{n}", session_id=f"copy{n}", window=window)
        assert [m.content for m in begun.history] == everything[8 - count :]
        assert begun.first_position == 9 - count
        assert begun.message_number == 5
