r"""Server-sent events: a turn's frames over one HTTP response.

Without options the body is exactly the answer:

    retry: 2000
    id: turn_01k…:2
    data: {"chunk": "Quantum"}

    id: turn_01k…:3
    data: {"chunk": " computing"}

    id: turn_01k…:5
    data: [DONE]

`?debug=true` and `?events=…` show more (see `wire/framer.py`). The last frame is `data: [DONE]` or `event: error`; a body that
ends without either was cut, and `GET ?turn_id=…` with `Last-Event-ID` (or `?last_event_id=…`) goes on where it stopped: every event once. After
the last frame there is nothing to go on with: 204, which also ends the retries of a browser's `EventSource`.

`POST` sends its headers with the first frame or the first heartbeat, so that a failure before is an HTTP status. `GET` sends them at
once, with a block that carries an `id` and no data: whoever is cut before the first frame resumes the turn too.
"""

import asyncio
from collections.abc import Sequence

from tornado.iostream import StreamClosedError

from hector_nb.errors import InvalidRequest
from hector_nb.events import LoggedEvent
from hector_nb.service import AgentInfo, SendMessage, SessionService, TurnStream, failure
from hector_nb.transports.bodies import read_events, read_flag
from hector_nb.transports.handlers import RestHandler, check_session_id, guarded
from hector_nb.transports.reader import Silence, is_lost, is_over, make_framer, open_at, read_whole
from hector_nb.transports.rest import start_turn
from hector_nb.wire.framer import Framer
from hector_nb.wire.frames import Chunk, Cursor, Failed, Frame, View, sse_blocks

TYPE = "text/event-stream; charset=utf-8"
_HEARTBEAT = b": ping\n\n"


class StreamHandler(RestHandler):
    """What both stream paths share."""

    async def start(self, agent: str, session_id: str | None) -> None:
        """`POST`: start a turn and send its frames."""
        service = await self.service()
        info = await service.get_agent(agent)
        view = self._view(info)
        stream = await start_turn(self, service, agent, session_id)
        await self._relay(stream, info, make_framer(view, info), None)

    async def open(self, agent: str, session_id: str | None) -> None:
        """`GET`: start a turn, join one, or go on in one."""
        service = await self.service()
        info = await service.get_agent(agent)
        if session_id is not None:
            await service.get_session(agent, session_id)
        view = self._view(info)
        cursor = self._cursor()
        if cursor is not None:
            await self._resume(service, info, view, session_id, cursor)
            return
        message = self.query("message")
        if message is None:
            raise InvalidRequest(
                "`message` or `turn_id` is missing.",
                hint="?message=… starts a turn, ?turn_id=turn_… joins one that exists.",
            )
        stream = await service.stream_message(agent, SendMessage(message=message, session_id=session_id))
        await self._relay(stream, info, make_framer(view, info), Cursor(turn_id=stream.turn_id))

    def _view(self, info: AgentInfo) -> View:
        return View.choose(
            info.reasoning, events=read_events(self.query("events")), debug=read_flag("debug", self.query("debug"))
        )

    def _cursor(self) -> Cursor | None:
        """Where to go on: the id of the last event, or the beginning of `?turn_id=`."""
        turn_id = self.query("turn_id")
        asked = (self.query("last_event_id") or "").replace(" ", "+")  # a plus sign in a query means a space
        last = asked or self.request.headers.get("Last-Event-ID")
        if not last:
            return Cursor.parse(f"{turn_id}:0") if turn_id is not None else None
        cursor = Cursor.parse(last)
        if turn_id not in {None, cursor.turn_id}:
            raise InvalidRequest("The id of the last event belongs to another turn than `turn_id`.")
        return cursor

    async def _resume(
        self, service: SessionService, info: AgentInfo, view: View, session_id: str | None, cursor: Cursor
    ) -> None:
        stream = await open_at(service, info, view, session_id, cursor)
        if is_over(stream, cursor):
            async with stream:
                self.set_status(204)
                self.finish()
        elif is_lost(stream, cursor):
            async with stream:
                frames = await read_whole(service, info, view, cursor.turn_id)
                self.begin(stream)
                self.write(sse_blocks(cursor.turn_id, frames))
                self.finish(set_content_type=TYPE)
        else:
            await self._relay(stream, info, make_framer(view, info, cursor), cursor)

    def begin(self, stream: TurnStream) -> None:
        """Set the headers of a stream and write what comes before its first frame."""
        self.set_header("Content-Type", TYPE)
        self.set_header("Cache-Control", "no-cache, no-transform")
        self.set_header("X-Accel-Buffering", "no")
        self.set_header("Hector-Session-Id", stream.session_id)
        self.set_header("Hector-Turn-Id", stream.turn_id)
        self.write("retry: 2000\n")

    async def _relay(self, stream: TurnStream, info: AgentInfo, framer: Framer, opening: Cursor | None) -> None:
        await self.while_connected(_Relay(self, stream, info, framer).run(opening))


class SessionStreamHandler(StreamHandler):
    """`/agents/{agent}/sessions/{id}/messages/stream`."""

    @guarded("execute")
    async def post(self, agent: str, session_id: str) -> None:
        """Send a message and stream the answer."""
        await self.start(agent, check_session_id(session_id))

    @guarded("execute")
    async def get(self, agent: str, session_id: str) -> None:
        """The same for `EventSource`, which can only GET; and joining and resuming."""
        await self.open(agent, check_session_id(session_id))


class OneOffStreamHandler(StreamHandler):
    """`/agents/{agent}/messages/stream`."""

    @guarded("execute")
    async def post(self, agent: str) -> None:
        """Ask once and stream the answer."""
        await self.start(agent, None)

    @guarded("execute")
    async def get(self, agent: str) -> None:
        """The same for `EventSource`, which can only GET; and joining and resuming."""
        await self.open(agent, None)


class _Relay:
    """Sends one turn's frames to one client."""

    def __init__(self, handler: StreamHandler, stream: TurnStream, info: AgentInfo, framer: Framer) -> None:
        self._handler = handler
        self._stream = stream
        self._framer = framer
        self._delay = info.streaming.delay_ms / 1000
        self._silence = Silence(info.streaming.heartbeat, self._beat)
        self._begun = False
        self._writing = False

    async def run(self, opening: Cursor | None) -> None:
        """From the first frame to the last, or until the turn's log ends without one."""
        try:
            async with self._stream:
                with self._silence:
                    if opening is not None:
                        await self._write(f"id: {opening}\n\n".encode())
                    while not self._framer.finished and (events := await self._stream.read()):
                        await self._send(events)
        except StreamClosedError:
            return
        self._begin()
        self._handler.finish(set_content_type=TYPE)

    async def _send(self, events: Sequence[LoggedEvent]) -> None:
        frames = self._framer.feed(events)
        if not frames:
            return
        if not self._begun and isinstance(frames[0], Failed):
            raise failure(frames[0].event)
        if not self._delay:
            await self._write(sse_blocks(self._stream.turn_id, frames))
            return
        for frame in frames:
            await self._write(sse_blocks(self._stream.turn_id, [frame]))
            if isinstance(frame, Chunk):
                await asyncio.sleep(self._delay)

    def _begin(self) -> None:
        """Send the headers with what is written first."""
        if not self._begun:
            self._begun = True
            self._handler.begin(self._stream)

    async def _write(self, data: bytes) -> None:
        self._begin()
        self._silence.broken()
        self._handler.write(data)
        self._writing = True
        await self._handler.flush()
        self._writing = False

    def _beat(self) -> None:
        """Nothing was sent for a while: let go what waits for its chunk to be filled, or send a comment."""
        if self._writing or self._handler.gone:
            return
        self._begin()
        held: list[Frame] = self._framer.flush()
        self._handler.write(sse_blocks(self._stream.turn_id, held) if held else _HEARTBEAT)
        self._handler.flush()
