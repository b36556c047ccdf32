"""gRPC through the generated client: sessions, streams chunk by chunk, resuming, cancelling, errors."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from hector_nb.errors import ModelError, ModelTimeout
from hector_nb.events import ThinkingDelta
from hector_nb.service import MAX_MESSAGE_BYTES
from hector_nb.stores.sqlite import SQLiteStore
from hector_nb.wire import hector_pb2 as pb
from tests.transports.conftest import AGENTS, TOKEN, USERS
from tests.transports.grpc_site import LONGEST, GrpcSite, chunks, details, failure, open_grpc_site, text

pytestmark = pytest.mark.anyio
WINDOW = {"working": {"strategy": "buffer_window", "window_size": 2}}


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[GrpcSite]:
    async for each in open_grpc_site({**AGENTS, "forgetful": {"memory": WINDOW}}, USERS):
        yield each


@pytest.fixture(autouse=True)
async def fresh(site: GrpcSite) -> AsyncIterator[None]:
    """No test plays what another one left."""
    yield
    await site.is_quiet()
    site.world.forget_replies()


# --- sessions


async def test_a_session_is_made_found_listed_ended_and_erased(site: GrpcSite) -> None:
    made = await site.call("CreateSession", agent="assistant", title="A talk", metadata='{"n": 9007199254740993}')
    assert made.session_id.startswith("sess_")
    assert (made.agent, made.user, made.status, made.title) == ("assistant", "local", "active", "A talk")
    assert json.loads(made.metadata) == {"n": 9007199254740993}
    assert made.created_at.seconds > 0
    same = {"agent": "assistant", "session_id": made.session_id}
    assert await site.call("CreateSession", **same) == made
    assert await site.call("GetSession", **same) == made
    site.world.will_say("Hi ", "there")
    reply = await site.call("SendMessage", message="Hello", **same)
    assert (reply.response, reply.finish_reason, reply.session_id) == ("Hi there", "stop", made.session_id)
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0
    found = await site.call("GetSession", **same)
    assert (found.message_count, found.running_turn) == (2, "")
    page = await site.call("ListSessions", agent="assistant", limit=1)
    assert page.sessions[0] == found
    assert await site.contents(made.session_id) == [("Hello", "complete"), ("Hi there", "complete")]
    ended = await site.call("EndSession", **same)
    assert ended.status == "ended"
    assert (await failure(site.call("SendMessage", message="More", **same)))[0] == "FAILED_PRECONDITION"
    await site.call("DeleteSession", **same)
    assert await failure(site.call("GetSession", **same)) == await failure(site.call("DeleteSession", **same))


async def test_pages_of_sessions_lead_on_and_may_be_narrowed(site: GrpcSite) -> None:
    made = {await site.new_session("chatty", title=f"Page {number}") for number in range(3)}
    first = await site.call("ListSessions", agent="chatty", limit=2, q="Page")
    second = await site.call("ListSessions", agent="chatty", limit=2, q="Page", cursor=first.next_cursor)
    assert {each.session_id for each in [*first.sessions, *second.sessions]} == made
    assert second.next_cursor == ""
    every = await site.call("ListSessions", limit=200)
    assert made <= {each.session_id for each in every.sessions}
    assert not (await site.call("ListSessions", agent="chatty", status="ended")).sessions


async def test_a_page_of_messages_fits_into_what_a_client_takes(site: GrpcSite) -> None:
    session_id = await site.new_session("forgetful")
    for number in range(4):
        site.world.will_say("ok")
        message = str(number) * MAX_MESSAGE_BYTES
        await site.call("SendMessage", agent="forgetful", session_id=session_id, message=message)
    found, cursor = [], None
    while cursor != "":
        page = await site.call("ListMessages", agent="forgetful", session_id=session_id, cursor=cursor or "")
        found += [each.content[:2] for each in page.messages]
        cursor = page.next_cursor
    assert found == ["00", "ok", "11", "ok", "22", "ok", "33", "ok"]


async def test_a_page_of_sessions_fits_too(site: GrpcSite) -> None:
    large = json.dumps({"a": "x" * 60_000})
    made = {await site.new_session("brief", metadata=large) for _ in range(80)}
    found, cursor = [], None
    while cursor != "":
        page = await site.call("ListSessions", agent="brief", limit=200, cursor=cursor or "")
        found += [each.session_id for each in page.sessions]
        cursor = page.next_cursor
    assert len(found) == len(set(found)) == 80
    assert set(found) == made


async def test_the_same_key_makes_one_session_and_one_turn(site: GrpcSite) -> None:
    one, two = [await site.new_session(idempotency_key="make") for _ in range(2)]
    assert one == two
    site.world.will_say("once")
    sent = [
        await site.call("SendMessage", agent="assistant", session_id=one, message="Hi", idempotency_key="send")
        for _ in range(2)
    ]
    assert sent[0] == sent[1]
    assert (await site.call("GetSession", agent="assistant", session_id=one)).message_count == 2


# --- streams


async def test_the_pages_call_streams_chunk_by_chunk(site: GrpcSite) -> None:
    release = asyncio.Event()
    site.world.will_say("Quantum", release, " computing naïve 日本")
    call = site.call("StreamMessage", agent="assistant", message="Explain quantum computing")
    assert (await call.read()).content == "Quantum"
    release.set()
    rest = await chunks(call)
    assert [chunk.content for chunk in rest] == [" computing naïve 日本", ""]
    assert (await call.code()) is grpc.StatusCode.OK
    turn_id = dict(await call.initial_metadata())["hector-turn-id"]
    assert [chunk.id for chunk in rest] == [f"{turn_id}:3", f"{turn_id}:5"]
    assert (rest[-1].done.turn_id, rest[-1].done.finish_reason) == (turn_id, "stop")


async def test_the_turn_is_named_before_its_first_word(site: GrpcSite) -> None:
    release = asyncio.Event()
    session_id = await site.new_session()
    site.world.will_say(release, "late")
    call = site.call("StreamMessage", agent="assistant", session_id=session_id, message="Hi")
    named = dict(await call.initial_metadata())
    assert named["hector-session-id"] == session_id
    found = await site.call("GetSession", agent="assistant", session_id=session_id)
    assert found.running_turn == named["hector-turn-id"]
    release.set()
    assert text(await chunks(call)) == "late"


async def test_what_was_asked_for_comes_as_events_and_what_the_agent_shows_as_text(site: GrpcSite) -> None:
    site.world.will_say(ThinkingDelta(text="Hm."), "Yes")
    sent = await chunks(site.call("StreamMessage", agent="chatty", message="Hi", events=["all"]))
    names = [chunk.event.name for chunk in sent if chunk.HasField("event")]
    assert names == ["session", "context", "debug", "thinking", "usage", "debug"]
    assert text(sent) == "Yes"
    thinking = next(chunk.event for chunk in sent if chunk.event.name == "thinking")
    assert json.loads(thinking.data) == {"text": "Hm."}
    site.world.will_say(ThinkingDelta(text="Hm."), "Yes")
    assert text(await chunks(site.call("StreamMessage", agent="chatty", message="Hi", debug=False))) == "Hm.\nYes"
    site.world.will_say("Yes")
    shown = text(await chunks(site.call("StreamMessage", agent="assistant", message="Hi", debug=True)))
    assert shown.startswith("[Session: sess_")
    assert shown.endswith("tokens, stop]")


async def test_an_agents_chunk_size_cuts_and_silence_lets_go(site: GrpcSite) -> None:
    release = asyncio.Event()
    site.world.will_say("Hello", release, " you")
    call = site.call("StreamMessage", agent="tiny", message="Hi")
    assert [(await call.read()).content for _ in range(2)] == ["Hell", "o"]
    release.set()
    assert [chunk.content for chunk in await chunks(call)] == [" you", ""]
    site.world.will_say("All", " at", " once")
    assert [chunk.content for chunk in await chunks(site.call("StreamMessage", agent="whole", message="Hi"))] == [
        "All at once",
        "",
    ]


async def test_a_model_that_fails_ends_the_stream_with_its_error(site: GrpcSite) -> None:
    site.world.will_say("So far", ModelError("It broke.", hint="Mend it: ✓"))
    call = site.call("StreamMessage", agent="assistant", message="Hi")
    assert (await call.read()).content == "So far"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await chunks(call)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, "It broke.")
    told = details(caught.value)
    assert (told.code, told.message, told.hint, told.retryable) == ("model_error", "It broke.", "Mend it: ✓", True)
    last_id = dict(caught.value.trailing_metadata() or ())["hector-last-id"]
    turn_id = last_id.partition(":")[0]
    again = site.call("ResumeTurn", agent="assistant", turn_id=turn_id)
    assert (await again.read()).content == "So far"
    assert await failure(chunks(again)) == ("UNAVAILABLE", told)
    assert await chunks(site.call("ResumeTurn", agent="assistant", last_id=last_id)) == []
    site.world.will_say(ModelTimeout("Too slow."))
    assert (await failure(site.call("SendMessage", agent="assistant", message="Hi")))[0] == "DEADLINE_EXCEEDED"


async def test_a_long_answer_that_is_read_at_once_comes_in_messages_that_fit(site: GrpcSite) -> None:
    pieces = ["x" * 300_000] * 20
    session_id = await site.new_session("patient")
    site.world.will_say(*pieces)
    call = site.call("StreamMessage", agent="patient", session_id=session_id, message="Hi")
    sent = await chunks(call)
    assert text(sent) == "".join(pieces)
    again = await chunks(site.call("ResumeTurn", agent="patient", turn_id=sent[-1].done.turn_id))
    assert text(again) == "".join(pieces)


async def test_a_slow_reader_slows_nobody_and_misses_nothing(site: GrpcSite) -> None:
    pieces = [f"{number} " * 2000 for number in range(300)]
    session_id = await site.new_session("patient")
    site.world.will_say(*pieces)
    slow = site.call("StreamMessage", agent="patient", session_id=session_id, message="Hi")
    first = await slow.read()
    fast = await chunks(site.call("ResumeTurn", agent="patient", turn_id=first.id.partition(":")[0]))
    assert text(fast) == "".join(pieces)
    assert fast[-1].HasField("done")
    rest = await chunks(slow)
    assert first.content + text(rest) == "".join(pieces)
    assert rest[-1] == fast[-1]


# --- resuming


@pytest.mark.parametrize("agent", ["assistant", "chatty", "tiny"])
@pytest.mark.parametrize("events", [[], ["all"]])
async def test_a_stream_goes_on_after_any_of_its_chunks(site: GrpcSite, agent: str, events: list[str]) -> None:
    session_id = await site.new_session(agent)
    site.world.will_say("Hello ", ThinkingDelta(text="Hm."), "wide", " world 日本語")
    whole = await chunks(site.call("StreamMessage", agent=agent, session_id=session_id, message="Hi", events=events))
    for at, chunk in enumerate(whole):
        rest = await chunks(site.call("ResumeTurn", agent=agent, last_id=chunk.id, events=events))
        assert text(rest) == text(whole[at + 1 :])
        assert [each.id for each in rest if not each.content] == [
            each.id for each in whole[at + 1 :] if not each.content
        ]
    assert rest == []
    turn_id = whole[-1].done.turn_id
    assert await chunks(site.call("ResumeTurn", agent=agent, turn_id=turn_id, events=events)) == whole
    assert (
        await chunks(site.call("ResumeTurn", agent=agent, turn_id=turn_id, session_id=session_id, events=events))
        == whole
    )


async def test_a_running_turn_is_joined_by_others_and_stopped_by_the_last_who_leaves(site: GrpcSite) -> None:
    session_id = await site.new_session()
    site.world.will_say("So far", asyncio.Event())
    closed = site.world.model.closed
    first = site.call("StreamMessage", agent="assistant", session_id=session_id, message="Hi")
    turn_id = (await first.read()).id.partition(":")[0]
    second = site.call("ResumeTurn", agent="assistant", turn_id=turn_id)
    assert (await second.read()).content == "So far"
    first.cancel()
    third = site.call("ResumeTurn", agent="assistant", last_id=f"{turn_id}:1")
    assert (await third.read()).content == "So far"
    second.cancel()
    assert site.world.turns == 1
    third.cancel()
    await site.is_quiet()
    assert site.world.model.closed == closed + 1
    assert await site.contents(session_id) == [("Hi", "complete"), ("So far", "cancelled")]


async def test_a_turn_of_another_server_on_the_store_is_resumed_and_stopped(tmp_path: Path) -> None:
    async for here in open_grpc_site(AGENTS, USERS, SQLiteStore(tmp_path / "hector.db")):
        async for there in open_grpc_site(AGENTS, USERS, SQLiteStore(tmp_path / "hector.db")):
            session_id = await here.new_session()
            here.world.will_say("So far", asyncio.Event())
            call = here.call("StreamMessage", agent="assistant", session_id=session_id, message="Hi")
            first = await call.read()
            elsewhere = there.call("ResumeTurn", agent="assistant", turn_id=first.id.partition(":")[0])
            assert (await elsewhere.read()) == first
            stopped = await there.call("CancelTurn", agent="assistant", session_id=session_id)
            assert stopped.cancelled
            assert (await chunks(call))[-1].done.finish_reason == "cancelled"
            assert (await chunks(elsewhere))[-1].done.finish_reason == "cancelled"


# --- stopping and leaving


async def test_cancel_turn_stops_it_and_its_stream_ends_well(site: GrpcSite) -> None:
    session_id = await site.new_session()
    site.world.will_say("So far", asyncio.Event())
    call = site.call("StreamMessage", agent="assistant", session_id=session_id, message="Hi")
    turn_id = (await call.read()).id.partition(":")[0]
    stopped = await site.call("CancelTurn", agent="assistant", session_id=session_id, turn_id=turn_id)
    assert (stopped.cancelled, stopped.turn.turn_id, stopped.turn.status) == (True, turn_id, "cancelled")
    assert (await chunks(call))[-1].done.finish_reason == "cancelled"
    assert await site.contents(session_id) == [("Hi", "complete"), ("So far", "cancelled")]
    assert not (await site.call("CancelTurn", agent="assistant", session_id=session_id)).cancelled


@pytest.mark.parametrize("method", ["StreamMessage", "SendMessage"])
async def test_cancelling_a_call_is_leaving_its_turn(site: GrpcSite, method: str) -> None:
    session_id = await site.new_session()
    begun = asyncio.Event()
    site.world.will_say("So far", Knock(begun), asyncio.Event())
    closed = site.world.model.closed
    call = site.call(method, agent="assistant", session_id=session_id, message="Hi")
    if method == "StreamMessage":
        await call.read()
    waiting = asyncio.ensure_future(failing_call(call))
    async with asyncio.timeout(LONGEST):
        await begun.wait()
    call.cancel()
    assert await waiting == "CANCELLED"
    await site.is_quiet()
    assert site.world.model.closed == closed + 1
    assert await site.contents(session_id) == [("Hi", "complete"), ("So far", "cancelled")]


@pytest.mark.parametrize("method", ["StreamMessage", "SendMessage"])
async def test_a_deadline_that_passes_is_leaving_too(site: GrpcSite, method: str) -> None:
    begun, deadline = asyncio.Event(), 0.1
    while not begun.is_set():  # a deadline that passes before the model has spoken is too short for this machine
        deadline *= 3
        session_id = await site.new_session()
        site.world.forget_replies()
        site.world.will_say("So far", Knock(begun), asyncio.Event())
        call = site.call(method, agent="assistant", session_id=session_id, message="Hi", timeout=deadline)
        assert await failing_call(call) == "DEADLINE_EXCEEDED"
        await site.is_quiet()
    assert await site.contents(session_id) == [("Hi", "complete"), ("So far", "cancelled")]


async def test_a_call_that_is_cancelled_while_it_begins_leaves_no_turn_behind(site: GrpcSite) -> None:
    session_id = await site.new_session()
    for number in range(20):
        site.world.will_say("So far", asyncio.Event())
        call = site.call("StreamMessage", agent="assistant", session_id=session_id, message="Hi")
        waiting = asyncio.ensure_future(failing_call(call))
        for _ in range(number):
            await asyncio.sleep(0)
        call.cancel()
        await waiting
        await site.call("GetSession", agent="assistant", session_id=session_id)  # it comes after the other
        await site.is_quiet()
        site.world.forget_replies()
    assert {status for _, status in await site.contents(session_id)} <= {"complete", "cancelled"}


async def test_what_a_client_left_is_kept_for_a_while_to_be_taken_up_again(site: GrpcSite) -> None:
    release = asyncio.Event()
    session_id = await site.new_session("patient")
    site.world.will_say("So far", release, ", so good")
    call = site.call("StreamMessage", agent="patient", session_id=session_id, message="Hi")
    first = await call.read()
    call.cancel()
    again = site.call("ResumeTurn", agent="patient", last_id=first.id)
    await again.initial_metadata()
    release.set()
    assert text(await chunks(again)) == ", so good"


async def test_when_the_server_stops_streams_end_with_what_happened() -> None:
    async for site in open_grpc_site(AGENTS, USERS):
        site.world.will_say("So far", asyncio.Event())
        call = site.call("StreamMessage", agent="assistant", message="Hi")
        await call.read()
        await asyncio.gather(site.world.aclose(), site.server.stop())
        code, told = await failure(chunks(call))
        assert (code, told.code, told.retryable) == ("UNAVAILABLE", "interrupted", True)


class Knock(asyncio.Event):
    """A step that tells that it is reached."""

    def __init__(self, reached: asyncio.Event) -> None:
        super().__init__()
        self._reached = reached

    async def wait(self) -> bool:  # type: ignore[override]
        self._reached.set()
        return True


async def failing_call(call: Any) -> str:
    """How a call that is not answered ends."""
    try:
        async with asyncio.timeout(LONGEST):
            await (chunks(call) if hasattr(call, "read") else call)
    except (asyncio.CancelledError, grpc.aio.AioRpcError):
        pass
    return str((await call.code()).name)


# --- following


async def test_a_session_is_followed_from_turn_to_turn_also_when_one_fails(site: GrpcSite) -> None:
    session_id = await site.new_session()
    following = site.call("FollowSession", agent="assistant", session_id=session_id)
    assert dict(await following.initial_metadata())["hector-last-id"] == "start"
    sent: list[list[pb.MessageChunk]] = []
    for steps in (["One."], ["Tw", ModelError("It broke.")], ["Three."]):
        site.world.will_say(*steps)
        call = site.call("StreamMessage", agent="assistant", session_id=session_id, message="Hi")
        with suppress(grpc.aio.AioRpcError):
            await chunks(call)
        sent.append([])
        async with asyncio.timeout(LONGEST):
            while not sent[-1] or sent[-1][-1].content:
                sent[-1].append(await following.read())
    assert [text(each) for each in sent] == ["One.", "Tw", "Three."]
    failed = sent[1][-1]
    assert (failed.error.code, failed.error.message, failed.error.retryable) == ("model_error", "It broke.", True)
    again = site.call("FollowSession", agent="assistant", session_id=session_id, last_id=sent[0][-1].id)
    async with asyncio.timeout(LONGEST):
        assert [await again.read() for _ in range(4)] == [*sent[1], *sent[2]]
    again.cancel()
    await site.call("EndSession", agent="assistant", session_id=session_id)
    assert await chunks(following) == []
    late = site.call("FollowSession", agent="assistant", session_id=session_id, last_id=sent[1][-1].id)
    assert await chunks(late) == sent[2]
    over = site.call("FollowSession", agent="assistant", session_id=session_id)
    assert (await failure(chunks(over)))[0] == "FAILED_PRECONDITION"


# --- what is wrong


@pytest.mark.parametrize(
    ("method", "fields", "code", "name", "told"),
    [
        ("CreateSession", {}, "INVALID_ARGUMENT", "invalid_request", "`agent` is missing"),
        ("CreateSession", {"agent": "nobody"}, "NOT_FOUND", "agent_not_found", "nobody"),
        ("CreateSession", {"session_id": "a/b"}, "INVALID_ARGUMENT", "invalid_request", "`session_id` must be"),
        ("CreateSession", {"title": "x" * 501}, "INVALID_ARGUMENT", "invalid_request", "`title`"),
        ("CreateSession", {"metadata": "[]"}, "INVALID_ARGUMENT", "malformed_request", ""),
        ("CreateSession", {"metadata": "{"}, "INVALID_ARGUMENT", "malformed_request", "not JSON"),
        ("CreateSession", {"metadata": '{"a": NaN}'}, "INVALID_ARGUMENT", "malformed_request", "NaN"),
        ("CreateSession", {"metadata": f'{{"a": "{"x" * 70_000}"}}'}, "RESOURCE_EXHAUSTED", "too_large", "`metadata`"),
        ("GetSession", {}, "INVALID_ARGUMENT", "invalid_request", "`session_id` is missing"),
        ("GetSession", {"session_id": "sess_none"}, "NOT_FOUND", "session_not_found", "sess_none"),
        ("GetSession", {"session_id": "ü"}, "NOT_FOUND", "session_not_found", ""),
        ("EndSession", {"session_id": "sess_none"}, "NOT_FOUND", "session_not_found", ""),
        ("DeleteSession", {"session_id": "sess_none"}, "NOT_FOUND", "session_not_found", ""),
        ("CancelTurn", {"session_id": "sess_none"}, "NOT_FOUND", "session_not_found", ""),
        ("ListSessions", {"limit": -1}, "INVALID_ARGUMENT", "invalid_request", "`limit`"),
        ("ListSessions", {"limit": 201}, "INVALID_ARGUMENT", "invalid_request", "`limit`"),
        ("ListSessions", {"status": "activ"}, "INVALID_ARGUMENT", "invalid_request", "`status`"),
        ("ListSessions", {"cursor": "x"}, "INVALID_ARGUMENT", "invalid_request", ""),
        ("ListMessages", {"session_id": "s", "limit": 1001}, "INVALID_ARGUMENT", "invalid_request", "`limit`"),
        ("GetSession", {"session_id": "sess_none", "agent": ""}, "NOT_FOUND", "session_not_found", ""),
        ("ListTools", {"agent": "nobody"}, "NOT_FOUND", "agent_not_found", ""),
        ("UpdateSession", {"session_id": "sess_none"}, "NOT_FOUND", "session_not_found", ""),
        ("ForkSession", {"session_id": "sess_none"}, "NOT_FOUND", "session_not_found", ""),
        ("RewindSession", {"session_id": "sess_none"}, "NOT_FOUND", "session_not_found", ""),
        ("ListApprovals", {"session_id": "sess_none"}, "NOT_FOUND", "session_not_found", ""),
        ("DecideApproval", {"session_id": "sess_none", "decision": "deny"}, "NOT_FOUND", "session_not_found", ""),
        ("GetMemory", {"session_id": "s", "limit": 201}, "INVALID_ARGUMENT", "invalid_request", "`limit`"),
        ("SearchMemory", {"session_id": "s"}, "INVALID_ARGUMENT", "invalid_request", "`q` is missing"),
        ("GetContext", {"turn_id": "turn_none"}, "NOT_FOUND", "turn_not_found", ""),
        ("SendMessage", {"message": "Hi", "on_disconnect": "stay"}, "INVALID_ARGUMENT", "invalid_request", "`on_disconnect`"),
        ("SendMessage", {"message": ""}, "INVALID_ARGUMENT", "invalid_request", ""),
        ("SendMessage", {"message": "Hi", "if_busy": "wait"}, "INVALID_ARGUMENT", "invalid_request", "`if_busy`"),
        ("SendMessage", {"message": "Hi", "events": ["all"]}, "INVALID_ARGUMENT", "invalid_request", "StreamMessage"),
        ("SendMessage", {"message": "Hi", "session_id": "sess_none"}, "NOT_FOUND", "session_not_found", ""),
        ("SendMessage", {"message": "x" * (MAX_MESSAGE_BYTES + 1)}, "RESOURCE_EXHAUSTED", "too_large", ""),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told(
    site: GrpcSite, method: str, fields: dict[str, Any], code: str, name: str, told: str
) -> None:
    agent = {} if "missing" in told and "agent" in told else {"agent": "assistant"}
    found, error = await failure(site.call(method, **{**agent, **fields}))
    assert (found, error.code) == (code, name)
    assert told in error.message + error.hint


@pytest.mark.parametrize(
    ("method", "fields", "code", "told"),
    [
        ("StreamMessage", {"message": "Hi", "agent": "nobody"}, "NOT_FOUND", "nobody"),
        ("StreamMessage", {"message": ""}, "INVALID_ARGUMENT", ""),
        ("StreamMessage", {"message": "Hi", "events": ["tool"]}, "INVALID_ARGUMENT", "`tools`"),
        ("StreamMessage", {"message": "Hi", "session_id": "sess_none"}, "NOT_FOUND", ""),
        ("ResumeTurn", {}, "INVALID_ARGUMENT", "`turn_id` or `last_id` is missing"),
        ("ResumeTurn", {"last_id": "nonsense"}, "INVALID_ARGUMENT", "not one of ours"),
        ("ResumeTurn", {"turn_id": "nonsense"}, "INVALID_ARGUMENT", "not one of ours"),
        ("ResumeTurn", {"turn_id": "turn_a", "last_id": "turn_b:1"}, "INVALID_ARGUMENT", "another turn"),
        ("ResumeTurn", {"turn_id": "turn_none"}, "NOT_FOUND", ""),
    ],
)
async def test_what_is_wrong_with_a_stream_is_told(
    site: GrpcSite, method: str, fields: dict[str, Any], code: str, told: str
) -> None:
    found, error = await failure(chunks(site.call(method, **{"agent": "assistant", **fields})))
    assert found == code
    assert told in error.message + error.hint


async def test_what_is_wrong_inside_a_session_is_told(site: GrpcSite) -> None:
    same = {"agent": "assistant", "session_id": await site.new_session(title="Old", metadata='{"a": 1}')}
    for fields, told in (({"decision": "maybe"}, "`decision`"), ({}, "`decision`"), ({"arguments": "["}, "")):
        word = {"decision": "deny", **fields} if fields.get("arguments") else fields
        code, error = await failure(site.call("DecideApproval", call_id="call_1", **same, **word))
        assert code == "INVALID_ARGUMENT"
        assert told in error.message
    code, error = await failure(site.call("DecideApproval", call_id="call_1", decision="deny", **same))
    assert (code, error.code) == ("NOT_FOUND", "approval_not_found")
    assert (await failure(site.call("UpdateSession", title="x" * 501, **same)))[0] == "INVALID_ARGUMENT"
    assert (await failure(site.call("UpdateSession", metadata="[]", **same)))[0] == "INVALID_ARGUMENT"
    changed = await site.call("UpdateSession", title="New", **same)
    assert (changed.title, changed.metadata) == ("New", '{"a": 1}')
    assert (await site.call("UpdateSession", metadata="{}", **same)).metadata == "{}"


async def test_a_message_may_have_one_mebibyte_and_a_request_not_much_more(site: GrpcSite) -> None:
    site.world.will_say("ok")
    reply = await site.call("SendMessage", agent="assistant", message="x" * MAX_MESSAGE_BYTES)
    assert reply.response == "ok"
    code, told = await failure(site.call("SendMessage", agent="assistant", message="x" * (MAX_MESSAGE_BYTES + 200_000)))
    assert (code, told.code, told.hint) == ("RESOURCE_EXHAUSTED", "too_large", "Send it in parts, or put it in a file.")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await site.call("SendMessage", agent="assistant", message="x" * (2 * MAX_MESSAGE_BYTES))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_busy_session_says_so_to_those_who_do_not_wait(site: GrpcSite) -> None:
    session_id = await site.new_session()
    release = asyncio.Event()
    site.world.will_say("So far", release)
    call = site.call("StreamMessage", agent="assistant", session_id=session_id, message="Hi")
    await call.read()
    code, told = await failure(
        site.call("SendMessage", agent="assistant", session_id=session_id, message="Hi", if_busy="reject")
    )
    assert (code, told.code, told.retryable) == ("ABORTED", "session_busy", True)
    site.world.will_say("Second")
    second = site.call("SendMessage", agent="assistant", session_id=session_id, message="And?")
    release.set()
    await chunks(call)
    assert (await second).response == "Second"


async def test_what_is_ours_to_mend_tells_nothing_private(site: GrpcSite, caplog: pytest.LogCaptureFixture) -> None:
    site.world.fails_with = RuntimeError("the password is 1234")
    code, told = await failure(site.call("ListSessions"))
    site.world.fails_with = None
    assert (code, told.code, told.message) == ("INTERNAL", "internal_error", "Something went wrong in the server.")
    assert "A call failed for a reason that is ours" in caplog.text


async def test_a_very_long_error_reaches_the_client_shortened(site: GrpcSite) -> None:
    site.world.fails_with = ModelError("日" * 20_000, hint="ü" * 20_000, details={"problems": ["x" * 20_000]})
    code, told = await failure(site.call("ListSessions"))
    site.world.fails_with = None
    assert (code, told.code) == ("UNAVAILABLE", "model_error")
    assert told.message.startswith("日日")
    assert told.message.endswith("…")


# --- whose


async def test_strangers_are_told_to_show_a_token(site: GrpcSite) -> None:
    for token in (None, "", "wrong"):
        code, told = await failure(site.call("ListSessions", token))
        assert (code, told.code) == ("UNAUTHENTICATED", "unauthenticated")
        assert "authorization: Bearer" in told.hint
    shown = (("authorization", f"token {TOKEN}"),)
    assert await site.stub.GetSession(
        pb.GetSessionRequest(agent="assistant", session_id=await site.new_session()), metadata=shown, timeout=LONGEST
    )


async def test_two_users_have_sessions_of_their_own(site: GrpcSite) -> None:
    same = {"agent": "assistant", "session_id": "shared-id"}
    for name in ("ada", "bob"):
        made = await site.call("CreateSession", f"token-of-{name}", title=name, **same)
        assert (made.user, made.title) == (name, name)
        page = await site.call("ListSessions", f"token-of-{name}", agent="assistant")
        assert [each.title for each in page.sessions] == [name]
    own = await site.call("CreateSession", "token-of-ada", agent="assistant")
    site.world.will_say("For Ada")
    sent = await chunks(
        site.call("StreamMessage", "token-of-ada", agent="assistant", session_id=own.session_id, message="Hi")
    )
    for method in (
        "GetSession", "EndSession", "DeleteSession", "ListMessages", "CancelTurn", "UpdateSession", "ForkSession", "RewindSession",
        "ListApprovals", "GetToolOutput", "GetMemory", "CorrectMemory", "ForgetMemory",
    ):  # fmt: skip
        code, _ = await failure(site.call(method, "token-of-bob", agent="assistant", session_id=own.session_id))
        assert code == "NOT_FOUND"
    shut = site.call("FollowSession", "token-of-bob", agent="assistant", session_id=own.session_id)
    assert (await failure(chunks(shut)))[0] == "NOT_FOUND"
    resumed = site.call("ResumeTurn", "token-of-bob", agent="assistant", turn_id=sent[-1].done.turn_id)
    assert (await failure(chunks(resumed)))[0] == "NOT_FOUND"
