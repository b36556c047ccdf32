"""WebSocket: many turns over one connection, at `/agents/{agent}/stream`.

The client says `{"message": "…"}`, `{"cancel": true}` or `{"resume": "turn_…:3"}`, each with a `session_id` if it means another session than
the connection's own (`?session_id=`, or one that is made for it and stored with its first message). The server says first
`{"event": "session", "session_id": …}`, then `{"chunk": …, "id": …}` and, with `?events=`, `{"event": …, "id": …, …}`; each turn ends with one
`{"done": true, …}` or `{"error": {…}, "id": …}`. What the client does wrong is answered with `{"error": {…}}` and does not close the socket.
Closing is leaving.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from hector_nb.errors import HectorError, InvalidRequest, MalformedRequest
from hector_nb.ids import new_id
from hector_nb.service import AgentInfo, SendMessage, SessionService, TurnStream
from hector_nb.transports.bodies import MAX_BODY_BYTES, SocketMessage, read_events, read_flag, read_json
from hector_nb.transports.handlers import HectorMixin, check_session_id, guarded
from hector_nb.transports.reader import Silence, is_lost, is_over, make_framer, open_at, read_whole
from hector_nb.wire.codec import dumps, to_bytes
from hector_nb.wire.framer import Framer
from hector_nb.wire.frames import Chunk, Cursor, Frame, View, socket_message
from hector_nb.wire.status import encode_error, status_of

_DEAF_AFTER = 30.0
"""Seconds without an answer to any ping after which a client counts as gone, at least."""


class AgentSocket(HectorMixin, ExtensionHandlerMixin, WebSocketHandler, JupyterHandler):
    """One connection."""

    info: AgentInfo

    async def prepare(self, **settings: Any) -> None:
        """Authenticate without sending anybody to a login page, and refuse foreign pages, before the upgrade."""
        await super().prepare(_redirect_to_login=False, **settings)
        self.check_origin()

    @guarded("execute", authenticated=ws_authenticated)
    async def get(self, agent: str) -> None:
        """Check all that can be checked before the upgrade, then upgrade."""
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise web.HTTPError(426, "This path is for WebSockets; POST …/messages/stream streams over HTTP.")
        self._service: SessionService = await self.service()
        self.info = await self._service.get_agent(agent)
        self._view = View.choose(
            self.info.reasoning,
            events=read_events(self.get_query_argument("events", None)),
            debug=read_flag("debug", self.get_query_argument("debug", None)),
        )
        chosen = self.get_query_argument("session_id", None)
        if chosen is not None:
            await self._service.get_session(agent, check_session_id(chosen))
        self._session_id = chosen or new_id("sess")
        self._stored = chosen is not None
        self._tasks: set[asyncio.Task[None]] = set()
        await super().get(agent)

    @property
    def ping_interval(self) -> None:
        """None: tornado's own pings would drop a client that does not answer at once."""

    @property
    def max_message_size(self) -> int:
        """A larger message closes the connection (1009)."""
        return MAX_BODY_BYTES

    def set_default_headers(self) -> None:
        """None: they mean nothing on an upgrade."""

    async def open(self, *_: str) -> None:
        """Name the session."""
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._pulse = self._loop.call_later(self.info.streaming.heartbeat, self._ping)
        await self._say({"event": "session", "session_id": self._session_id})

    def _ping(self) -> None:
        """Keep the line open, and close it when nothing is heard any more."""
        every = self.info.streaming.heartbeat
        if self._loop.time() - self._heard > max(3 * every, _DEAF_AFTER):
            self.close()
        elif self.ws_connection is not None:
            self.ping()
            self._pulse = self._loop.call_later(every, self._ping)

    def on_pong(self, _: bytes) -> None:
        """The client is there."""
        self._heard = self._loop.time()

    async def on_message(self, message: str | bytes) -> None:
        """Do what the client says; messages are taken in their order."""
        self._heard = self._loop.time()
        try:
            if isinstance(message, bytes):
                raise MalformedRequest("A message must be text.")
            await self._act(read_json(to_bytes(message), SocketMessage))
        except HectorError as error:
            await self._refuse(error)
        except Exception as error:
            self.log.exception("A WebSocket message failed for a reason that is ours")
            await self._refuse(error)

    async def _act(self, said: SocketMessage) -> None:
        if [said.message, said.cancel, said.resume].count(None) != 2:
            raise InvalidRequest(
                "Say one of `message`, `cancel` and `resume`.", hint='For example {"message": "Hello"}.'
            )
        session_id = said.session_id or self._session_id
        if said.cancel:
            if self._stored or said.session_id:
                await self._service.cancel_turn(self.info.name, session_id)
        elif said.resume is not None:
            await self._resume(Cursor.parse(said.resume))
        elif said.message is not None:
            if not (self._stored or said.session_id):
                await self._service.create_session(self.info.name, session_id=session_id)
                self._stored = True
            request = SendMessage(message=said.message, session_id=session_id, if_busy=said.if_busy)
            stream = await self._service.stream_message(self.info.name, request)
            self._start(self._relay(stream, make_framer(self._view, self.info)))

    async def _resume(self, cursor: Cursor) -> None:
        stream = await open_at(self._service, self.info, self._view, None, cursor)
        if is_over(stream, cursor):
            async with stream:
                raise InvalidRequest("This turn is over, and you have its last frame.")
        if is_lost(stream, cursor):
            async with stream:
                await self._send(cursor.turn_id, await read_whole(self._service, self.info, self._view, cursor.turn_id))
        else:
            self._start(self._relay(stream, make_framer(self._view, self.info, cursor)))

    def _start(self, relay: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(relay)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self.ws_connection is None:
            self.on_close()

    async def _relay(self, stream: TurnStream, framer: Framer) -> None:
        """Send one turn's frames."""
        try:
            async with stream:
                with Silence(self.info.streaming.heartbeat, lambda: self._let_go(stream.turn_id, framer)) as silence:
                    while not framer.finished and (events := await stream.read()):
                        silence.broken()
                        await self._send(stream.turn_id, framer.feed(events))
        except WebSocketClosedError:
            return
        except HectorError as error:
            await self._refuse(error)

    async def _send(self, turn_id: str, frames: list[Frame]) -> None:
        delay = self.info.streaming.delay_ms / 1000
        for frame in frames:
            message = socket_message(turn_id, frame)
            if message is not None:
                await self.write_message(to_bytes(message).decode())
            if delay and isinstance(frame, Chunk):
                await asyncio.sleep(delay)

    def _let_go(self, turn_id: str, framer: Framer) -> None:
        """The model is silent: send what waits for its chunk to be filled."""
        for frame in framer.flush():
            if (message := socket_message(turn_id, frame)) and self.ws_connection is not None:
                self.write_message(to_bytes(message).decode())

    async def _say(self, value: dict[str, Any]) -> None:
        try:
            await self.write_message(to_bytes(dumps(value)).decode())
        except WebSocketClosedError:
            return

    async def _refuse(self, error: Exception) -> None:
        await self._say(encode_error(error))
        if code := status_of(error).close:
            self.close(code, "the server cannot work now")

    def on_close(self) -> None:
        """Leave every turn; each is joined before it is left."""
        self._pulse.cancel()
        for task in self._tasks:
            self._loop.call_soon(task.cancel)
