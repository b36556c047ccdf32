"""WebSocket: many turns over one connection, at `/agents/{agent}/stream`.

The client says `{"message": "…"}`, `{"cancel": true}`, `{"approve": "call_…"}`, `{"deny": "call_…"}`, `{"resume": "turn_…:3"}` or
`{"follow": true}`, each with a `session_id` if it means another session than the connection's own (`?session_id=`, or one that is
made for it and stored with its first message). The server says first
`{"event": "session", "session_id": …}`, then `{"chunk": …, "id": …}` and, with `?events=`, `{"event": …, "id": …, …}`; each turn ends with one
`{"done": true, …}` or `{"error": {…}, "id": …}`. What the client does wrong is answered with `{"error": {…}}` and does not close the socket.
A follower gets the session's running turn from its beginning and every later one (or, with `{"follow": "turn_…:3"}`, what came after
that id); the turns that it starts itself come once.

Closing is leaving. The server closes with 1001 when it stops, 1009 after a frame over 8 MiB, 1013 where it cannot work.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar
from weakref import WeakSet

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from hector_nb.approvals import Decision
from hector_nb.errors import HectorError, InvalidRequest, MalformedRequest, SessionEnded
from hector_nb.futures import disregard_failure
from hector_nb.ids import new_id
from hector_nb.service import SendMessage, TurnStream
from hector_nb.transports.bodies import MAX_BODY_BYTES, SocketMessage, read_events, read_flag, read_json
from hector_nb.transports.handlers import HectorMixin, check_session_id, guarded
from hector_nb.transports.reader import Following, Reader, Silence, is_over
from hector_nb.wire.codec import dumps, to_bytes
from hector_nb.wire.framer import Framer
from hector_nb.wire.frames import Chunk, Cursor, Frame, View, socket_message
from hector_nb.wire.log_framer import LogFramer
from hector_nb.wire.status import encode_error, status_of

_DEAF_AFTER = 30.0
"""Seconds without an answer to any ping after which a client counts as gone, at least."""
_GOING_AWAY, _TOO_BIG = 1001, 1009
_SOCKETS = "hector_nb_sockets"
"""The key of the application's settings under which the open connections are found."""


class AgentSocket(HectorMixin, ExtensionHandlerMixin, WebSocketHandler, JupyterHandler):
    """One connection."""

    transport = "websocket"
    limit: ClassVar[int] = MAX_BODY_BYTES
    """Bytes of one frame; a larger one closes the connection."""

    def initialize(self, name: str, *args: Any, **settings: Any) -> None:
        """Start with nothing to stop: a client may leave before the upgrade."""
        super().initialize(name, *args, **settings)
        self._pulse: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def prepare(self, **settings: Any) -> None:
        """Authenticate without sending anybody to a login page, and refuse foreign pages, before the upgrade."""
        await super().prepare(_redirect_to_login=False, **settings)
        self.check_origin()

    @guarded("execute", authenticated=ws_authenticated)
    async def get(self, agent: str) -> None:
        """Check all that can be checked before the upgrade, then upgrade."""
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise web.HTTPError(426, "This path is for WebSockets; POST …/messages/stream streams over HTTP.")
        service = await self.service()
        info = await service.get_agent(agent)
        events = read_events(self.get_query_argument("events", None))
        debug = read_flag("debug", self.get_query_argument("debug", None))
        self._reader = Reader(service=service, info=info, view=View.choose(info.reasoning, events=events, debug=debug))
        chosen = self.get_query_argument("session_id", None)
        if chosen is not None:
            await service.get_session(agent, check_session_id(chosen))
        self._session_id = chosen or new_id("sess")
        self._stored = chosen is not None
        self._own: set[str] = set()
        self._followed: set[str] = set()
        self._starting = asyncio.Lock()
        await super().get(agent)

    @property
    def ping_interval(self) -> None:
        """None: tornado's own pings would drop a client that does not answer at once."""

    @property
    def max_message_size(self) -> int:
        """What tornado cuts off without a word is larger than what is refused by `on_message`."""
        return 2 * self.limit

    def set_default_headers(self) -> None:
        """None: they mean nothing on an upgrade."""

    async def open(self, *_: str) -> None:
        """Name the session."""
        self.settings.setdefault(_SOCKETS, WeakSet()).add(self)
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._pulse = self._loop.call_later(self._reader.info.streaming.heartbeat, self._ping)
        await self._say({"event": "session", "session_id": self._session_id})

    @property
    def _is_open(self) -> bool:
        """Whether anything can be sent; a line breaks some time before `on_close`."""
        return self.ws_connection is not None and not self.ws_connection.is_closing()

    def _ping(self) -> None:
        """Keep the line open, and close it when nothing is heard any more."""
        every = self._reader.info.streaming.heartbeat
        if self._loop.time() - self._heard > max(3 * every, _DEAF_AFTER):
            self.close()
        elif self._is_open:
            self.ping()
            self._pulse = self._loop.call_later(every, self._ping)

    def on_pong(self, _: bytes) -> None:
        """The client is there."""
        self._heard = self._loop.time()

    async def on_message(self, message: str | bytes) -> None:
        """Do what the client says; messages are taken in their order."""
        self._heard = self._loop.time()
        self.arrive()
        raw = to_bytes(message) if isinstance(message, str) else message
        if len(raw) > self.limit:
            self.close(_TOO_BIG, "the frame is too large")
            return
        try:
            if isinstance(message, bytes):
                raise MalformedRequest("A message must be text.")
            await self._act(read_json(raw, SocketMessage))
        except HectorError as error:
            await self._refuse(error)
        except Exception as error:
            self.log.exception("A WebSocket message failed for a reason that is ours")
            await self._refuse(error)

    async def _act(self, said: SocketMessage) -> None:
        if [said.message, said.cancel, said.approve, said.deny, said.resume, said.follow].count(None) != 5:
            raise InvalidRequest(
                "Say one of `message`, `cancel`, `approve`, `deny`, `resume` and `follow`.",
                hint='For example {"message": "Hello"}.',
            )
        session_id = said.session_id or self._session_id
        is_stored = self._stored or said.session_id is not None
        if said.message is not None:
            await self._send_message(said, said.message, session_id, is_stored=is_stored)
        elif said.resume is not None:
            await self._resume(Cursor.parse(said.resume))
        elif said.follow is not None:
            if not is_stored:
                await self._store_session()
            await self._follow(session_id, None if said.follow is True else said.follow)
        elif said.approve is not None:
            await self._decide(session_id, said.approve, "approve")
        elif said.deny is not None:
            await self._decide(session_id, said.deny, "deny")
        elif is_stored:
            await self._reader.service.cancel_turn(self._reader.info.name, session_id)

    async def _decide(self, session_id: str, call_id: str, decision: Decision) -> None:
        """Pass on a person's word; what becomes of it comes as events of the turn."""
        await self._reader.service.decide_approval(self._reader.info.name, session_id, call_id, decision)

    async def _store_session(self) -> None:
        """The connection's own session, once there is a reason to keep it."""
        await self._reader.service.create_session(self._reader.info.name, session_id=self._session_id)
        self._stored = True

    async def _send_message(self, said: SocketMessage, text: str, session_id: str, *, is_stored: bool) -> None:
        if not is_stored:
            await self._store_session()
        request = SendMessage(
            message=text, session_id=session_id, if_busy=said.if_busy, idempotency_key=said.idempotency_key
        )
        async with self._starting:
            stream = await self._reader.service.stream_message(self._reader.info.name, request)
            self._own.add(stream.turn_id)
        self._start(self._relay(stream, self._reader.framer()))

    async def _resume(self, cursor: Cursor) -> None:
        stream = await self._reader.resume(cursor)
        self.engine.telemetry.resumed("websocket")
        if is_over(stream, cursor):
            async with stream:
                raise InvalidRequest("This turn is over, and you have its last frame.")
        self._start(self._relay(stream, self._reader.framer(cursor)))

    async def _follow(self, session_id: str, last: str | None) -> None:
        if session_id in self._followed:
            raise InvalidRequest("This connection follows the session already.")
        following = await self._reader.follow(session_id, last)
        if last is not None:
            self.engine.telemetry.resumed("websocket")
        if following is None:
            raise SessionEnded("This session is over, and you have its last frame.")
        self._followed.add(session_id)
        self._start(self._relay_session(session_id, following))

    def _start(self, relay: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(relay)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self.ws_connection is None:
            self.on_close()

    async def _relay(self, stream: TurnStream, framer: Framer | LogFramer) -> None:
        """Send one turn's frames."""
        try:
            async with stream:
                await self._relay_frames(stream, framer)
        except WebSocketClosedError:
            return
        except HectorError as error:
            await self._refuse(error)

    async def _relay_session(self, session_id: str, following: Following) -> None:
        """Send what is left of a turn, then every later turn that this connection does not get already."""
        try:
            if following.rest is not None:
                async with following.rest:
                    await self._relay_frames(following.rest, self._reader.framer(following.cursor))
            while following.feed and (stream := await following.feed.next_turn()):
                async with stream:
                    if not await self._is_own(stream.turn_id):
                        await self._relay_frames(stream, self._reader.framer())
        except WebSocketClosedError:
            return
        except HectorError as error:
            await self._refuse(error)
        finally:
            self._followed.discard(session_id)

    async def _is_own(self, turn_id: str) -> bool:
        """Whether this connection started the turn; one that is being started is waited for."""
        async with self._starting:
            return turn_id in self._own

    async def _relay_frames(self, stream: TurnStream, framer: Framer | LogFramer) -> None:
        telemetry, delivered = self.engine.telemetry, False
        silence = Silence(self._reader.info.streaming.heartbeat, lambda: self._let_go(stream.turn_id, framer))
        try:
            with silence, telemetry.reading("websocket"):
                while not framer.finished and (events := await stream.read()):
                    silence.broken()
                    frames = framer.feed(events)
                    if not delivered and any(isinstance(frame, Chunk) for frame in frames):
                        delivered = True
                        telemetry.delivered(stream.turn_id, "websocket")
                    await self._send(stream.turn_id, frames)
        finally:
            if framer.joined:
                telemetry.joined(framer.joined, "websocket")

    async def _send(self, turn_id: str, frames: list[Frame]) -> None:
        delay = self._reader.info.streaming.delay_ms / 1000
        for frame in frames:
            message = socket_message(turn_id, frame)
            if message is not None:
                await self.write_message(to_bytes(message).decode())
            if delay and isinstance(frame, Chunk):
                await asyncio.sleep(delay)

    def _let_go(self, turn_id: str, framer: Framer | LogFramer) -> None:
        """The model is silent: send what waits for its chunk to be filled."""
        for frame in framer.flush():
            if (message := socket_message(turn_id, frame)) and self._is_open:
                # What cannot be sent is known already: the line has broken, or the server stops.
                self.write_message(to_bytes(message).decode()).add_done_callback(disregard_failure)

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
        if self._pulse is not None:
            self._pulse.cancel()
        for task in self._tasks:
            self._loop.call_soon(task.cancel)


def close_sockets(settings: dict[str, Any]) -> None:
    """Tell everybody who is connected to this application that the server stops."""
    for socket in list(settings.get(_SOCKETS, ())):
        socket.close(_GOING_AWAY, "the server stops")
