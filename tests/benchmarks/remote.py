"""The remote client beside a plain reader of the same stream, from the same server in the same run.

    python -m tests.benchmarks.remote

The plain reader does what `curl` does: one request on a socket of its own, and it counts tokens in bytes. The client gives every event of
the turn's log as a value, with its number. The upstream is a fake OpenAI-compatible server in its own process, 64 tokens an answer.
"""

import asyncio
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from hector_nb.client.sessions import open_sessions
from hector_nb.events import TextDelta, TurnDone
from hector_nb.service import SendMessage, SessionService
from tests.benchmarks.client import Answer, post
from tests.benchmarks.http import hector, upstream

_PATH = "/agents/assistant/messages/stream"
_TURNS, _STREAMS, _ROUNDS = 200, 40, 10


async def read(service: SessionService) -> Answer:
    """One turn through the client."""
    started, first, tokens, done = perf_counter(), 0.0, 0, False
    async with await service.stream_message("assistant", SendMessage(message="go")) as stream:
        while events := await stream.read():
            for logged in events:
                if isinstance(logged.event, TextDelta):
                    first = first or perf_counter() - started
                    tokens += logged.event.text.count("w0")
                done = done or isinstance(logged.event, TurnDone)
    return Answer(first, perf_counter() - started, tokens, done)


async def measure(port: int) -> None:
    """First tokens one after the other, then tokens a second of many streams at once, and what they cost this process."""
    async with open_sessions(f"http://127.0.0.1:{port}") as service:
        ways = {
            "plain": lambda: post(port, _PATH, {"message": "go"}, marker=b"w0"),
            "log": lambda: post(port, f"{_PATH}?events=log", {"message": "go"}, marker=b"w0"),
            "client": lambda: read(service),
        }
        found: dict[str, tuple[float, float]] = {}
        for name, ask in ways.items():
            await ask()
            first = median([1000 * (await ask()).first for _ in range(_TURNS)])
            started, before = perf_counter(), process_time()
            answers: list[Answer] = []
            for _ in range(_ROUNDS):
                answers += await asyncio.gather(*(ask() for _ in range(_STREAMS)))
            tokens = sum(answer.tokens for answer in answers)
            rate, cost = tokens / (perf_counter() - started), 1e6 * (process_time() - before) / max(tokens, 1)
            complete = sum(answer.done for answer in answers)
            found[name] = first, rate
            print(
                f"  {name:6s}: first token p50 {first:.2f} ms; {rate:,.0f} tokens/s, {cost:.0f} µs of CPU a token,"
                f" {complete} of {len(answers)} complete"
            )
        for name in ("plain", "log"):
            (first, rate), (our_first, our_rate) = found[name], found["client"]
            print(f"  client / {name}: first token x{our_first / first:.2f}, tokens/s x{our_rate / rate:.2f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, upstream(0) as direct, hector(Path(folder), direct) as (_, port):
        asyncio.run(measure(port))
