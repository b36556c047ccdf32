"""`hector serve`: the extension's handlers alone (`transports/standalone.py`), until a signal comes."""

import asyncio
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from hector_nb.config.loader import LoadedConfig, load_config
from hector_nb.errors import ConfigError
from hector_nb.telemetry import json_log
from hector_nb.transports.listen import GrpcListen, Listen, where, where_grpc

if TYPE_CHECKING:
    from hector_nb.transports.grpc_server import GrpcServer

LogFormat = Literal["text", "json"]
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_log = logging.getLogger("hector_nb.serve")


def serve(
    *,
    config: str | Path | None = None,
    host: str | None = None,
    port: int | None = None,
    token: str | None = None,
    no_token: bool = False,
    base_url: str = "/",
    grpc_port: int | None = None,
    log_format: LogFormat | None = None,
) -> None:
    """Serve until a signal comes. What is not given comes from `HECTOR_TOKEN` and the configuration's `server` block.

    Args:
        config: the configuration file; None: the first that is found.
        host: the address to listen on.
        port: the port; 0: any that is free.
        token: what callers must show; none anywhere: one is made and printed.
        no_token: let everybody in; only on loopback.
        base_url: the path under which everything is.
        grpc_port: the port for gRPC; 0: any that is free; nowhere: no gRPC.
        log_format: how the log is written, to standard error; None: as `HECTOR_LOG_FORMAT` says, else as text.

    Raises:
        ConfigError: the configuration or these settings cannot be used.
        Unavailable: a port is in use.
    """
    chosen = log_format or os.environ.get("HECTOR_LOG_FORMAT") or "text"
    if chosen not in get_args(LogFormat):
        raise ConfigError(f"HECTOR_LOG_FORMAT is {chosen!r}.", hint="It may be text or json.")
    loaded = load_config(config)
    listen = where(loaded, os.environ, host=host, port=port, token=token, no_token=no_token, base_url=base_url)
    asyncio.run(run(loaded, listen, where_grpc(loaded, host=host, port=grpc_port), log_as_json=chosen == "json"))


async def run(
    loaded: LoadedConfig, listen: Listen, grpc: GrpcListen | None = None, *, log_as_json: bool = False
) -> None:
    """Serve until a signal comes.

    Raises:
        ConfigError: the certificate cannot be used, or what gRPC needs is not installed.
        Unavailable: a port is in use.
    """
    from hector_nb.extension import EngineOnDemand, HectorExtension, start_grpc
    from hector_nb.transports.standalone import HectorServer

    engine = EngineOnDemand(lambda: loaded)
    server = HectorServer.start_listening(listen, engine)
    if log_as_json:
        json_log.log_to_stderr(server.log, logging.getLogger(HectorExtension.__name__))
    stopped = _stopped_by_signal()
    calls: GrpcServer | None = None
    try:
        if grpc is not None:
            calls = await start_grpc(server.web_app, grpc)
        _say(f"Hector listens at {listen.address(server.port)}")
        if grpc is not None and calls is not None:
            _say(f"gRPC: {grpc.address(calls.port)}")
        opening = asyncio.create_task(engine.runtime())
        opening.add_done_callback(_report)
        await stopped.wait()
    finally:
        await asyncio.gather(server.stop_listening(), *([calls.stop()] if calls else []))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 -- the program's answer


def _stopped_by_signal() -> asyncio.Event:
    """Set by the first signal; a second one ends the process without waiting for anything."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        with suppress(RuntimeError):  # it has stopped already, for a reason of its own
            loop.call_soon_threadsafe(stopped.set)

    for each in _SIGNALS:
        signal.signal(each, stop)
    return stopped


def _report(opening: asyncio.Task[Any]) -> None:
    """Say at once what every request would be told."""
    if not opening.cancelled() and (error := opening.exception()):
        _log.error("%s", error)
