"""Ctrl-C in the very moment in which an answer begins or ends, and a terminal that has gone."""

import asyncio
import io
import os
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from hector_nb.errors import SessionNotFound
from hector_nb.events import LoggedEvent, TextDelta, TurnDone
from hector_nb.frontends.cli import call, turn
from hector_nb.frontends.cli.line_input import PipedInput
from hector_nb.frontends.cli.screen import StreamScreen
from hector_nb.frontends.cli.turn import AnswerOnScreen
from hector_nb.messages import Usage
from hector_nb.service import SendMessage, TurnStream
from hector_nb.wire.frames import View
from tests.unheard import nothing_unheard

pytestmark = pytest.mark.anyio
DONE = TurnDone(turn_id="turn_1", message_id="msg_1", finish_reason="stop", usage=Usage())


class Stream(TurnStream):
    """A turn that is over, or one that ends when it is cancelled."""

    session_id, turn_id, last_seq = "sess_1", "turn_1", None

    def __init__(self, cancelled=None):
        self._cancelled = cancelled
        self._events = [LoggedEvent(1, TextDelta(text="Hi")), LoggedEvent(2, DONE)]

    async def read(self):
        if self._cancelled is not None:
            await self._cancelled.wait()
        events, self._events = self._events, []
        return events

    async def __aexit__(self, *_):
        """Nothing to leave."""


class Service:
    """`on_begin` is called when a turn has begun, before anybody knows."""

    def __init__(self, on_begin=lambda: None):
        self.cancelled = asyncio.Event()
        self._on_begin = on_begin

    async def stream_message(self, agent, request):
        self._on_begin()
        return Stream(self.cancelled)

    async def cancel_turn(self, agent, session_id, *, turn_id):
        self.cancelled.set()


class GoneService:
    """Its session is gone by the time the turn is over."""

    async def stream_message(self, agent, request):
        return Stream()

    async def cancel_turn(self, agent, session_id, *, turn_id):
        raise SessionNotFound


@pytest.fixture
def presses(monkeypatch):
    """What a press of Ctrl-C does."""
    acts = []

    @contextmanager
    def on_interrupt(act):
        acts.append(act)
        yield
        acts.clear()

    monkeypatch.setattr(turn, "on_interrupt", on_interrupt)
    return acts


@pytest.mark.parametrize("rounds", range(5))
async def test_an_interrupt_stops_a_turn_that_begins_in_that_moment(presses, rounds):
    def press(left):
        if left:
            asyncio.get_running_loop().call_soon(press, left - 1)
        else:
            presses[0]()

    service = Service(on_begin=lambda: asyncio.get_running_loop().call_soon(press, rounds))
    screen = StreamScreen(io.StringIO(), io.StringIO())
    async with asyncio.timeout(30):
        with suppress(asyncio.CancelledError):
            await AnswerOnScreen(service, "assistant", screen, View(), None).play(SendMessage(message="Hi"))
    assert service.cancelled.is_set()


async def test_nobody_mourns_an_interrupt_that_comes_when_all_is_over(presses, monkeypatch, capsys):
    async def collect(stream):
        presses[0]()
        for _ in range(3):
            await asyncio.sleep(0)
        return SimpleNamespace(finish_reason="stop")

    monkeypatch.setattr("hector_nb.service.collect", collect)
    monkeypatch.setattr("hector_nb.wire.codec.encode_reply", vars)
    with nothing_unheard():
        await call._answer_as_json(GoneService(), SimpleNamespace(name="assistant"), SendMessage(message="Hi"))
    assert "stop" in capsys.readouterr().out


async def test_a_terminal_that_has_gone_is_the_end_of_the_input():
    ours, theirs = os.openpty()
    os.write(theirs, b"Hello\n")
    lines = PipedInput(ours)
    async with asyncio.timeout(30):
        assert await lines.next("") == "Hello"
        os.close(theirs)
        assert await lines.next("") is None
    os.close(ours)
