"""What resuming, queueing and the event log cost, on two server processes over one store.

    python -m tests.benchmarks.resume

The upstream is a fake OpenAI-compatible server in its own process.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter

import apsw

from tests.benchmarks.client import create_session
from tests.benchmarks.http import hector, process

_EVENTS = 10_000
_WAITING = 12


async def request(port: int, verb: str, path: str, body: str = "") -> tuple[list[float], bytes]:
    """The response's bytes, and when its headers, its first chunk and its end came, in seconds of `perf_counter`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    head = f"{verb} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    data, times = b"", [0.0, 0.0, 0.0]
    while part := await reader.read(1 << 18):
        data += part
        times[2] = perf_counter()
        times[0] = times[0] or times[2]
        times[1] = times[1] or (times[2] if b'"chunk"' in data or b"[DONE]" in data else 0.0)
        if data.endswith(b"[DONE]\n\n"):
            break
    writer.close()
    return times, data


async def ask(port: int, session: str, text: str) -> tuple[list[float], bytes]:
    """Send a message and read its stream to the end."""
    path = f"/agents/assistant/sessions/{session}/messages/stream"
    return await request(port, "POST", path, f'{{"message": "{text}"}}')


def turn_of(data: bytes) -> str:
    """The turn that a stream belongs to."""
    return data.lower().partition(b"hector-turn-id: ")[2].partition(b"\r\n")[0].decode()


async def resume(ports: Sequence[int]) -> None:
    """A turn of many events: live, then read again from several places."""
    session = await create_session(ports[0])
    await ask(ports[0], session, "warm up")
    started = perf_counter()
    times, data = await ask(ports[0], session, "go")
    turn = turn_of(data)
    print(f"a turn of {_EVENTS} tokens, live: {1000 * (times[2] - started):.0f} ms")
    for name, port in zip(("its process", "another"), ports, strict=True):
        for after in (0, _EVENTS // 2, _EVENTS - 10):
            spans = []
            for _ in range(5):
                started = perf_counter()
                path = f"/agents/assistant/sessions/{session}/messages/stream?last_event_id={turn}:{after}"
                times, data = await request(port, "GET", f"{path}&turn_id={turn}")
                spans.append([1000 * (each - started) for each in times])
            first, last = median(span[1] for span in spans), median(span[2] for span in spans)
            print(
                f"  {name:11s} after {after:5d}: first event {first:6.1f} ms, end {last:6.1f} ms, {len(data):,} bytes"
            )


async def hand_over(name: str, ports: Sequence[int]) -> None:
    """From the last frame of one turn to the first chunk of the next, for messages that wait in one session."""
    session = await create_session(ports[0])
    waiting = [ask(ports[number % len(ports)], session, f"{number}") for number in range(_WAITING)]
    ends = sorted(times for times, _ in await asyncio.gather(*waiting))
    gaps = [1000 * (after[1] - before[2]) for before, after in pairwise(ends)]
    print(f"  {name:28s}: median {median(gaps):.1f} ms, longest {max(gaps):.1f} ms")


def event_log(home: Path, tokens: int) -> str:
    """Bytes of the event log, as they are and with their rows' overhead."""
    store = apsw.Connection(f"{home}/sessions.db", flags=apsw.SQLITE_OPEN_READONLY)
    groups, payload = store.execute("SELECT count(*), sum(length(CAST(payload AS BLOB))) FROM turn_events").fetchone()
    pages = store.execute("SELECT sum(pgsize) FROM dbstat WHERE name = 'turn_events'").get
    store.close()
    return f"{payload / tokens:.1f} bytes a token in {groups} groups, {pages / tokens:.1f} on pages"


async def many(port: int, streams: int) -> None:
    """One turn in each of so many sessions."""
    sessions = [await create_session(port) for _ in range(streams)]
    await asyncio.gather(*(ask(port, session, "go") for session in sessions))


def run() -> None:
    """Everything, each with a store of its own."""
    for name, tokens, rate in (("resume", _EVENTS, 0), ("queue", 1, 0), ("log", 64, 20), ("log", 64, 100)):
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            arguments = ("--tokens", str(tokens), "--rate", str(rate))
            _, upstream = stack.enter_context(process("tests.fakes.upstream", *arguments))
            ports = [stack.enter_context(hector(home, upstream))[1] for _ in "12"]
            if name == "resume":
                asyncio.run(resume(ports))
                print(f"  event log: {event_log(home, 2 * tokens)}")
            elif name == "queue":
                print(f"queue hand-over, {_WAITING} messages in one session, upstream without delay")
                asyncio.run(hand_over("warm-up", ports))
                asyncio.run(hand_over("one process", ports[:1]))
                asyncio.run(hand_over("two processes, alternating", ports))
            else:
                asyncio.run(many(ports[0], 20))
                print(f"event log, 20 turns of {tokens} tokens at {rate}/s: {event_log(home, 20 * tokens)}")


if __name__ == "__main__":
    run()
