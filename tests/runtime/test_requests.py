"""What cannot be asked for is refused in the same words, in process and over every wire."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hector_nb.errors import HectorError, InvalidRequest, MessageTooLarge, SessionNotFound
from hector_nb.service import SendMessage, SessionService
from tests.runtime.world import opened, text_of

pytestmark = pytest.mark.anyio

Ask = Callable[[SessionService, str], Awaitable[object]]


def _create(**given: Any) -> Ask:
    return lambda service, _: service.create_session("assistant", **given)


def _update(**given: Any) -> Ask:
    return lambda service, session: service.update_session("assistant", session, **given)


def _send(**given: Any) -> Ask:
    return lambda service, session: service.stream_message("assistant", SendMessage(session_id=session, **given))


def _follow(after: Any) -> Ask:
    return lambda service, session: service.follow_turn("assistant", "turn_01abc", session_id=session, after=after)


REFUSED: list[tuple[Ask, type[HectorError], str]] = [
    (_create(session_id="a b"), InvalidRequest, "`session_id` must be 1 to 64 letters"),
    (_create(session_id="x" * 65), InvalidRequest, "`session_id` must be 1 to 64 letters"),
    (_create(title="x" * 501), InvalidRequest, "at most 500 characters"),
    (_create(metadata={"large": "x" * 70_000}), MessageTooLarge, "larger than 64 KiB"),
    (_update(title="x" * 501), InvalidRequest, "at most 500 characters"),
    (_update(metadata={"large": "x" * 70_000}), MessageTooLarge, "larger than 64 KiB"),
    (_send(message="hi", if_busy="whenever"), InvalidRequest, "`if_busy` should be 'queue', 'reject' or 'interrupt'"),
    (_send(message="hi", on_disconnect="stay"), InvalidRequest, "`on_disconnect` should be 'cancel' or 'continue'"),
    (
        lambda service, _: service.list_sessions(status="lost"),  # type: ignore[arg-type]
        InvalidRequest,
        "`status` must be one of active, ended, expired",
    ),
    (
        lambda service, session: service.decide_approval("assistant", session, "call_x", "maybe"),  # type: ignore[arg-type]
        InvalidRequest,
        "`decision` should be 'approve' or 'deny'",
    ),
    (
        lambda service, session: service.search_memory("assistant", session, "tea", limit=-1),
        InvalidRequest,
        "`limit` must be a number from 1",
    ),
    (_follow(-1), InvalidRequest, "The id of the last event is not one of ours"),
    (_follow(10**12), InvalidRequest, "The id of the last event is not one of ours"),
    (_follow("soon"), InvalidRequest, "The id of the last event is not one of ours"),
]


@pytest.mark.parametrize(("ask", "kind", "words"), REFUSED)
async def test_a_request_that_makes_no_sense_is_refused_in_the_same_words(
    ask: Ask, kind: type[HectorError], words: str
) -> None:
    async with opened([["hi"]]) as world:
        session = await world.session()
        with pytest.raises(kind) as caught:
            await ask(world.service, session)
        assert type(caught.value) is kind
        assert words in caught.value.message
        assert await world.transcript(session) == []
        assert await text_of(await world.send("hello", session)) == "hi"


async def test_a_message_to_no_session_is_refused_as_a_look_at_it_is() -> None:
    async with opened([]) as world:
        with pytest.raises(SessionNotFound) as looked:
            await world.service.get_session("assistant", "sess_none")
        for if_busy in ("queue", "reject", "interrupt"):
            with pytest.raises(SessionNotFound) as sent:
                await world.send("hi", "sess_none", if_busy=if_busy)
            assert (sent.value.message, sent.value.hint) == (looked.value.message, looked.value.hint)
        assert looked.value.hint == "Create it first, or list the sessions."


async def test_hints_are_for_every_way_in_and_say_all_that_is_allowed() -> None:
    async with opened([]) as world:
        session = await world.session()
        with pytest.raises(InvalidRequest, match="empty") as empty:
            await world.send(" ", session)
        assert empty.value.hint == "Write something, for example: Hello"
        for key in ("two words", "naïve", "x" * 256):
            with pytest.raises(InvalidRequest, match="idempotency key") as refused:
                await world.send("hi", session, idempotency_key=key)
            assert refused.value.hint == "Use 1 to 255 ASCII letters, digits and signs, without spaces."
