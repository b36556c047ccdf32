"""One turn after another, as a user of the service sees them."""

import asyncio

import pytest

from hector_nb.errors import (
    AgentNotFound,
    InvalidRequest,
    MessageTooLarge,
    ModelError,
    ModelTimeout,
    SessionBusy,
    SessionNotFound,
    TooManyWaiting,
    TurnNotFound,
)
from hector_nb.events import TextDelta, TurnDone, TurnFailed, TurnStarted
from hector_nb.service import SendMessage, collect
from hector_nb.stores.base_turns import MAX_WAITING
from tests.runtime.world import first_text, opened, text_of

pytestmark = pytest.mark.anyio


async def test_an_answer_comes_piece_by_piece_and_is_in_the_transcript_when_its_end_is_seen() -> None:
    async with opened([["The capital", " of France", " is Paris."]]) as world:
        session = await world.session()
        stream = await world.send("Capital of France?", session)
        events = []
        async with stream:
            async for logged in stream:
                events.append(logged)
                if isinstance(logged.event, TurnDone):
                    transcript = await world.transcript(session)
        assert [each.seq for each in events] == list(range(1, len(events) + 1))
        assert isinstance(events[0].event, TurnStarted)
        assert events[0].event.message_number == 1
        assert [each.event.text for each in events if isinstance(each.event, TextDelta)] == [
            "The capital",
            " of France",
            " is Paris.",
        ]
        assert transcript == [
            ("user", "Capital of France?", "complete"),
            ("assistant", "The capital of France is Paris.", "complete"),
        ]


async def test_the_next_message_sees_the_conversation() -> None:
    async with opened([["Hello Ada."], ["Ada."]], instruction="Be brief.") as world:
        session = await world.session()
        await text_of(await world.send("I am Ada.", session))
        await text_of(await world.send("Who am I?", session))
        request = world.model.requests[1]
        assert request.system == "Be brief."
        assert [(each.role, each.content) for each in request.messages] == [
            ("user", "I am Ada."),
            ("assistant", "Hello Ada."),
            ("user", "Who am I?"),
        ]


async def test_a_second_message_waits_for_the_first() -> None:
    gate = asyncio.Event()
    async with opened([["one", gate, "!"], ["two"]]) as world:
        session = await world.session()
        first = await world.send("1", session)
        await first_text(first)
        second = await world.send("2", session)
        assert len(world.model.requests) == 1
        gate.set()
        assert await text_of(second) == "two"
        assert [(role, text) for role, text, _ in await world.transcript(session)] == [
            ("user", "1"),
            ("assistant", "one!"),
            ("user", "2"),
            ("assistant", "two"),
        ]
        await first.__aexit__(None, None, None)


async def test_sixteen_messages_wait_and_the_next_is_refused() -> None:
    gate = asyncio.Event()
    async with opened([[gate, str(number)] for number in range(MAX_WAITING + 1)]) as world:
        session = await world.session()
        streams = [await world.send(str(number), session) for number in range(MAX_WAITING + 1)]
        with pytest.raises(TooManyWaiting):
            await world.send("one too many", session)
        gate.set()
        assert [await text_of(stream) for stream in streams] == [str(number) for number in range(MAX_WAITING + 1)]


async def test_a_caller_that_does_not_want_to_wait_is_told_which_turn_runs() -> None:
    gate = asyncio.Event()
    async with opened([[gate, "done"]]) as world:
        session = await world.session()
        stream = await world.send("1", session)
        with pytest.raises(SessionBusy) as caught:
            await world.send("2", session, if_busy="reject")
        assert caught.value.details == {"running_turn": stream.turn_id}
        gate.set()
        assert await text_of(stream) == "done"


async def test_an_interrupting_message_stops_the_running_turn_and_keeps_what_it_said() -> None:
    never = asyncio.Event()
    async with opened([["half", never], ["whole"]]) as world:
        session = await world.session()
        first = await world.send("1", session)
        await first_text(first)
        assert await text_of(await world.send("2", session, if_busy="interrupt")) == "whole"
        assert await world.transcript(session) == [
            ("user", "1", "complete"),
            ("assistant", "half", "cancelled"),
            ("user", "2", "complete"),
            ("assistant", "whole", "complete"),
        ]
        await first.__aexit__(None, None, None)


async def test_every_reader_gets_every_event_wherever_it_joins() -> None:
    gate = asyncio.Event()
    async with opened([["a", "b", gate, "c", "d"]]) as world:
        session = await world.session()
        first = await world.send("go", session)
        await first_text(first)
        second = await world.service.follow_turn("assistant", first.turn_id)
        third = await world.service.follow_turn("assistant", first.turn_id, after=2)
        gate.set()
        async with first, second, third:
            whole = [each async for each in second]
            assert [each async for each in third] == whole[2:]
        later = await world.service.follow_turn("assistant", first.turn_id, after=1)
        assert later.last_seq == len(whole)
        async with later:
            assert [each async for each in later] == whole[1:]


async def test_a_cancelled_turn_keeps_its_partial_answer_and_closes_the_model() -> None:
    never = asyncio.Event()
    async with opened([["so far", never], ["next"]]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        await first_text(stream)
        turn = await world.service.cancel_turn("assistant", session)
        assert turn is not None
        assert turn.status == "cancelled"
        last = [each.event async for each in stream][-1]
        assert isinstance(last, TurnDone)
        assert last.finish_reason == "cancelled"
        assert world.model.closed == 1
        assert (await world.transcript(session))[-1] == ("assistant", "so far", "cancelled")
        assert await text_of(await world.send("again", session)) == "next"
        await stream.__aexit__(None, None, None)


async def test_cancelling_where_nothing_runs_does_nothing() -> None:
    async with opened([]) as world:
        assert await world.service.cancel_turn("assistant", await world.session()) is None


async def test_a_queued_turn_can_be_cancelled_and_its_message_is_kept() -> None:
    gate = asyncio.Event()
    async with opened([[gate, "first"]]) as world:
        session = await world.session()
        first = await world.send("1", session)
        second = await world.send("2", session)
        await world.service.cancel_turn("assistant", session, turn_id=second.turn_id)
        gate.set()
        assert await text_of(first) == "first"
        assert await text_of(second) == ""
        assert ("user", "2", "complete") in await world.transcript(session)


async def test_a_session_turn_without_readers_is_cancelled_after_its_grace() -> None:
    never = asyncio.Event()
    async with opened([["so far", never]], streaming={"resume_grace": 0.01}) as world:
        session = await world.session()
        stream = await world.send("go", session)
        async with stream:
            await first_text(stream)
        run = world.runtime.runs[stream.turn_id]
        await run.finished.wait()
        assert (await world.transcript(session))[-1] == ("assistant", "so far", "cancelled")


async def test_a_reader_that_comes_back_in_time_keeps_the_turn_alive() -> None:
    gate = asyncio.Event()
    async with opened([["so", gate, " far"]], streaming={"resume_grace": 30}) as world:
        stream = await world.send("go", await world.session())
        async with stream:
            await first_text(stream)
        back = await world.service.follow_turn("assistant", stream.turn_id)
        gate.set()
        assert await text_of(back) == "so far"


async def test_a_turn_may_go_on_without_readers() -> None:
    gate = asyncio.Event()
    async with opened([["so", gate, " far"]], streaming={"on_disconnect": "continue", "resume_grace": 0}) as world:
        session = await world.session()
        stream = await world.send("go", session)
        async with stream:
            await first_text(stream)
        run = world.runtime.runs[stream.turn_id]
        gate.set()
        await run.finished.wait()
        assert (await world.transcript(session))[-1] == ("assistant", "so far", "complete")


async def test_a_one_off_turn_is_answered_is_not_listed_and_stops_when_nobody_reads() -> None:
    never = asyncio.Event()
    async with opened([["Hi."], ["so far", never]]) as world:
        reply = await collect(await world.service.stream_message("assistant", SendMessage(message="Hello")))
        assert reply.response == "Hi."
        assert reply.session_id.startswith("sess_")
        assert not (await world.service.list_sessions("assistant")).items
        stream = await world.send("go")
        async with stream:
            await first_text(stream)
        await world.runtime.runs[stream.turn_id].finished.wait()
        assert world.model.closed == 1


async def test_a_model_that_fails_in_mid_answer_leaves_a_valid_session() -> None:
    async with opened([["so far", ModelTimeout("No data from the model for 60 s.")], ["fine"]]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        async with stream:
            events = [each.event async for each in stream]
        assert events[-1] == TurnFailed(
            code="model_timeout", message="No data from the model for 60 s.", retryable=True
        )
        assert (await world.transcript(session))[-1] == ("assistant", "so far", "failed")
        assert await text_of(await world.send("again", session)) == "fine"


async def test_a_turn_that_failed_before_its_first_word_does_not_confuse_the_model() -> None:
    async with opened([[ModelError("no")], ["fine"]]) as world:
        session = await world.session()
        with pytest.raises(ModelError, match="no"):
            await collect(await world.send("one", session))
        assert await text_of(await world.send("two", session)) == "fine"
        assert [(each.role, each.content) for each in world.model.requests[1].messages] == [("user", "one\n\ntwo")]


async def test_an_error_of_ours_ends_the_turn_without_its_inside(caplog: pytest.LogCaptureFixture) -> None:
    async with opened([[ValueError("secret detail")]]) as world:
        stream = await world.send("go", await world.session())
        async with stream:
            last = [each.event async for each in stream][-1]
        assert isinstance(last, TurnFailed)
        assert last.code == "internal_error"
        assert "secret" not in last.message
        assert "A turn failed" in caplog.text


async def test_streaming_switched_off_gives_one_piece() -> None:
    async with opened([["a", "b", "c"]], reasoning={"enable_streaming": False}) as world:
        stream = await world.send("go", await world.session())
        async with stream:
            events = [each.event async for each in stream]
        assert [each.text for each in events if isinstance(each, TextDelta)] == ["abc"]


async def test_what_cannot_be_answered_is_refused_and_leaves_no_trace() -> None:
    async with opened([]) as world:
        session = await world.session()
        for call, error in (
            (world.send("", session), InvalidRequest),
            (world.send("  \n", session), InvalidRequest),
            (world.send("x" * 1024 * 1024 + "x", session), MessageTooLarge),
            (world.send("hello", "sess_unknown"), SessionNotFound),
            (world.service.stream_message("nobody", SendMessage(message="hi")), AgentNotFound),
            (world.service.follow_turn("assistant", "turn_unknown"), TurnNotFound),
            (world.service.create_session("assistant", session_id="no spaces"), InvalidRequest),
        ):
            with pytest.raises(error):
                await call
        assert await world.transcript(session) == []
        assert world.runtime.runs == {}


async def test_a_session_is_its_owners_alone() -> None:
    async with opened([["hi"]]) as world:
        session = await world.session()
        stream = await world.send("hello", session)
        await text_of(stream)
        eve = world.of("eve")
        for call in (
            eve.get_session("assistant", session),
            eve.list_messages("assistant", session),
            eve.delete_session("assistant", session),
            eve.cancel_turn("assistant", session),
            eve.stream_message("assistant", SendMessage(message="hi", session_id=session)),
        ):
            with pytest.raises(SessionNotFound):
                await call
        with pytest.raises(TurnNotFound):
            await eve.follow_turn("assistant", stream.turn_id)
        assert not (await eve.list_sessions("assistant")).items


async def test_deleting_a_session_stops_what_runs_in_it() -> None:
    never = asyncio.Event()
    async with opened([["so far", never]]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        await first_text(stream)
        await world.service.delete_session("assistant", session)
        assert world.model.closed == 1
        with pytest.raises(SessionNotFound):
            await world.service.get_session("assistant", session)
        await stream.__aexit__(None, None, None)


async def test_a_stopping_process_keeps_what_was_said() -> None:
    never = asyncio.Event()
    async with opened([["so far", never]]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        await first_text(stream)
    async with opened([["next"]]) as world:
        assert (await world.transcript(session))[-1] == ("assistant", "so far", "interrupted")
        assert await text_of(await world.send("again", session)) == "next"


async def test_the_window_shows_the_newest_messages_and_starts_at_a_question() -> None:
    memory = {"working": {"strategy": "buffer_window", "window_size": 6}}
    async with opened([[f"answer {number}"] for number in range(8)], memory=memory) as world:
        session = await world.session()
        for number in range(8):
            await text_of(await world.send(f"question {number}", session))
        for request in world.model.requests:
            assert len(request.messages) <= 6
            assert request.messages[0].role == "user"
        assert [each.content for each in world.model.requests[-1].messages][-3:] == [
            "question 6",
            "answer 6",
            "question 7",
        ]
