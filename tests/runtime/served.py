"""A real server on loopback over an engine of a test, and the clients that reach it: the remote one, and gRPC's."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import grpc

from hector_nb.client.address import Address
from hector_nb.client.connection import Connection
from hector_nb.client.sessions import RemoteSessions
from hector_nb.runtime.runtime import Runtime
from hector_nb.service import SessionService
from hector_nb.transports.engine import Engine
from hector_nb.transports.grpc_server import GrpcServer
from hector_nb.transports.listen import GrpcListen, Listen
from hector_nb.transports.standalone import HectorServer
from tests.runtime.grpc_client import GrpcSessions

USERS = {"token-of-ada": "ada", "token-of-eve": "eve", "token-of-bob": "bob"}


class ServedEngine(Engine):
    """An engine for `transports.handlers.Engine`, over a runtime that the test opens and closes."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def allowed_origins(self) -> Sequence[str]:
        return ()

    async def service(self, user: str) -> SessionService:
        return self._runtime.for_user(user)

    @property
    def turns(self) -> int:
        return len(self._runtime.runs)

    async def aclose(self) -> None:
        await self._runtime.aclose()


@asynccontextmanager
async def over_http(runtime: Runtime) -> AsyncIterator[Callable[[str], SessionService]]:
    """Gives a test the sessions of a user, by name, over HTTP and server-sent events."""
    server = HectorServer.start_listening(Listen(host="127.0.0.1", port=0, users=USERS), ServedEngine(runtime))
    connections: dict[str, Connection] = {}

    def sessions_of(user: str) -> SessionService:
        if user not in connections:
            address = Address.parse(f"http://127.0.0.1:{server.port}", f"token-of-{user}")
            connections[user] = Connection(address)
        return RemoteSessions(connections[user])

    try:
        yield sessions_of
    finally:
        for connection in connections.values():
            await connection.aclose()
        await server.stop_listening()


@asynccontextmanager
async def over_grpc(runtime: Runtime) -> AsyncIterator[Callable[[str], SessionService]]:
    """Gives a test the sessions of a user, by name, over gRPC."""
    http = HectorServer.start_listening(Listen(host="127.0.0.1", port=0, users=USERS), ServedEngine(runtime))
    server = await GrpcServer.start(http.web_app, GrpcListen(host="127.0.0.1", port=0))
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield lambda user: GrpcSessions(channel, f"token-of-{user}", runtime.for_user(user))
    finally:
        await http.stop_listening()
        await server.stop()
