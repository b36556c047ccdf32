r"""Server-sent events: a turn's frames over one HTTP response.

Without options the body is exactly the answer:

    retry: 2000
    id: turn_06c…:2
    data: {"chunk": "Quantum"}

    id: turn_06c…:3
    data: {"chunk": " computing"}

    id: turn_06c…:5
    data: [DONE]

`?debug=true` and `?events=…` show more (see `wire/framer.py`). The last frame is `data: [DONE]` or `event: error`; a body that
ends without either was cut, and `GET ?turn_id=…` with `Last-Event-ID` (or `?last_event_id=…`) goes on where it stopped: every event once. After
the last frame there is nothing to go on with: 204, which also ends the retries of a browser's `EventSource`. Where the events
after an id are gone, `event: reset` brings the text that replaces what the reader has of that turn.

`GET` with neither `message` nor `turn_id` follows the session: the running turn from its beginning, then every later one, whoever
starts it, each with its last frame; with `Last-Event-ID`, all that came after it. Then 204 means that the session is over.

`POST` sends its headers with the first frame or the first heartbeat, so that a failure before is an HTTP status. `GET` sends them at
once, with a block that carries an `id` and no data: whoever is cut before the first frame resumes the turn too. So does `POST` with
`?events=log`, which gives programs the turn's log as it is (see `wire/log_framer.py`).
"""

import asyncio
from collections.abc import Awaitable, Sequence

from tornado.iostream import StreamClosedError

from hector_nb.errors import HectorError, InvalidRequest
from hector_nb.events import LoggedEvent
from hector_nb.service import AgentInfo, SendMessage, TurnStream, failure
from hector_nb.transports.bodies import read_events, read_flag
from hector_nb.transports.handlers import RestHandler, check_session_id, guarded
from hector_nb.transports.reader import Following, Reader, Silence, cursor_at, is_over
from hector_nb.transports.rest import start_turn
from hector_nb.wire.framer import Framer
from hector_nb.wire.frames import LOG, Chunk, Cursor, Failed, Frame, View, has_text, sse_blocks
from hector_nb.wire.log_framer import LogFramer

TYPE = "text/event-stream; charset=utf-8"
_HEARTBEAT = b": ping\n\n"


class StreamHandler(RestHandler):
    """What both stream paths share."""

    transport = "sse"

    async def start(self, agent: str, session_id: str | None) -> None:
        """`POST`: start a turn and send its frames."""
        reader = await self._reader(agent)
        stream = await start_turn(self, reader.service, agent, session_id)
        line = _Line(self, reader.info)
        at_once = str(Cursor(turn_id=stream.turn_id)) if reader.view.events == LOG else None
        await self.while_connected(line.run(line.turn(stream, reader.framer(), position=at_once)))

    async def open(self, agent: str, session_id: str | None) -> None:
        """`GET`: start a turn, join one, go on in one, or follow the session."""
        reader = await self._reader(agent)
        message, turn_id, last = self.query("message"), self.query("turn_id"), self._last_event_id()
        if message is not None and turn_id is not None:
            raise InvalidRequest("`message` starts a turn, `turn_id` joins one: give one of them.")
        if message is None and turn_id is None and session_id is not None:
            await self._follow(reader, session_id, last)
        elif last is not None or turn_id is not None:
            await self._resume(reader, session_id, cursor_at(turn_id, last))
        elif message is not None:
            await self._start(reader, session_id, message)
        else:
            raise InvalidRequest(
                "`message` or `turn_id` is missing.",
                hint="?message=… starts a turn, ?turn_id=turn_… joins one that exists.",
            )

    async def _reader(self, agent: str) -> Reader:
        service = await self.service()
        info = await service.get_agent(agent)
        events, debug = read_events(self.query("events")), read_flag("debug", self.query("debug"))
        return Reader(service=service, info=info, view=View.choose(info.reasoning, events=events, debug=debug))

    def _last_event_id(self) -> str | None:
        """The header is newer than the query, which an `EventSource` repeats at every attempt."""
        asked = (self.query("last_event_id") or "").replace(" ", "+")  # a plus sign in a query means a space
        return self.request.headers.get("Last-Event-ID") or asked or None

    async def _start(self, reader: Reader, session_id: str | None, message: str) -> None:
        request = SendMessage(message=message, session_id=session_id, idempotency_key=self.idempotency_key)
        stream = await reader.service.stream_message(reader.info.name, request)
        await self._relay(reader, stream, Cursor(turn_id=stream.turn_id))

    async def _resume(self, reader: Reader, session_id: str | None, cursor: Cursor) -> None:
        stream = await reader.resume(cursor, session_id)
        if cursor.seq:
            self.engine.telemetry.resumed("sse")
        if is_over(stream, cursor):
            async with stream:
                self.name_turn(stream)
                self._say_nothing_is_left()
        else:
            await self._relay(reader, stream, cursor)

    async def _follow(self, reader: Reader, session_id: str, last: str | None) -> None:
        following = await reader.follow(session_id, last)
        if last is not None:
            self.engine.telemetry.resumed("sse")
        if following is None:
            self._say_nothing_is_left()
        else:
            self.set_header("Hector-Session-Id", session_id)
            line = _Line(self, reader.info)
            await self.while_connected(line.run(line.session(following, reader)))

    async def _relay(self, reader: Reader, stream: TurnStream, cursor: Cursor) -> None:
        line = _Line(self, reader.info)
        await self.while_connected(line.run(line.turn(stream, reader.framer(cursor), position=str(cursor))))

    def name_turn(self, stream: TurnStream) -> None:
        """Tell which turn this is, and where it ends if that is known."""
        self.set_header("Hector-Session-Id", stream.session_id)
        self.set_header("Hector-Turn-Id", stream.turn_id)
        if stream.last_seq is not None:
            self.set_header("Hector-Last-Event-Id", str(Cursor(turn_id=stream.turn_id, seq=stream.last_seq)))

    def _say_nothing_is_left(self) -> None:
        self.set_status(204)
        self.finish()


class SessionStreamHandler(StreamHandler):
    """`/agents/{agent}/sessions/{id}/messages/stream`."""

    @guarded("execute")
    async def post(self, agent: str, session_id: str) -> None:
        """Send a message and stream the answer."""
        await self.start(agent, check_session_id(session_id))

    @guarded("execute")
    async def get(self, agent: str, session_id: str) -> None:
        """The same for `EventSource`, which can only GET; and joining, resuming and following."""
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


class _Line:
    """One response: the frames of one turn or of many, and signs of life in silence."""

    def __init__(self, handler: StreamHandler, info: AgentInfo) -> None:
        self._handler = handler
        self._delay = info.streaming.delay_ms / 1000
        self._silence = Silence(info.streaming.heartbeat, self._beat)
        self._turn_id = ""
        self._framer: Framer | LogFramer = Framer(View())
        self._begun = False
        self._writing = False
        self._pacing = False
        self._telemetry = handler.engine.telemetry
        self._delivered = False

    async def run(self, sending: Awaitable[None]) -> None:
        """Send something, then end the response. What fails after the first byte cuts it off, so that the client resumes."""
        try:
            with self._silence, self._telemetry.reading("sse"):
                await sending
        except StreamClosedError:
            return
        except HectorError as error:
            if not self._begun:
                raise
            self._handler.log.warning("A stream was cut: %s", error.message)
        self._begin()
        self._handler.finish(set_content_type=TYPE)

    async def turn(self, stream: TurnStream, framer: Framer | LogFramer, *, position: str | None = None) -> None:
        """One turn, and nothing else."""
        self._handler.name_turn(stream)
        async with stream:
            await self._open(position)
            await self._relay(stream, framer)

    async def session(self, following: Following, reader: Reader) -> None:
        """What is left of one turn, then every later turn, until the session is over."""
        if following.rest is None:
            await self._open(following.position)
        else:
            async with following.rest:
                await self._open(following.position)
                await self._relay(following.rest, reader.framer(following.cursor))
        while following.feed and (stream := await following.feed.next_turn()):
            async with stream:
                await self._relay(stream, reader.framer())

    async def _open(self, position: str | None) -> None:
        if position is not None:
            await self._write(f"id: {position}\n\n".encode())

    async def _relay(self, stream: TurnStream, framer: Framer | LogFramer) -> None:
        """A turn's frames to its last, or until its log ends without one."""
        self._turn_id, self._framer, self._delivered = stream.turn_id, framer, False
        try:
            while not framer.finished and (events := await stream.read()):
                await self._send(events)
        finally:
            if framer.joined:
                self._telemetry.joined(framer.joined, "sse")

    async def _send(self, events: Sequence[LoggedEvent]) -> None:
        frames = self._framer.feed(events)
        if not frames:
            return
        if not self._begun and isinstance(frames[0], Failed):
            raise failure(frames[0].event)
        if not self._delivered and any(map(has_text, frames)):
            self._delivered = True
            self._telemetry.delivered(self._turn_id, "sse")
        if not self._delay:
            await self._write(sse_blocks(self._turn_id, frames))
            return
        self._pacing = True
        for frame in frames:
            await self._write(sse_blocks(self._turn_id, [frame]))
            if isinstance(frame, Chunk):
                await asyncio.sleep(self._delay)
        self._pacing = False

    def _begin(self) -> None:
        """Send the headers with what is written first."""
        if not self._begun:
            self._begun = True
            self._handler.set_header("Content-Type", TYPE)
            self._handler.set_header("Cache-Control", "no-cache, no-transform")
            self._handler.set_header("X-Accel-Buffering", "no")
            self._handler.set_header("Hector-Heartbeat", f"{self._silence.seconds:g}")
            self._handler.write("retry: 2000\n")

    async def _write(self, data: bytes) -> None:
        self._begin()
        self._silence.broken()
        self._handler.write(data)
        self._writing = True
        await self._handler.flush()
        self._writing = False

    def _beat(self) -> None:
        """Nothing was sent for a while: let go what waits for its chunk to be filled, behind all that goes before it, or send a comment."""
        if self._writing or self._handler.gone:
            return
        self._begin()
        held: list[Frame] = [] if self._pacing else self._framer.flush()
        self._handler.write(sse_blocks(self._turn_id, held) if held else _HEARTBEAT)
        self._handler.flush()
