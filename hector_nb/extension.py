"""The Jupyter server extension: it mounts the routes and opens the engine when somebody first needs it.

Starting it costs the Jupyter server next to nothing, and a broken configuration never stops the server: every route but health
answers 503 with what is wrong, until the file is mended.
"""

import asyncio
import contextvars
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jupyter_server.extension.application import ExtensionApp
from tornado.web import Application
from traitlets import Unicode

from hector_nb.errors import ConfigError, HectorError, Unavailable
from hector_nb.service import SessionService
from hector_nb.sessions import LOCAL_USER
from hector_nb.telemetry.base import Telemetry
from hector_nb.transports.engine import ENGINE, Engine
from hector_nb.transports.handlers import NAMELESS
from hector_nb.transports.listen import GrpcListen, where_grpc
from hector_nb.transports.routes import ROUTES
from hector_nb.transports.websocket import close_sockets

if TYPE_CHECKING:
    from hector_nb.config.loader import LoadedConfig
    from hector_nb.runtime.runtime import Runtime
    from hector_nb.transports.grpc_server import GrpcServer

_log = logging.getLogger("hector_nb.extension")
_TRY_AGAIN_AFTER = 1.0
"""Seconds for which a failure to open is remembered."""
_STOP_WITHIN = 8.0
"""Seconds after which the server stops without the engine; longer than that takes, also where turns run."""
_COUNT_EVERY = 60.0
"""Seconds between two counts of the sessions, for those who read Jupyter's `/metrics`."""
_COUNT_KEPT = 10.0
"""Seconds for which a count is good enough for those who read `/hector/metrics`."""


class EngineOnDemand(Engine):
    """Loads the configuration and opens the engine once, at the first need; a failure is tried again after a while.

    `while_busy` is called every so many seconds (`busy_every`) while turns run.
    """

    def __init__(
        self,
        load: "Callable[[], LoadedConfig]",
        *,
        while_busy: Callable[[], None] = lambda: None,
        busy_every: float = 10.0,
    ) -> None:
        self._load = load
        self._while_busy = while_busy
        self._busy_every = busy_every
        self._opening: asyncio.Task[Runtime] | None = None
        self._origins: Sequence[str] = ()
        self._failed_at = 0.0
        self._stopped = False
        self._busy: asyncio.Task[None] | None = None
        self._counted_at = -_COUNT_EVERY
        self._telemetry = Telemetry()

    @property
    def healthy(self) -> bool:
        """See `Engine`."""
        task = self._opening
        return not self._stopped and not (task and task.done() and (task.cancelled() or task.exception()))

    @property
    def telemetry(self) -> Telemetry:
        """See `Engine`."""
        return self._telemetry

    async def metrics(self) -> tuple[bytes, str]:
        """See `Engine`. A broken configuration hides no numbers."""
        from hector_nb.telemetry.metrics import CONTENT_TYPE, exposition

        with suppress(HectorError):
            await self._count(await self.runtime(), kept=_COUNT_KEPT)
        return exposition(), CONTENT_TYPE

    @property
    def turns(self) -> int:
        """See `Engine`."""
        return len(self._opening.result().runs) if self._opening and self._opening.done() and self.healthy else 0

    async def allowed_origins(self) -> Sequence[str]:
        """See `Engine`."""
        with suppress(HectorError):
            await self.runtime()
        return self._origins

    async def service(self, user: str) -> SessionService:
        """See `Engine`."""
        return (await self.runtime()).for_user(user)

    async def runtime(self) -> "Runtime":
        """The engine, open.

        Raises:
            HectorError: it cannot be opened.
        """
        if self._stopped:
            raise Unavailable("The server is stopping.")
        if self._opening is None or (not self.healthy and time.monotonic() - self._failed_at > _TRY_AGAIN_AFTER):
            # in a context of its own: what goes on in the background belongs to no request
            self._opening = asyncio.create_task(self._open(), context=contextvars.Context())
        return await asyncio.shield(self._opening)

    async def _open(self) -> "Runtime":
        try:
            loaded, open_runtime, telemetry = await asyncio.to_thread(self._prepare)
            self._origins = loaded.config.server.allow_origins
            self._telemetry = telemetry
            runtime: Runtime = await open_runtime(loaded, telemetry=telemetry)
        except BaseException:
            self._failed_at = time.monotonic()
            raise
        self._busy = asyncio.create_task(self._say_busy(runtime))
        return runtime

    def _prepare(self) -> "tuple[LoadedConfig, Any, Telemetry]":
        """Read and import what is slow to read and import, off the event loop."""
        from hector_nb.bootstrap.engine import make_telemetry, open_runtime

        return self._load(), open_runtime, make_telemetry(metrics=True)

    async def _say_busy(self, runtime: "Runtime") -> None:
        while True:
            if runtime.runs:
                self._while_busy()
            await asyncio.sleep(self._busy_every)
            with suppress(HectorError):
                await self._count(runtime, kept=_COUNT_EVERY)

    async def _count(self, runtime: "Runtime", *, kept: float) -> None:
        """Count the sessions, unless that was done in the last `kept` seconds."""
        now = time.monotonic()
        if now - self._counted_at >= kept:
            self._counted_at = now
            self._telemetry.counted(await runtime.store.count_sessions())

    async def aclose(self) -> None:
        """See `Engine`."""
        self._stopped = True
        if self._opening is None:
            return
        try:
            async with asyncio.timeout(_STOP_WITHIN):
                runtime = await self._opening
                if self._busy is not None:
                    self._busy.cancel()
                await runtime.aclose()
        except Exception:  # noqa: BLE001 -- what could not be opened was reported when it failed; stopping goes on
            _log.debug("The engine did not stop cleanly", exc_info=True)


async def start_grpc(application: Application, listen: GrpcListen) -> "GrpcServer":
    """Serve gRPC, too, to those whom the application's server knows.

    Raises:
        ConfigError: what it needs is not installed, or the certificate cannot be used.
        Unavailable: the port is in use.
    """
    os.environ.setdefault(
        "GRPC_ENABLE_FORK_SUPPORT", "0"
    )  # forks end in another program here: nothing is to be carried over
    try:
        from hector_nb.transports.grpc_server import GrpcServer
    except ImportError as error:
        raise ConfigError(
            f"gRPC cannot be served: {error}.", hint='Install it: pip install "hector_nb[grpc]"'
        ) from error
    return await GrpcServer.start(application, listen)


class HectorExtension(ExtensionApp):
    """Agents, sessions and streams under the Jupyter server's own address, identity and rules."""

    name = "hector_nb"
    config_path = Unicode("", config=True, help="The configuration, hector.yaml. Empty: the first that is found.")
    _serving: asyncio.Task[None] | None = None
    _calls: "GrpcServer | None" = None

    def initialize_settings(self) -> None:
        """Provide the engine, unless the server has brought one."""
        if ENGINE not in self.settings:
            self.settings[ENGINE] = EngineOnDemand(self._load, while_busy=self.say_busy)

    def initialize_handlers(self) -> None:
        """Mount the routes."""
        self.handlers.extend(ROUTES)

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Serve gRPC where the configuration says so, and tell kernels of the store, once the server runs. Reading it does not hold the server up."""
        self._serving = asyncio.create_task(self._serve_grpc(serverapp.web_app))

    async def _serve_grpc(self, application: Application) -> None:
        try:
            loaded = await asyncio.to_thread(self._load)
        except HectorError:
            _log.debug("gRPC is not served, for the configuration cannot be used", exc_info=True)
            return
        self._tell_kernels(loaded)
        try:
            if (listen := where_grpc(loaded)) is not None:
                self._calls = await start_grpc(application, listen)
                self.log.info("Hector's gRPC: %s", listen.address(self._calls.port))
        except HectorError as error:
            self.log.warning("Hector's gRPC is not served. %s", error)
        except Exception:
            self.log.exception("Hector's gRPC is not served, for a reason that is ours")

    def _tell_kernels(self, loaded: "LoadedConfig") -> None:
        """Let the kernels that this server starts know whether its sessions are theirs, so that a chat can be stopped by way of it."""
        from hector_nb.config.home import SERVED_STORE, current_user, store_mark

        nameless = type(self.settings["identity_provider"]) in NAMELESS
        user = LOCAL_USER if nameless else current_user()
        os.environ[SERVED_STORE] = store_mark(loaded.config, user, folder=loaded.folder)

    def current_activity(self) -> int | None:
        """The number of running turns keeps the server from stopping for want of activity."""
        return self.engine.turns or None

    async def stop_extension(self) -> None:
        """Stop the engine, then say goodbye to those who are connected."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait([self._serving])
        await asyncio.gather(self.engine.aclose(), *([self._calls.stop()] if self._calls else []))
        if self.serverapp is not None:
            close_sockets(self.serverapp.web_app.settings)

    @property
    def engine(self) -> Engine:
        """The engine of this server."""
        found: Engine = self.settings[ENGINE]
        return found

    def say_busy(self) -> None:
        """Tell the server, and by it a hub, that somebody is at work."""
        if self.serverapp is not None:
            self.serverapp.web_app.settings["last_activity_times"][self.name] = datetime.now(UTC)

    def _load(self) -> "LoadedConfig":
        from hector_nb.config.loader import load_config

        return load_config(self.config_path or None)
