"""A gRPC server beside a Jupyter one, on its event loop: the service, health, and reflection.

Health is open to all and tells nothing else; every other call is for those whom the Jupyter server lets in.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, cast

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection_pb2_grpc
from grpc_reflection.v1alpha._async import ReflectionServicer
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as REFLECTION
from tornado.web import Application

from hector_nb.errors import Unavailable
from hector_nb.service import MAX_MESSAGE_BYTES
from hector_nb.transports.engine import ENGINE, Engine
from hector_nb.transports.grpc import A2AService
from hector_nb.transports.grpc_errors import abort
from hector_nb.transports.grpc_stream import Context
from hector_nb.transports.listen import GrpcListen, tls
from hector_nb.transports.readiness import Readiness
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.hector_pb2_grpc import add_A2AServiceServicer_to_server

SERVICE = pb.DESCRIPTOR.services_by_name["A2AService"].full_name
_ENVELOPE = 256 * 1024
"""Bytes that a request may have besides a message; a message that is too large is refused with our own words, up to there."""
_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES + _ENVELOPE),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
]
"""A port of one's own, and pings: a client that is gone is noticed, one that pings is let."""
_LOOK_EVERY = 1.0
_STOP_WITHIN = 5.0


class GrpcServer:
    """A server that accepts calls. `port` is the one that was given in the end."""

    def __init__(self, server: grpc.aio.Server, port: int, service: A2AService, health: "_Health") -> None:
        self.port = port
        self._server = server
        self._service = service
        self._health = health

    @classmethod
    async def start(cls, application: Application, listen: GrpcListen) -> Self:
        """Listen, for those whom the application's Jupyter server knows.

        Raises:
            ConfigError: the certificate cannot be used.
            Unavailable: the port is in use.
        """
        server = grpc.aio.server(options=_OPTIONS)
        engine: Engine = application.settings[ENGINE]
        service = A2AService(application)
        checked = _Health(engine)
        add_A2AServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(checked, server)
        reflected = _Reflection(service)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflected, server)  # type: ignore[no-untyped-call]
        port = _bind(server, listen)
        await server.start()
        try:
            await checked.look()
        except BaseException:
            await server.stop(None)
            raise
        return cls(server, port, service, checked)

    async def stop(self) -> None:
        """Accept nothing more, wait for the calls under way, which the engine ends when it stops, and hang up on those who watch."""
        await self._health.stop()
        stopping = asyncio.create_task(self._server.stop(_STOP_WITHIN))
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WITHIN):
                await self._service.idle()
        await self._server.stop(None)
        await stopping


def _bind(server: grpc.aio.Server, listen: GrpcListen) -> int:
    credentials = None
    if listen.certfile is not None:
        tls(listen.certfile, listen.keyfile)
        key = Path(listen.keyfile or listen.certfile).read_bytes()
        credentials = grpc.ssl_server_credentials([(key, Path(listen.certfile).read_bytes())])
    try:
        if credentials is None:
            return server.add_insecure_port(listen.address())
        return server.add_secure_port(listen.address(), credentials)
    except RuntimeError as error:
        raise Unavailable(
            f"Cannot listen for gRPC on {listen.address()}.",
            hint="Stop the other program, or choose a port with --grpc-port (0: any that is free).",
        ) from error


class _Health(health.HealthServicer):
    """Tells whether the engine can work, and tells those who watch when that changes."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._ready = Readiness(engine).ready
        self._looking: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Tell how it is now, and from now on."""
        await self._tell()
        self._looking = asyncio.create_task(self._look_again())

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            await self._tell()

    async def _tell(self) -> None:
        status = HealthCheckResponse.SERVING if await self._ready() else HealthCheckResponse.NOT_SERVING
        for name in ("", SERVICE, HEALTH):
            await self.set(name, status)

    async def stop(self) -> None:
        """Tell that it stops."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        await self.enter_graceful_shutdown()


class _Reflection(ReflectionServicer):
    """What the services are, for those who may call them."""

    def __init__(self, service: A2AService) -> None:
        super().__init__((SERVICE, HEALTH, REFLECTION))
        self._service = service

    async def ServerReflectionInfo(  # type: ignore[override] # its stub takes the generator for a coroutine
        self, requests: AsyncIterable[Any], context: Context
    ) -> AsyncIterator[Any]:
        """See `ReflectionServicer`."""
        try:
            await self._service.owner(context, "ServerReflectionInfo", "read")
        except Exception as error:  # noqa: BLE001 -- whatever it is, the caller is told in one form
            await abort(context, error)
        answers = cast("AsyncIterator[Any]", super().ServerReflectionInfo(requests, context))
        async for response in answers:
            yield response
