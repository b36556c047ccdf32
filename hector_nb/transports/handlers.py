"""What every handler shares: who calls, whose sessions, the body, errors in their one form, and clients that go away.

Identity, tokens, cookies, XSRF and the foreign-`Host` rule are the Jupyter server's own. Every request is authenticated in
`prepare`, before its body is kept and whatever its verb; `@guarded` says so again on each verb, where Jupyter's own check
looks for it, and asks the server's authorizer.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from http.client import responses
from typing import Any, ClassVar, TypeVar, cast

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web

from hector_nb.errors import Forbidden, HectorError, MessageTooLarge, NotFound, SessionNotFound, Unauthenticated
from hector_nb.ids import new_id
from hector_nb.service import SessionService
from hector_nb.sessions import LOCAL_USER, SESSION_ID
from hector_nb.telemetry.base import ARRIVAL, Arrival, Transport
from hector_nb.transports.bodies import MAX_BODY_BYTES, Shape, read_body
from hector_nb.transports.engine import ENGINE, Engine
from hector_nb.transports.origins import Caller, refusal
from hector_nb.wire.codec import dumps, to_bytes
from hector_nb.wire.status import code_for_http, encode_error, error_body, status_of

_log = logging.getLogger("hector_nb.requests")

T = TypeVar("T")
NAMELESS = (IdentityProvider, PasswordIdentityProvider)
"""Jupyter's own providers: they give every caller a random name, so there is only one owner."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TRACE = ("traceparent", "tracestate")
_CORS = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "accept, authorization, content-type, idempotency-key, last-event-id, traceparent, tracestate, x-request-id, x-xsrftoken",
    "Access-Control-Max-Age": "600",
}


def guarded(action: str, *, authenticated: Callable[..., Any] = web.authenticated) -> Callable[[T], T]:
    """Let a verb be called only by those whom the server knows and its authorizer allows this `action`."""

    def wrap(method: T) -> T:
        allowed: Callable[..., Any] = authorized(action=action, resource="hector")(cast("Callable[..., Any]", method))
        return cast("T", authenticated(allowed))

    return wrap


class HectorMixin:
    """For REST and WebSocket handlers alike. It stands before Jupyter's handler among the bases."""

    open_to_all: ClassVar[bool] = False
    how_to_get_in: ClassVar[str] = "Send the header Authorization: Bearer TOKEN, or ?token=TOKEN."
    transport: ClassVar[Transport] = "rest"
    request: Any
    settings: dict[str, Any]
    current_user: Any
    _jupyter_current_user: Any

    def initialize(self, name: str, *args: Any, **settings: Any) -> None:
        """Keep prompts and tokens out of logs, which show a request's URL."""
        super().initialize(name, *args, **settings)  # type: ignore[misc]
        self.request.uri = self.request.path
        sent = self.request.headers.get("X-Request-Id", "")
        self.request_id = sent if _REQUEST_ID.fullmatch(sent) else new_id("req")
        self._allowed: Sequence[str] = ()

    async def prepare(self, **settings: Any) -> None:
        """Find out who calls, and refuse those who may not."""
        self.arrive()
        if "Origin" in self.request.headers:
            self._allowed = await self.engine.allowed_origins()
        try:
            await super().prepare(**settings)  # type: ignore[misc]
        except web.HTTPError as error:
            if error.status_code != 403 or self.current_user is not None:
                raise
            raise Unauthenticated(hint=self.how_to_get_in) from error
        if self.current_user is None and not self.open_to_all and self.request.method != "OPTIONS":
            raise Unauthenticated(hint=self.how_to_get_in)

    def check_host(self) -> bool:
        """Refuse a foreign `Host`; always true otherwise.

        Raises:
            Forbidden: the name is not this server's.
        """
        if not super().check_host():  # type: ignore[misc]
            self.current_user = self._jupyter_current_user = None
            raise Forbidden(
                "This server is not known by that name.", hint="Call it localhost, or as its settings allow."
            )
        return True

    def arrive(self) -> None:
        """Whatever this task does from now on is done for a request that came just now."""
        sent = self.request.headers
        trace = {name: sent[name] for name in _TRACE if name in sent}
        ARRIVAL.set(Arrival(transport=self.transport, trace=trace))

    @property
    def engine(self) -> Engine:
        """What answers."""
        return cast("Engine", self.settings[ENGINE])

    async def service(self) -> SessionService:
        """The caller's sessions."""
        return await self.engine.service(self.owner)

    @property
    def owner(self) -> str:
        """Whose sessions: the caller's name where the server knows names, else the one local user."""
        if type(self.settings["identity_provider"]) in NAMELESS:
            return LOCAL_USER
        return str(self.current_user.username)

    def check_origin(self, origin_to_satisfy_tornado: str = "") -> bool:
        """Refuse what a foreign page asks for; always true otherwise.

        Raises:
            Forbidden: the page may not.
        """
        if self.open_to_all or self.request.method == "OPTIONS":
            return True
        headers = self.request.headers
        caller = Caller(
            host=headers.get("Host"),
            origin=headers.get("Origin", headers.get("Sec-Websocket-Origin")),
            fetch_site=headers.get("Sec-Fetch-Site"),
            token=self.token_authenticated,  # type: ignore[attr-defined]
            starts_turn="message" in self.request.query_arguments,
        )
        if told := refusal(caller, self._allowed_by_anyone(caller.origin)):
            raise Forbidden(told, hint="Add the page's origin to server.allow_origins, or send a token.")
        return True

    def _allowed_by_anyone(self, origin: str | None) -> Sequence[str]:
        """The foreign origins that `server.allow_origins` or the Jupyter server's own settings allow."""
        own = self.settings.get("allow_origin")
        pattern = self.settings.get("allow_origin_pat")
        more = [own] if own else []
        if pattern and origin and not own and re.fullmatch(pattern, origin.lower()):
            more.append(origin)
        return [*self._allowed, *more]

    def set_cors_headers(self) -> None:
        """Let the scripts of allowed pages read the answer."""
        origin = self.request.headers.get("Origin")
        if origin is None:
            return
        allowed = self._allowed_by_anyone(origin)
        self.set_header("Vary", "Origin")  # type: ignore[attr-defined]
        if origin in allowed or "*" in allowed or self._showed_token():
            self.set_header("Access-Control-Allow-Origin", origin)  # type: ignore[attr-defined]
            self.set_header(  # type: ignore[attr-defined]
                "Access-Control-Expose-Headers",
                "Hector-Heartbeat, Hector-Last-Event-Id, Hector-Request-Id, Hector-Session-Id, Hector-Turn-Id, Location",
            )
            if self.settings.get("allow_credentials") and "*" not in allowed:
                self.set_header("Access-Control-Allow-Credentials", "true")  # type: ignore[attr-defined]

    def _showed_token(self) -> bool:
        return hasattr(self, "_jupyter_current_user") and bool(self.token_authenticated)  # type: ignore[attr-defined]

    def send_error(self, status_code: int = 500, **settings: Any) -> None:
        """Answer with the status that an error stands for."""
        error = settings.get("exc_info", (None, None))[1]
        if isinstance(error, HectorError):
            status_code = status_of(error).http
        super().send_error(status_code, **settings)  # type: ignore[misc]

    def write_error(self, status_code: int, **settings: Any) -> None:
        """Every error has the form that `wire/status.py` gives it."""
        error = settings.get("exc_info", (None, None))[1]
        if isinstance(error, HectorError) or not isinstance(error, web.HTTPError | None):
            body = encode_error(error)
        else:
            told = error.log_message % error.args if error is not None and error.log_message else None
            body = error_body(code_for_http(status_code), told or responses.get(status_code, "Error"))
        if status_code == 405:
            self.set_header("Allow", ", ".join(verbs_of(type(self))))  # type: ignore[attr-defined]
        self.set_cors_headers()
        self.set_header("Hector-Request-Id", self.request_id)  # type: ignore[attr-defined]
        self.set_header("Content-Type", "application/json")  # type: ignore[attr-defined]
        self.finish(to_bytes(dumps(body) + "\n"))  # type: ignore[attr-defined]

    def log_exception(self, kind: Any, error: Any, traceback: Any) -> None:
        """Log what is ours to mend as a warning, with the id that the answer carries; what a caller did wrong is informative, without a word of it."""
        if isinstance(error, HectorError):
            status, code = status_of(error).http, error.code
        elif isinstance(error, web.HTTPError):
            status, code = error.status_code, code_for_http(error.status_code)
        else:
            status, code = 500, "internal_error"
            super().log_exception(kind, error, traceback)  # type: ignore[misc]
        request = self.request
        fields = {"request_id": self.request_id, "method": request.method, "path": request.path}
        extra = {"hector": {"event": "error", **fields, "status": status, "error": code}}
        if isinstance(error, HectorError) and status >= 500:
            extra["hector"]["message"] = error.message
            self.log.warning("%s: %s (%s)", code, error.message, self.request_id, extra=extra)  # type: ignore[attr-defined]
        else:
            _log.info("%d %s %s: %s (%s)", status, request.method, request.path, code, self.request_id, extra=extra)


@web.stream_request_body
class RestHandler(HectorMixin, ExtensionHandlerMixin, APIHandler):
    """A handler that takes and gives JSON. The body is kept only of those who are let in. `max_body` is in bytes."""

    max_body: ClassVar[int] = MAX_BODY_BYTES

    def initialize(self, name: str, *args: Any, **settings: Any) -> None:
        """Start with an empty body and a connected client."""
        super().initialize(name, *args, **settings)
        self._body = bytearray()
        self._refusal: Exception | None = None
        self._reading: asyncio.Future[Any] | None = None
        self.gone = False

    async def prepare(self, **settings: Any) -> None:
        """Let the caller in, or refuse it once its body has passed by: closing before would cut it off from the answer."""
        try:
            await super().prepare(**settings)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is raised again in the verb's place
            self._refusal = error
            setattr(self, self.request.method.lower(), self._refuse)

    def _refuse(self, *_: str) -> None:
        """Stands in for the verb."""
        if self._refusal is not None:
            raise self._refusal

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the body: nothing of those who are not let in, and not more than is allowed in all."""
        if self._refusal is None and len(self._body) <= self.max_body:
            self._body += chunk

    def body(self, shape: type[Shape]) -> Shape:
        """The body as a value.

        Raises:
            InvalidRequest: it is not what it should be.
        """
        return read_body(self.raw_body(), self.request.headers.get("Content-Type"), shape)

    def raw_body(self) -> bytes:
        """The body as it came.

        Raises:
            MessageTooLarge: it is larger than `max_body`.
        """
        if len(self._body) > self.max_body:
            told = f"The body is larger than {self.max_body // 2**20} MiB."
            raise MessageTooLarge(told, hint="A message may have 1 MiB, an import 64 MiB.")
        return bytes(self._body)

    @property
    def idempotency_key(self) -> str | None:
        """The caller's name for this request, so that it is carried out once however often it is sent."""
        key: str | None = self.request.headers.get("Idempotency-Key")
        return key

    def query(self, name: str) -> str | None:
        """The last value of a query parameter."""
        return self.get_query_argument(name, None, strip=False)

    def reply(self, value: dict[str, Any], *, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.finish(to_bytes(dumps(value) + "\n"))

    async def while_connected(self, reading: Awaitable[T]) -> T | None:
        """Wait for something as long as the client is there; None once it has gone, and the waiting is cancelled.

        It is always begun, so that a reader of a turn is there before it leaves.
        """
        self._reading = asyncio.ensure_future(reading)
        if self.gone:
            asyncio.get_running_loop().call_soon(self._reading.cancel)
        try:
            return cast("T", await self._reading)
        except asyncio.CancelledError:
            if not self.gone:
                raise
            return None

    def on_connection_close(self) -> None:
        """The client has gone."""
        super().on_connection_close()
        self.gone = True
        if self._reading is not None:
            asyncio.get_running_loop().call_soon(self._reading.cancel)

    def compute_etag(self) -> str | None:
        """Answers are not cached."""
        return None

    @allow_unauthenticated
    def options(self, *_: str) -> None:
        """Answer a browser that asks before it calls."""
        origin = self.request.headers.get("Origin")
        if origin in (allowed := self._allowed_by_anyone(origin)) or "*" in allowed:
            for name, value in _CORS.items():
                self.set_header(name, value)
        self.set_header("Allow", ", ".join(verbs_of(type(self))))
        self.set_status(204)
        self.finish()


class UnknownPath(RestHandler):
    """Everything else under `/agents` and `/hector`."""

    @guarded("read")
    def get(self, *_: str) -> None:
        """There is nothing here, whatever the verb."""
        raise NotFound("There is nothing at this path.", hint="GET /agents lists the agents.")

    head = post = put = patch = delete = get


def verbs_of(handler: type[Any]) -> list[str]:
    """The verbs that a handler implements."""
    unimplemented = web.RequestHandler._unimplemented_method
    return [verb for verb in handler.SUPPORTED_METHODS if getattr(handler, verb.lower()) is not unimplemented]


def check_session_id(session_id: str) -> str:
    """The id, if one can be so.

    Raises:
        SessionNotFound: none can.
    """
    if not SESSION_ID.fullmatch(session_id):
        raise SessionNotFound(hint="Session ids are 1 to 64 letters, digits, '_', '.' or '-'.")
    return session_id
