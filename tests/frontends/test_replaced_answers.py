"""Where a part of an answer was lost, every front end ends with the text that was kept."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from hector_nb.events import Event, LoggedEvent, TextDelta, TurnDone, TurnReset
from hector_nb.frontends.aside import Aside
from hector_nb.frontends.cell_turn import CellTurn
from hector_nb.frontends.cli.screen import StreamScreen
from hector_nb.frontends.cli.turn import AnswerOnScreen
from hector_nb.frontends.inline import FinalOutput
from hector_nb.messages import Usage
from hector_nb.service import AgentInfo, SendMessage, TurnStream, collect
from hector_nb.wire.frames import View

pytestmark = pytest.mark.anyio
EVENTS: list[Event] = [
    TextDelta(text="Half "),
    TextDelta(text="an ans"),
    TurnReset(turn_id="turn_1", text="Half "),
    TurnDone(turn_id="turn_1", message_id="msg_1", finish_reason="stop", usage=Usage()),
]


class Stream(TurnStream):
    """A turn whose end was lost."""

    session_id = "sess_1"
    turn_id = "turn_1"
    last_seq = None

    def __init__(self) -> None:
        self._events = [LoggedEvent(seq, event) for seq, event in enumerate(EVENTS, 1)]

    async def read(self) -> Sequence[LoggedEvent]:
        events, self._events = self._events, []
        return events

    async def __aexit__(self, *_: object) -> None:
        """Nothing to leave."""


class Service:
    async def stream_message(self, agent: str, request: SendMessage) -> TurnStream:
        return Stream()


class Turn:
    """What a cell reads."""

    turn_id = "turn_1"

    def batches(self) -> Iterator[Sequence[Event]]:
        yield EVENTS[:2]
        yield EVENTS[2:]


async def test_collecting() -> None:
    assert (await collect(Stream())).response == "Half "


async def test_the_terminal() -> None:
    out, notes = io.StringIO(), io.StringIO()
    service: Any = Service()
    await AnswerOnScreen(service, "assistant", StreamScreen(out, notes), View(), None).play(SendMessage(message="Hi"))
    assert out.getvalue() == "Half an ansHalf \n"
    assert "this is what was kept" in notes.getvalue()


def test_the_cell() -> None:
    published: list[Any] = []

    def publish(*what: Any) -> None:
        published.append(what)

    turn: Any = Turn()
    unused: Any = None
    cell = CellTurn(
        turn,
        info=AgentInfo(name="assistant", description="", model="m", provider="scripted", host=None),
        session_id="sess_1",
        view=FinalOutput(publish=publish),
        aside=Aside(thinking=False, tools=False, debug=False),
        cell=None,
        look=unused,
        approvals=unused,
    )
    assert cell.show().text == "Half "
    assert published[-1][0]["text/plain"] == "Half "
