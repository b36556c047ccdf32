"""Speed over HTTP, each figure beside its baselines in the same run: the upstream itself, and a bare tornado relay.

    python -m tests.benchmarks.http [--streams 50 200 1000] [--postgres]

The upstream is a fake OpenAI-compatible server in its own process, 64 tokens an answer. With `--postgres` everything is measured over a PostgreSQL of this
run's own, too, each figure with its ratio to SQLite's.
"""

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from tests.benchmarks.client import Answer, create_session, post
from tests.postgres.server import SAFE, running

_TOKENS = 64
_RATE = 20
_IDEAL = (_TOKENS - 1) / _RATE


@contextmanager
def process(*arguments: str, **environ: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A program that prints its port (the last number after a colon, or the line) first."""
    child = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environ},
    )
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        yield child, int("".join(char for char in line.rpartition(":")[2].partition("/")[0] if char.isdigit()))
    finally:
        child.terminate()
        child.wait(10)


@contextmanager
def upstream(rate: int) -> Iterator[int]:
    """The fake provider."""
    arguments = ("--port", "0", "--tokens", str(_TOKENS), "--rate", str(rate), "--first-delay", "0")
    with process("tests.fakes.upstream", *arguments) as (_, port):
        yield port


@contextmanager
def hector(home: Path, upstream_port: int, store: str | None = None) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`hector serve` over the fake provider."""
    config = home / "hector.yaml"
    config.write_text(
        f"llms: {{default: {{provider: openai-compatible, base_url: 'http://127.0.0.1:{upstream_port}/v1', model: m}}}}\n"
        "agents: {assistant: {memory: {working: {strategy: buffer_window}}}}\nsessions: {keep_events: 1s}\n"
        + (f"storage: {{url: '{store}'}}\n" if store else "")
    )
    arguments = ("serve", "--no-token", "--port", "0", "--config", str(config))
    with process("hector_nb.frontends.cli", *arguments, HECTOR_HOME=str(home)) as served:
        yield served


def cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> float:
    """Peak resident megabytes of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def milliseconds(answers: list[Answer]) -> str:
    """p50 and p99 of the first token."""
    firsts = sorted(1000 * answer.first for answer in answers)
    return f"first token p50 {median(firsts):7.1f} ms  p99 {quantiles(firsts, n=100)[98]:7.1f} ms"


before: dict[str, float] = {}
"""What was measured over SQLite."""


def ratio(name: str, figure: float) -> str:
    """How a figure compares to SQLite's of the same name, where there is one."""
    found = f", x{figure / before[name]:.2f} of SQLite's" if name in before else ""
    before.setdefault(name, figure)
    return found


_ASK = {"message": "Explain quantum computing"}
_ASK_UPSTREAM = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Explain quantum computing"}]}


async def first_tokens(path: str, port: int, turns: int, body: object, marker: bytes = b'"chunk"') -> list[float]:
    """First-token times of so many turns, one after the other."""
    return [1000 * (await post(port, path, body, marker=marker)).first for _ in range(turns)]


async def one_session(port: int, relay: int, direct: int) -> None:
    """First token at turns 10, 100 and 500 of one session."""
    base = median(await first_tokens("/v1/chat/completions", direct, 50, _ASK_UPSTREAM, b"w000"))
    bare = median(await first_tokens("/", relay, 50, _ASK))
    session = await create_session(port)
    times = await first_tokens(f"/agents/assistant/sessions/{session}/messages/stream", port, 505, _ASK)
    print(f"first token, upstream directly {base:.2f} ms, bare relay {bare:.2f} ms")
    for turn in (10, 100, 500):
        ours = median(times[turn - 5 : turn + 5])
        against = f"{ours - bare:+.2f} ms and x{ours / bare:.2f} against the relay"
        print(f"  turn {turn:3d}: {ours:.2f} ms, {against}{ratio(f'turn {turn}', ours)}")


async def many(name: str, pid: int, port: int, path: str, streams: int) -> None:
    """So many streams at once, at 20 tokens a second."""
    used, started = cpu(pid), perf_counter()
    answers = await asyncio.gather(*(post(port, path, {"message": "go"}) for _ in range(streams)))
    wall = perf_counter() - started
    complete = sum(answer.done and answer.tokens == _TOKENS for answer in answers)
    print(
        f"  {streams:4d} streams, {name:6s}: {complete} complete, {milliseconds(answers)}, wall {wall:.2f} s"
        f" (x{wall / _IDEAL:.2f} of ideal), CPU {cpu(pid) - used:.2f} s, peak {peak(pid):.0f} MB"
        + (ratio(f"{streams} streams", median(answer.first for answer in answers)) if name == "ours" else "")
    )


async def throughput(name: str, port: int, path: str) -> float:
    """Tokens a second through one process, upstream without delay."""
    started = perf_counter()
    answers: list[Answer] = []
    for _ in range(10):
        answers += await asyncio.gather(*(post(port, path, {"message": "go"}) for _ in range(40)))
    rate = sum(answer.tokens for answer in answers) / (perf_counter() - started)
    print(f"  {name:6s}: {rate:,.0f} tokens/s")
    return rate


def imports() -> None:
    """Import and start times, against an empty interpreter and a bare typer application."""

    def timed(program: str) -> float:
        times = []
        for _ in range(5):
            started = perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
            times.append(perf_counter() - started)
        return 1000 * min(times)

    empty = timed("pass")
    bare = timed("import typer; a = typer.Typer(); a.command()(lambda: None); a(['--help'], standalone_mode=False)")
    print(f"start: empty interpreter {empty:.0f} ms, bare typer --help {bare:.0f} ms")
    print(f"  import hector_nb {timed('import hector_nb') - empty:+.0f} ms against the empty interpreter")
    ours = "from hector_nb.frontends.cli import main; import sys; sys.argv = ['hector', '--help']; main()"
    print(f"  hector --help {timed(ours) - bare:+.0f} ms against typer")
    print(f"  service and ports {timed('import hector_nb.service, hector_nb.stores.base') - empty:+.0f} ms")


def run(streams: list[int], *, postgres: bool) -> None:
    """Everything, in one run."""
    over(streams, None)
    if postgres:
        print("PostgreSQL")
        with running(**SAFE) as server:
            over(streams, server.url())
    imports()


def over(streams: list[int], store: str | None) -> None:
    """Everything over one store; None: the default one."""
    path = "/agents/assistant/messages/stream"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with (
            upstream(0) as direct,
            process("tests.benchmarks.relay", str(direct)) as (_, relay),
            hector(home, direct, store) as (child, port),
        ):
            asyncio.run(one_session(port, relay, direct))
            size = sum(file.stat().st_size for file in home.glob("sessions.db*"))
            if store is None:
                print(f"store after 505 turns: {size / 1e6:.2f} MB with their event logs and WAL")
            print("tokens a second through one process, 40 streams at once, upstream without delay")
            bare = asyncio.run(throughput("relay", relay, "/"))
            ours = asyncio.run(throughput("ours", port, path))
            print(f"  ours / relay = {ours / bare:.2f}{ratio('tokens a second', ours)}")
        print(f"streams at {_RATE} tokens/s, {_TOKENS} tokens each (ideal {_IDEAL:.2f} s)")
        for count in streams:
            with upstream(_RATE) as paced, process("tests.benchmarks.relay", str(paced)) as (child, relay):
                asyncio.run(many("relay", child.pid, relay, "/", count))
            with upstream(_RATE) as paced, hector(home, paced, store) as (child, port):
                asyncio.run(post_one(port, path))
                asyncio.run(many("ours", child.pid, port, path, count))


async def post_one(port: int, path: str) -> None:
    """Warm the server up: it opens its engine at the first request."""
    await post(port, path, {"message": "go"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="*", default=[50, 200, 1000])
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    parser.add_argument("--postgres", action="store_true")
    run(**vars(parser.parse_args()))
