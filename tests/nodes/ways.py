"""The ways to stream a turn from a node, each with the same few words: begin, resume, cancel, approve."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import aiohttp
import grpc

from hector_nb.client.address import Address
from hector_nb.client.connection import Connection
from hector_nb.client.sessions import RemoteSessions
from hector_nb.events import LoggedEvent, TextDelta, TurnDone, TurnFailed, TurnReset
from hector_nb.service import SendMessage, SessionService, TurnStream
from tests.proof.lines import Line, received
from tests.proof.serving import WITHIN
from tests.runtime.grpc_client import GrpcSessions


class Node(Protocol):
    """Where a node is, or whatever stands before it."""

    base: str
    grpc_port: int


class Reading:
    """What a reader of one turn has: `text`, how it ended (`done`, or the code of an error; `` if it did not), and the last id.

    Ids must grow; a reset replaces the text.
    """

    def __init__(self, earlier: "Reading | None" = None) -> None:
        self.text: str = earlier.text if earlier else ""
        self.last_id: str = earlier.last_id if earlier else ""
        self.resets: int = earlier.resets if earlier else 0
        self.end = ""

    @classmethod
    def of(cls, turn_id: str) -> "Reading":
        """Nothing yet of a turn."""
        reading = cls()
        reading.last_id = f"{turn_id}:0"
        return reading

    @property
    def turn_id(self) -> str:
        """Of the turn that is read."""
        return self.last_id.partition(":")[0]

    async def until(self, text: str) -> "Reading":
        """Read until this has been said."""
        async with asyncio.timeout(WITHIN):
            while text not in self.text:
                assert await self.step(), f"the line ended after {self.text!r}"
        return self

    async def rest(self) -> "Reading":
        """Read to the end of the turn, or of the line."""
        async with asyncio.timeout(WITHIN):
            while not self.end and await self.step():
                pass
        return self

    async def step(self) -> bool:
        """Take what comes next; False at the end of the line."""
        raise AssertionError

    async def leave(self) -> None:
        """Go away."""

    def take(self, last_id: str, *, text: str = "", reset: str | None = None, end: str = "") -> None:
        """One more frame."""
        assert not self.end, (self.end, last_id, text)
        if last_id:
            assert not self.last_id or place(last_id) > place(self.last_id), (last_id, self.last_id)
            assert self.turn_id in {"", last_id.partition(":")[0]}
            self.last_id = last_id
        self.resets += reset is not None
        self.text = (self.text if reset is None else reset) + text
        self.end = end


class Way(Protocol):
    """A transport; `session_id` is that of a session with `agent`."""

    async def begin(self, node: Node, agent: str, session_id: str, message: str) -> Reading:
        """Send a message, and read the answer."""
        ...

    async def resume(self, node: Node, agent: str, session_id: str, earlier: Reading) -> Reading:
        """Go on reading where an earlier reading ended."""
        ...

    async def cancel(self, node: Node, agent: str, session_id: str) -> None:
        """Stop what runs."""
        ...

    async def approve(self, node: Node, agent: str, session_id: str, call_id: str) -> None:
        """Let a tool be called."""
        ...


class SseReading(Reading):
    """Server-sent events, as `EventSource` gets them."""

    def __init__(self, line: Line, earlier: Reading | None = None) -> None:
        super().__init__(earlier)
        self.line = line

    async def step(self) -> bool:
        event = await self.line.next()
        if event is None:
            return False
        if event.name == "reset":
            self.take(event.id, reset=json.loads(event.data)["text"])
        elif event.name == "error":
            self.take(event.id, end=json.loads(event.data)["error"]["code"])
        elif event.data == "[DONE]":
            self.take(event.id, end="done")
        else:
            self.take(event.id, text=json.loads(event.data)["chunk"])
        return True

    async def leave(self) -> None:
        self.line.leave()


class Sse:
    """REST and server-sent events."""

    def __init__(self, http: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self._http = http
        self._stack = stack

    async def begin(self, node: Node, agent: str, session_id: str, message: str) -> Reading:
        return SseReading(await self._open(node, "POST", agent, session_id, json={"message": message}))

    async def resume(self, node: Node, agent: str, session_id: str, earlier: Reading) -> Reading:
        last = {"params": {"turn_id": earlier.turn_id}, "headers": {"Last-Event-ID": earlier.last_id}}
        return SseReading(await self._open(node, "GET", agent, session_id, **last), earlier)

    async def cancel(self, node: Node, agent: str, session_id: str) -> None:
        await self._post(node, f"/agents/{agent}/sessions/{session_id}/cancel")

    async def approve(self, node: Node, agent: str, session_id: str, call_id: str) -> None:
        await self._post(node, f"/agents/{agent}/sessions/{session_id}/approvals/{call_id}", {"decision": "approve"})

    async def _open(self, node: Node, verb: str, agent: str, session_id: str, **more: Any) -> Line:
        url = f"{node.base}/agents/{agent}/sessions/{session_id}/messages/stream"
        async with asyncio.timeout(WITHIN):
            response = await self._stack.enter_async_context(self._http.request(verb, url, **more))
        assert response.status == 200, await response.text()
        return Line(response)

    async def _post(self, node: Node, path: str, body: Any = None) -> None:
        async with asyncio.timeout(WITHIN), self._http.post(node.base + path, json=body) as response:
            assert response.status == 200, await response.text()


class SocketReading(Reading):
    """The frames of one turn on a WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, earlier: Reading | None = None) -> None:
        super().__init__(earlier)
        self.socket = socket

    async def step(self) -> bool:
        message = await received(self.socket)
        if message.type is not aiohttp.WSMsgType.TEXT:
            return False
        frame = json.loads(message.data)
        match frame:
            case {"chunk": text, "id": last_id}:
                self.take(last_id, text=text)
            case {"event": "reset", "id": last_id, "text": text}:
                self.take(last_id, reset=text)
            case {"done": True, "id": last_id}:
                self.take(last_id, end="done")
            case {"error": error}:
                self.take(frame.get("id", ""), end=error["code"])
            case _:
                assert frame.get("event") == "session", frame
        return True

    async def leave(self) -> None:
        await self.socket.close()


class Socket:
    """WebSocket, a connection for each reading."""

    def __init__(self, http: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self._http = http
        self._stack = stack

    async def begin(self, node: Node, agent: str, session_id: str, message: str) -> Reading:
        return SocketReading(await self._say(node, agent, session_id, {"message": message}))

    async def resume(self, node: Node, agent: str, session_id: str, earlier: Reading) -> Reading:
        return SocketReading(await self._say(node, agent, session_id, {"resume": earlier.last_id}), earlier)

    async def cancel(self, node: Node, agent: str, session_id: str) -> None:
        await self._say(node, agent, session_id, {"cancel": True})

    async def approve(self, node: Node, agent: str, session_id: str, call_id: str) -> None:
        await self._say(node, agent, session_id, {"approve": call_id})

    async def _say(self, node: Node, agent: str, session_id: str, said: Any) -> aiohttp.ClientWebSocketResponse:
        url = f"{node.base}/agents/{agent}/stream?session_id={session_id}"
        async with asyncio.timeout(WITHIN):
            socket = await self._stack.enter_async_context(self._http.ws_connect(url))
            await socket.send_json(said)
        return socket


class LogReading(Reading):
    """A `TurnStream`."""

    def __init__(self, stream: TurnStream, stack: AsyncExitStack, earlier: Reading | None = None) -> None:
        super().__init__(earlier)
        self.stream = stream
        self._stack = stack
        self._events: list[LoggedEvent] = []

    async def step(self) -> bool:
        self._events = self._events or list(await self.stream.read())
        if not self._events:
            return False
        seq, event = self._events.pop(0)
        last_id = f"{self.stream.turn_id}:{seq}"
        match event:
            case TextDelta(text=text):
                self.take(last_id, text=text)
            case TurnReset(text=text):
                self.take(last_id, reset=text)
            case TurnDone():
                self.take(last_id, end="done")
            case TurnFailed(code=code):
                self.take(last_id, end=code)
            case _:
                self.take(last_id)
        return True

    async def leave(self) -> None:
        await self._stack.aclose()


class Service:
    """Any client that is a `SessionService`."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    def at(self, node: Node) -> SessionService:
        """The client of one node; a new connection each time."""
        connection = Connection(Address.parse(node.base))
        self._stack.push_async_callback(connection.aclose)
        return RemoteSessions(connection)

    async def begin(self, node: Node, agent: str, session_id: str, message: str) -> Reading:
        request = SendMessage(message=message, session_id=session_id)
        return await self._read(await self.at(node).stream_message(agent, request))

    async def resume(self, node: Node, agent: str, session_id: str, earlier: Reading) -> Reading:
        after = place(earlier.last_id)[0]
        stream = await self.at(node).follow_turn(agent, earlier.turn_id, session_id=session_id, after=after)
        return await self._read(stream, earlier)

    async def _read(self, stream: TurnStream, earlier: Reading | None = None) -> Reading:
        stack = AsyncExitStack()
        await stack.enter_async_context(stream)
        self._stack.push_async_callback(stack.aclose)
        return LogReading(stream, stack, earlier)

    async def cancel(self, node: Node, agent: str, session_id: str) -> None:
        await self.at(node).cancel_turn(agent, session_id)

    async def approve(self, node: Node, agent: str, session_id: str, call_id: str) -> None:
        await self.at(node).decide_approval(agent, session_id, call_id, "approve")


class Grpc(Service):
    """gRPC."""

    def at(self, node: Node) -> SessionService:
        """See `Service`; channels of one process would share their connections."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{node.grpc_port}", options=options)
        self._stack.push_async_callback(channel.close)
        return GrpcSessions(channel, "anybody", super().at(node))


@asynccontextmanager
async def all_ways(http: aiohttp.ClientSession) -> AsyncIterator[dict[str, Way]]:
    """Every transport, by its name."""
    async with AsyncExitStack() as stack:
        yield {"sse": Sse(http, stack), "websocket": Socket(http, stack), "remote": Service(stack), "grpc": Grpc(stack)}


WAYS = ["sse", "websocket", "remote", "grpc"]


def place(last_id: str) -> tuple[int, int]:
    """Sequence number and offset of an id."""
    seq, _, offset = last_id.partition(":")[2].partition("+")
    return int(seq), int(offset or 0)


__all__ = ["WAYS", "Node", "Reading", "Way", "all_ways", "place"]
