"""Streams over gRPC, each figure beside server-sent events from the same server in the same run.

    python -m tests.benchmarks.grpc

The upstream is a fake OpenAI-compatible server in its own process, 64 tokens an answer. The gRPC client is grpc's own and shares this
process with the reading; the reader of server-sent events is a plain socket, which costs less.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import grpc

from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.hector_pb2_grpc import A2AServiceStub
from tests.benchmarks.client import Answer, post
from tests.benchmarks.http import upstream

_PATH = "/agents/assistant/messages/stream"
_TURNS, _STREAMS, _ROUNDS = 200, 40, 10
Ask = Callable[[], Awaitable[Answer]]


@contextmanager
def hector(home: Path, upstream_port: int) -> Iterator[tuple[int, int]]:
    """`hector serve --grpc-port`, and its two ports."""
    config = home / "hector.yaml"
    config.write_text(
        f"llms: {{default: {{provider: openai-compatible, base_url: 'http://127.0.0.1:{upstream_port}/v1', model: m}}}}\n"
        "agents: {assistant: {memory: {working: {strategy: buffer_window}}}}\nsessions: {keep_events: 1s}\n"
    )
    arguments = ("serve", "--no-token", "--port", "0", "--grpc-port", "0", "--config", str(config))
    child = subprocess.Popen(
        [sys.executable, "-m", "hector_nb.frontends.cli", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "HECTOR_HOME": str(home)},
    )
    assert child.stdout is not None
    ports: dict[str, int] = {}
    try:
        while len(ports) < 2:
            line = child.stdout.readline()
            ports["grpc" if "gRPC" in line else "http"] = int(line.rpartition(":")[2].partition("/")[0])
        yield ports["http"], ports["grpc"]
    finally:
        child.terminate()
        child.wait(10)


@asynccontextmanager
async def both(http: int, calls: int) -> AsyncIterator[dict[str, Ask]]:
    """A one-off turn over either wire."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{calls}") as channel:
        stub: Any = A2AServiceStub(channel)

        async def over_grpc() -> Answer:
            started, first, tokens, done = perf_counter(), 0.0, 0, False
            async for chunk in stub.StreamMessage(pb.SendMessageRequest(agent="assistant", message="go")):
                first = first or perf_counter() - started
                tokens += chunk.content.count("w0")
                done = chunk.HasField("done")
            return Answer(first, perf_counter() - started, tokens, done)

        yield {"SSE": lambda: post(http, _PATH, {"message": "go"}, marker=b"w0"), "gRPC": over_grpc}


async def measure(http: int, calls: int) -> None:
    """First tokens one after the other, then tokens a second of many streams at once."""
    async with both(http, calls) as ways:
        found: dict[str, list[float]] = {}
        for name, ask in ways.items():
            await ask()
            first = median([1000 * (await ask()).first for _ in range(_TURNS)])
            started = perf_counter()
            answers: list[Answer] = []
            for _ in range(_ROUNDS):
                answers += await asyncio.gather(*(ask() for _ in range(_STREAMS)))
            rate = sum(answer.tokens for answer in answers) / (perf_counter() - started)
            complete = sum(answer.done for answer in answers)
            found[name] = [first, rate]
            print(
                f"  {name:4s}: first token p50 {first:.2f} ms; {rate:,.0f} tokens/s, {complete} of {len(answers)} complete"
            )
        (first, rate), (grpc_first, grpc_rate) = found["SSE"], found["gRPC"]
        print(f"  gRPC / SSE: first token x{grpc_first / first:.2f}, tokens/s x{grpc_rate / rate:.2f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, upstream(0) as direct, hector(Path(folder), direct) as ports:
        asyncio.run(measure(*ports))
