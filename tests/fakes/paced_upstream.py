"""A lean OpenAI-compatible server for benchmarks: the same answer for everybody, at a given rate.

    python -m tests.fakes.upstream --port 0 --tokens 64 --rate 20 --first-delay 0

prints its port on the first line. Every request gets `--tokens` tokens, `--rate` of them a second (0: all at once), the
first one after `--first-delay` seconds. All streams have the same gap, so the queue of what is due is always in order and
one timer serves them all. `GET /stats` tells how many requests came, are open, and were left early.
"""

import argparse
import asyncio
import gc
import json
from collections import deque

from tests.fakes.upstream import BACKLOG, DONE, chunk, usage_chunk

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class PacedServer:
    """What all connections share."""

    def __init__(self, *, tokens: int, rate: float, first_delay: float) -> None:
        words = [f" w{number:03d}" for number in range(tokens)]
        self.pieces = [_framed(chunk({"content": word}, created=1_700_000_000)) for word in words]
        end = _framed(chunk({}, "stop")) + _framed(usage_chunk(10, tokens)) + _framed(DONE) + b"0\r\n\r\n"
        self.pieces.append(end)
        self.gap = 1 / rate if rate else 0.0
        self.first_delay = first_delay
        self.loop = asyncio.get_running_loop()
        self.requests = self.open = self.abandoned = 0
        self._due: deque[tuple[float, Connection, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, connection: "Connection") -> None:
        """Answer: now, or when the first delay is over."""
        if self.first_delay:
            self.loop.call_later(self.first_delay, self._first, connection)
        else:
            self._first(connection)

    def _first(self, connection: "Connection") -> None:
        if connection.stream == 0:
            return
        if not self.gap:
            connection.finish(HEAD + b"".join(self.pieces))
            return
        connection.transport.write(HEAD + self.pieces[0])
        self._queue(self.loop.time() + self.gap, connection, 1)

    def _queue(self, due: float, connection: "Connection", number: int) -> None:
        self._due.append((due, connection, number | connection.stream << 20))
        if self._timer is None:
            self._timer = self.loop.call_at(due, self._tick)

    def _tick(self) -> None:
        now = self.loop.time()
        queue, pieces, last, gap = self._due, self.pieces, len(self.pieces) - 1, self.gap
        while queue and queue[0][0] <= now:
            due, connection, key = queue.popleft()
            number = key & 0xFFFFF
            if connection.stream != key >> 20:
                continue
            if number == last:
                connection.finish(pieces[last])
            else:
                connection.transport.write(pieces[number])
                queue.append((due + gap, connection, key + 1))
        self._timer = self.loop.call_at(queue[0][0], self._tick) if queue else None


class Connection(asyncio.Protocol):
    """One client. `stream` is the number of the request being answered, 0 for none."""

    transport: asyncio.Transport

    def __init__(self, server: PacedServer) -> None:
        self._server = server
        self._data = b""
        self.stream = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.stream:
            self.stream = 0
            self._server.open -= 1
            self._server.abandoned += 1

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) < length:
            return
        self._data = b""
        if head.startswith(b"GET"):
            self._tell()
            return
        self._server.requests += 1
        self._server.open += 1
        self.stream = self._server.requests
        self._server.begin(self)

    def finish(self, data: bytes) -> None:
        """Send the end of the answer."""
        self.stream = 0
        self._server.open -= 1
        self.transport.write(data)

    def _tell(self) -> None:
        server = self._server
        stats = {"requests": server.requests, "open": server.open, "abandoned": server.abandoned}
        body = json.dumps(stats | {"data": [{"id": "fake"}]}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body)


async def serve(port: int, *, tokens: int, rate: float, first_delay: float) -> None:
    """Serve until cancelled; prints the port."""
    server = PacedServer(tokens=tokens, rate=rate, first_delay=first_delay)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Connection(server), "127.0.0.1", port, backlog=BACKLOG)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--first-delay", type=float, default=0)
    options = parser.parse_args()
    gc.freeze()
    asyncio.run(serve(options.port, tokens=options.tokens, rate=options.rate, first_delay=options.first_delay))
