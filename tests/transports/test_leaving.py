"""What a call of gRPC and a look at the server's health leave when they end in the moment in which their answer comes."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import pytest

from hector_nb.config.schema import StreamingConfig
from hector_nb.errors import Unavailable
from hector_nb.events import LoggedEvent
from hector_nb.service import SessionService, TurnStream
from hector_nb.telemetry.base import Telemetry
from hector_nb.transports import grpc_server
from hector_nb.transports.grpc_server import GrpcServer
from hector_nb.transports.grpc_stream import Line
from hector_nb.transports.listen import GrpcListen, Listen
from hector_nb.transports.readiness import Readiness
from hector_nb.transports.standalone import HectorServer
from hector_nb.wire.framer import Framer
from hector_nb.wire.frames import View
from tests.transports.conftest import World
from tests.unheard import nothing_unheard

pytestmark = pytest.mark.anyio


class SlowEngine(World):
    """One that answers when it may."""

    def __init__(self) -> None:
        super().__init__({"assistant": {}}, [])
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def service(self, user: str) -> SessionService:
        self.asked.set()
        await self.may_answer.wait()
        return await super().service(user)


@pytest.mark.parametrize("rounds", range(12))
async def test_a_look_that_is_called_off_is_called_off_whenever_its_answer_comes(rounds: int) -> None:
    engine = SlowEngine()
    looking = asyncio.create_task(Readiness(engine).ready())
    await engine.asked.wait()
    engine.may_answer.set()
    for _ in range(rounds):
        await asyncio.sleep(0)
    called_off = looking.cancel()
    await asyncio.wait([looking])
    assert looking.cancelled() is called_off


async def test_a_server_that_is_stopped_while_it_starts_listens_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, bound = SlowEngine(), list[int]()
    bind = grpc_server._bind

    def note(server: grpc.aio.Server, listen: GrpcListen) -> int:
        bound.append(bind(server, listen))
        return bound[-1]

    monkeypatch.setattr(grpc_server, "_bind", note)
    http = HectorServer.start_listening(Listen(host="127.0.0.1", port=0), engine)
    starting = asyncio.create_task(GrpcServer.start(http.web_app, GrpcListen(host="127.0.0.1", port=0)))
    await engine.asked.wait()
    starting.cancel()
    await asyncio.wait([starting])
    engine.may_answer.set()
    again = await GrpcServer.start(http.web_app, GrpcListen(host="127.0.0.1", port=bound[0]))
    await asyncio.gather(http.stop_listening(), again.stop())


class CutStream(TurnStream):
    """Its line breaks when its reader goes."""

    def __init__(self) -> None:
        self.session_id, self.turn_id, self.last_seq = "sess_1", "turn_1", None
        self.read_from = asyncio.Event()

    async def read(self) -> Sequence[LoggedEvent]:
        self.read_from.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise Unavailable("The line broke.")

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to leave."""


async def test_nobody_mourns_a_line_that_broke_as_its_call_was_cancelled() -> None:
    context: Any = None
    line, stream = Line(context, StreamingConfig(), Telemetry()), CutStream()
    with nothing_unheard():
        call = asyncio.create_task(line._relay(stream, Framer(View())))
        await stream.read_from.wait()
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        del call
