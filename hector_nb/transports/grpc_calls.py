"""What every call of gRPC has: who makes it, what its errors end in, how its fields are read. `grpc.py` and its like are above."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar, cast

from tornado.web import Application

from hector_nb.errors import HectorError, InvalidRequest, MalformedRequest
from hector_nb.service import SessionService
from hector_nb.telemetry.base import Telemetry
from hector_nb.transports.bodies import Metadata, read_json, read_limit
from hector_nb.transports.engine import ENGINE, Engine
from hector_nb.transports.grpc_caller import Action, owner_of
from hector_nb.transports.grpc_errors import Ended, abort
from hector_nb.transports.grpc_stream import Context
from hector_nb.transports.handlers import check_session_id
from hector_nb.wire.status import status_of

Response = TypeVar("Response")
_log = logging.getLogger("hector_nb.transports")


def answering(
    action: Action,
) -> Callable[[Callable[..., Coroutine[Any, Any, Response]]], Callable[..., Coroutine[Any, Any, Response]]]:
    """A method that is carried out for those who may, with their own sessions, and whose errors end the call."""

    def wrap(method: Callable[..., Coroutine[Any, Any, Response]]) -> Callable[..., Coroutine[Any, Any, Response]]:
        @wraps(method)
        async def answer(self: "Calls", request: Any, context: Context) -> Response:
            self.count(context)
            try:
                service = await self.service(context, method.__name__, action)
                return await method(self, request, service, context)
            except Exception as error:
                if context.cancelled():
                    raise asyncio.CancelledError from error
                _report(error)
                await abort(context, error)

        return answer

    return wrap


def _report(error: Exception) -> None:
    """Log what is ours to mend."""
    if not isinstance(error, HectorError | Ended):
        _log.error("A call failed for a reason that is ours", exc_info=error)
    elif isinstance(error, HectorError) and status_of(error).http >= 500:
        _log.warning("%s: %s", error.code, error.message)


class Calls:
    """What the methods share.

    Args:
        application: the server's, which knows the engine and the callers.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def count(self, context: Context) -> None:
        """A call is under way, until its end has been sent."""
        self._calls += 1
        self._idle.clear()
        context.add_done_callback(cast("Any", self._count_end))

    def _count_end(self, _: Context) -> None:
        self._calls -= 1
        if not self._calls:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until no call is under way."""
        await self._idle.wait()

    async def service(self, context: Context, method: str, action: Action) -> SessionService:
        """The caller's sessions.

        Raises:
            HectorError: the caller is not let in, or the engine cannot work.
        """
        owner = await self.owner(context, method, action)
        return await self._engine.service(owner)

    @property
    def telemetry(self) -> Telemetry:
        """Who is told of what happens."""
        return self._engine.telemetry

    @property
    def _engine(self) -> Engine:
        return cast("Engine", self._application.settings[ENGINE])

    async def owner(self, context: Context, method: str, action: Action) -> str:
        """Whose sessions.

        Raises:
            HectorError: the caller is not let in.
        """
        sent = {
            key: value.decode(errors="replace") if isinstance(value, bytes) else value
            for key, value in reversed(tuple(context.invocation_metadata() or ()))
            if key in {"authorization", "traceparent", "tracestate"}
        }
        return await owner_of(self._application, sent, f"/hector.v1.A2AService/{method}", action)


def given(**fields: str) -> dict[str, Any]:
    """The fields that are set."""
    return {name: value for name, value in fields.items() if value}


def agent_of(name: str) -> str:
    """An agent's name."""
    if not name:
        raise InvalidRequest("`agent` is missing.")
    return name


def session_of(session_id: str) -> str:
    """A session's id."""
    if not session_id:
        raise InvalidRequest("`session_id` is missing.")
    return check_session_id(session_id)


def limit_of(limit: int, *, default: int, most: int = 200) -> int:
    """How many items a page may have; 0: the default."""
    return read_limit(str(limit) if limit else None, default=default, most=most)


def object_of(name: str, text: str) -> dict[str, Any] | None:
    """A field that is a JSON object, or empty."""
    try:
        return read_json(text.encode(), Metadata).model_extra if text else None
    except MalformedRequest as error:
        raise MalformedRequest(f"`{name}` must be a JSON object. {error.message}") from error
