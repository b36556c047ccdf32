"""A gRPC server on loopback beside the HTTP one, and its generated client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import grpc
from grpc_status import rpc_status

from hector_nb.stores.base import Store
from hector_nb.transports import grpc_stream
from hector_nb.transports.grpc_server import GrpcServer
from hector_nb.transports.listen import GrpcListen, Listen
from hector_nb.transports.standalone import HectorServer
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.hector_pb2_grpc import A2AServiceStub
from tests.transports.conftest import TOKEN, World

LONGEST = 30.0
"""Seconds that a test waits for a call."""


class GrpcSite:
    """A server, and clients of it."""

    def __init__(self, world: World, http: HectorServer, server: GrpcServer, channel: grpc.aio.Channel) -> None:
        self.world = world
        self.http = http
        self.server = server
        self.channel = channel
        self.stub: Any = A2AServiceStub(channel)

    def call(self, method: str, token: str | None = TOKEN, *, timeout: float = LONGEST, **fields: Any) -> Any:
        """A call under way."""
        rpc = getattr(self.stub, method)
        shown = (("authorization", f"Bearer {token}"),) if token else ()
        return rpc(REQUESTS[method](**fields), metadata=shown, timeout=timeout)

    async def new_session(self, agent: str = "assistant", **fields: Any) -> str:
        session: pb.Session = await self.call("CreateSession", agent=agent, **fields)
        return session.session_id

    async def contents(self, session_id: str, agent: str = "assistant") -> list[tuple[str, str]]:
        """What was said, and how it ended."""
        page = await self.call("ListMessages", agent=agent, session_id=session_id)
        return [(each.content, each.status) for each in page.messages]

    async def is_quiet(self) -> None:
        """Wait until no call is under way and no turn runs, nor is about to because of a call that was cancelled as it began."""
        async with asyncio.timeout(LONGEST):
            await self.server._service.idle()
            while self.world.turns or grpc_stream._leaving:
                await asyncio.sleep(0.01)


REQUESTS: dict[str, Any] = {
    "StreamMessage": pb.SendMessageRequest,
    **{
        name: getattr(pb, f"{name}Request")
        for name in (
            "CreateSession", "SendMessage", "ListSessions", "DeleteSession", "GetSession", "EndSession", "ListMessages",
            "CancelTurn", "ResumeTurn", "FollowSession", "ListTools", "UpdateSession", "ForkSession", "RewindSession", "ListApprovals",
            "DecideApproval", "GetToolOutput", "GetMemory", "SearchMemory", "CorrectMemory", "ForgetMemory", "RestoreMemory", "GetContext",
        )
    },
}  # fmt: skip


async def open_grpc_site(
    agents: dict[str, dict[str, Any]], users: dict[str, str], store: Store | None = None
) -> AsyncIterator[GrpcSite]:
    world = World(agents, [], store)
    await world.runtime.aopen()
    http = HectorServer.start_listening(Listen(host="127.0.0.1", port=0, users=users), world)
    server = await GrpcServer.start(http.web_app, GrpcListen(host="127.0.0.1", port=0))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield GrpcSite(world, http, server, channel)
    await asyncio.gather(http.stop_listening(), server.stop())


async def failure(call: Awaitable[Any]) -> tuple[str, pb.Error]:
    """The canonical code of a call that fails, and its details."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return error.code().name, details(error)
    raise AssertionError(f"It did not fail: {answer}")


def details(error: grpc.aio.AioRpcError) -> pb.Error:
    told = pb.Error()
    status = rpc_status.from_call(error)
    assert status is not None, error
    assert status.details[0].Unpack(told)
    return told


async def chunks(call: Any) -> list[pb.MessageChunk]:
    """Everything that a stream sends."""
    sent = []
    async with asyncio.timeout(LONGEST):
        while (chunk := await call.read()) is not grpc.aio.EOF:
            sent.append(chunk)
    return sent


def text(sent: list[pb.MessageChunk]) -> str:
    return "".join(chunk.content for chunk in sent)
