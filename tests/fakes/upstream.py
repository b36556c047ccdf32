"""A fake provider that speaks the OpenAI protocol, as programmable as a test needs.

In a test: each request is answered by the next of the programmed behaviours, or by the default.

    async with FakeUpstream() as upstream:
        upstream.then(status(429, headers={"Retry-After": "1"}), answer("Hello", " world"))
        model = make_model(base_url=upstream.url)
        ...
        assert upstream.requests[1].body["stream"] is True
        await upstream.idle()       # nothing is being answered any more
        assert upstream.abandoned == 1   # one client left before its answer's end

As a process (`python -m tests.fakes.upstream --tokens 64 --rate 20`) it is the paced server of `paced_upstream.py`.
"""

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

DONE = b"data: [DONE]\n\n"
BACKLOG = 4096


def chunk(delta: Mapping[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
    """One event with one choice."""
    choice = {"index": 0, "delta": dict(delta), "finish_reason": finish_reason}
    return event(
        {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "model": "fake", "choices": [choice]} | more
    )


def event(value: Any) -> bytes:
    """One event with this JSON."""
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def usage_chunk(prompt_tokens: int, completion_tokens: int) -> bytes:
    """The event without choices in which OpenAI reports usage."""
    total = prompt_tokens + completion_tokens
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total}
    return event({"id": "chatcmpl-fake", "object": "chat.completion.chunk", "choices": [], "usage": usage})


@dataclass(frozen=True)
class Received:
    """A request; `body` is decoded JSON, `headers` have lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class Exchange:
    """One request and the means to answer it. Without `chunked` the answer ends where the connection does."""

    def __init__(self, request: Received, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self._writer = writer
        self._chunked = True
        self.keep_alive = True

    async def head(self, code: int = 200, headers: Mapping[str, str] | None = None, *, chunked: bool = True) -> None:
        self._chunked = chunked
        self.keep_alive = chunked
        fields = {"Content-Type": "text/event-stream"} | dict(headers or {})
        fields |= {"Transfer-Encoding": "chunked"} if chunked else {"Connection": "close"}
        lines = [f"HTTP/1.1 {code} Fake", *(f"{name}: {value}" for name, value in fields.items())]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        await self._writer.drain()

    async def send(self, data: bytes) -> None:
        if data:
            self._writer.write(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)
        await self._writer.drain()

    async def end(self) -> None:
        if self._chunked:
            self._writer.write(b"0\r\n\r\n")
            await self._writer.drain()

    def cut(self, *, reset: bool) -> None:
        """Close the connection in the midst of the answer; `reset` as a crashed process does."""
        self.keep_alive = False
        if reset:
            linger = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._writer.transport.abort()


Behaviour: TypeAlias = Callable[[Exchange], Awaitable[None]]


def send(*pieces: bytes | asyncio.Event, chunked: bool = True) -> Behaviour:
    """Exactly these bytes, one network write each; an `asyncio.Event` is waited for."""

    async def behave(exchange: Exchange) -> None:
        await exchange.head(chunked=chunked)
        for piece in pieces:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            else:
                await exchange.send(piece)
                await asyncio.sleep(0)
        await exchange.end()

    return behave


def deltas(
    *parts: Mapping[str, Any] | asyncio.Event,
    finish_reason: str | None = "stop",
    usage: tuple[int, int] | None = None,
    done: bool = True,
) -> Behaviour:
    """An event for each delta, then the finish reason, the usage and the end mark."""
    pieces: list[bytes | asyncio.Event] = [p if isinstance(p, asyncio.Event) else chunk(p) for p in parts]
    if finish_reason is not None:
        pieces.append(chunk({}, finish_reason))
    if usage is not None:
        pieces.append(usage_chunk(*usage))
    if done:
        pieces.append(DONE)
    return send(*pieces)


def answer(*texts: str | asyncio.Event, usage: tuple[int, int] | None = (10, 5), **more: Any) -> Behaviour:
    """A plain answer; `more` as for `deltas`."""
    parts = [text if isinstance(text, asyncio.Event) else {"content": text} for text in texts]
    return deltas({"role": "assistant", "content": ""}, *parts, usage=usage, **more)


def status(code: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Behaviour:
    """An answer that is no stream; a `body` that is not bytes is sent as JSON."""

    async def behave(exchange: Exchange) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "text/html" if isinstance(body, bytes) else "application/json"
        await exchange.head(code, {"Content-Type": kind} | dict(headers or {}))
        await exchange.send(data)
        await exchange.end()

    return behave


def cut(*texts: str, reset: bool = False, chunked: bool = True) -> Behaviour:
    """The connection ends after these texts."""

    async def behave(exchange: Exchange) -> None:
        await exchange.head(chunked=chunked)
        for text in texts:
            await exchange.send(chunk({"content": text}))
        if reset:
            await asyncio.sleep(0.05)  # a reset overtakes what it follows
        exchange.cut(reset=reset)

    return behave


def hang_up(*, reset: bool = False) -> Behaviour:
    """The connection ends before any answer."""

    async def behave(exchange: Exchange) -> None:
        exchange.cut(reset=reset)

    return behave


def silence(*texts: str, head: bool = True) -> Behaviour:
    """Nothing more comes after these texts; without `head` not even a status line."""

    async def behave(exchange: Exchange) -> None:
        if head:
            await exchange.head()
        for text in texts:
            await exchange.send(chunk({"content": text}))
        await asyncio.Event().wait()

    return behave


def paced(*texts: str, gap: float) -> Behaviour:
    """A plain answer with `gap` seconds before each text."""

    async def behave(exchange: Exchange) -> None:
        await exchange.head()
        for text in texts:
            await asyncio.sleep(gap)
            await exchange.send(chunk({"content": text}))
        await exchange.send(chunk({}, "stop") + DONE)
        await exchange.end()

    return behave


class FakeUpstream:
    """The server. `default` answers every request that nothing else was programmed for.

    Attributes:
        requests: All requests so far.
        models: What `GET /v1/models` and Ollama's `GET /api/tags` list.
        connections: Open TCP connections, idle ones included.
        answering: Requests being answered.
        abandoned: Requests whose client left before the answer's end.
    """

    def __init__(self, default: Behaviour | None = None) -> None:
        self.default = default or answer("Hello", " world")
        self.requests: list[Received] = []
        self.models: list[str] = ["fake"]
        self.connections = 0
        self.answering = 0
        self.abandoned = 0
        self._script: deque[Behaviour] = deque()
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def then(self, *behaviours: Behaviour) -> None:
        """Answer the next requests so."""
        self._script.extend(behaviours)

    def forget(self) -> None:
        """Answer the next requests by `default`."""
        self._script.clear()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/v1"

    async def __aenter__(self) -> "FakeUpstream":
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=BACKLOG)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def idle(self, seconds: float = 30) -> None:
        """Wait until no request is being answered."""
        await self._until(lambda: self.answering == 0, seconds)

    async def all_closed(self, seconds: float = 30) -> None:
        """Wait until no connection is open, not even an idle one."""
        await self._until(lambda: self.connections == 0, seconds)

    async def received(self, count: int, seconds: float = 30) -> None:
        """Wait until so many requests have come."""
        await self._until(lambda: len(self.requests) >= count, seconds)

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    async def _count(self, *, connections: int = 0, answering: int = 0, abandoned: int = 0) -> None:
        self.connections += connections
        self.answering += answering
        self.abandoned += abandoned
        async with self._changed:
            self._changed.notify_all()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        await self._count(connections=1)
        try:
            while (request := await _read_request(reader)) and await self._answered(request, reader, writer):
                pass
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)
            await self._count(connections=-1)

    async def _answered(self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can serve another request."""
        exchange = Exchange(request, writer)
        behaviour = self._choose(request)
        await self._count(answering=1)
        answering = asyncio.ensure_future(behaviour(exchange))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            left = not answering.done() or isinstance(answering.exception(), ConnectionError)
        finally:
            both = (answering, leaving)
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            await self._count(answering=-1)
        await self._count(abandoned=int(left))
        if not left:
            answering.result()
        return exchange.keep_alive and not left

    def _choose(self, request: Received) -> Behaviour:
        if request.method == "GET":
            if request.path == "/v1/models":
                return status(
                    200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
                )
            if request.path == "/api/tags":
                return status(200, {"models": [{"name": name, "model": name} for name in self.models]})
            return status(404, {"error": {"message": f"No such path: {request.path}"}})
        self.requests.append(request)
        return self._script.popleft() if self._script else self.default


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    data = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method=method, path=path, headers=headers, body=json.loads(data) if data else None)


if __name__ == "__main__":
    from tests.fakes.paced_upstream import main

    main()
