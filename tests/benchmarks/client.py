"""A lean client for benchmarks: one POST over plain asyncio streams, with the times of its first and last token."""

import asyncio
import json
from dataclasses import dataclass
from time import perf_counter


@dataclass(slots=True)
class Answer:
    """Seconds to the first token and to the end; tokens received; whether the last frame came."""

    first: float
    total: float
    tokens: int
    done: bool


async def post(port: int, path: str, body: object, *, marker: bytes = b'"chunk"') -> Answer:
    """Send a message and read its stream to the end."""
    data = json.dumps(body).encode()
    started = perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Connection: close\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    first, tokens, tail, done = 0.0, 0, b"", False
    while not done and (chunk := await reader.read(1 << 16)):
        tail += chunk
        seen = tail.count(marker)
        if seen and not first:
            first = perf_counter() - started
        tokens += seen
        done = b"[DONE]" in tail
        tail = tail[-40:].replace(marker, b"")
    writer.close()
    return Answer(first, perf_counter() - started, tokens, done)


async def create_session(port: int) -> str:
    """A session's id."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST /agents/assistant/sessions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    found: str = json.loads(answer.partition(b"\r\n\r\n")[2])["session_id"]
    return found
