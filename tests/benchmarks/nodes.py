"""PostgreSQL beside SQLite, and three nodes beside one, in the same run: the HTTP benchmark, hand-over, and how soon nodes hear of each other.

    python -m tests.benchmarks.nodes [--streams 200] [--kills 3]

The database server is one of this run's own, with durable commits, on the same machine as everything else.
"""

import argparse
import asyncio
import resource
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from hector_nb.events import TextDelta
from hector_nb.stores.base import Store
from hector_nb.stores.postgres import PostgresStore
from hector_nb.stores.sqlite import SQLiteStore
from tests.benchmarks.client import create_session, post
from tests.benchmarks.http import _ASK, _IDEAL, _RATE, _TOKENS, cpu, milliseconds, peak, process, upstream
from tests.nodes.cluster import cluster
from tests.nodes.ways import all_ways
from tests.postgres.server import SAFE, running
from tests.proof.serving import Dictation, Site, opened
from tests.stores.making import begin, make_session

_CONFIG = """
llms: {{default: {{provider: openai-compatible, base_url: 'http://127.0.0.1:{port}/v1', model: m}}}}
agents: {{assistant: {{memory: {{working: {{strategy: buffer_window}}}}}}}}
sessions: {{keep_events: 1s}}
"""
_WORDS = 60
Fleet = Sequence[tuple[int, int]]
"""Process id and port of each node."""


@contextmanager
def fleet(upstream_port: int, nodes: int, url: str | None) -> Iterator[Fleet]:
    """So many `hector serve`, each with a home of its own; without `url` over SQLite."""
    with ExitStack() as stack:
        found = []
        for _ in range(nodes):
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            config = home / "hector.yaml"
            config.write_text(
                _CONFIG.format(port=upstream_port) + (f'storage: {{url: "{url}"}}\n' if url is not None else "")
            )
            arguments = ("serve", "--no-token", "--port", "0", "--config", str(config))
            child, port = stack.enter_context(process("hector_nb.frontends.cli", *arguments, HECTOR_HOME=str(home)))
            asyncio.run(warm(port))
            found.append((child.pid, port))
        yield found


async def warm(port: int) -> None:
    """The engine opens at the first request."""
    await post(port, "/agents/assistant/messages/stream", _ASK)


async def one_session(name: str, nodes: Fleet, base: Sequence[float] | None) -> list[float]:
    """First token at turns 10, 100 and 500 of one session, each turn at the next node; beside `base`."""
    session = await create_session(nodes[0][1])
    path = f"/agents/assistant/sessions/{session}/messages/stream"
    ports = cycle(port for _, port in nodes)
    times = [1000 * (await post(next(ports), path, _ASK)).first for _ in range(505)]
    ours = [median(times[turn - 5 : turn + 5]) for turn in (10, 100, 500)]
    beside = (
        ""
        if base is None
        else "  x" + " / ".join(f"{mine / theirs:.2f}" for mine, theirs in zip(ours, base, strict=True))
    )
    print(f"  {name:26s} {' / '.join(f'{each:6.2f}' for each in ours)} ms{beside}", flush=True)
    return ours


async def many(name: str, nodes: Fleet, streams: int, base: float | None) -> float:
    """So many streams at once, spread over the nodes; CPU seconds of all nodes, beside `base`."""
    path = "/agents/assistant/messages/stream"
    before, started = sum(cpu(pid) for pid, _ in nodes), perf_counter()
    ports = cycle(port for _, port in nodes)
    answers = await asyncio.gather(*(post(next(ports), path, {"message": "go"}) for _ in range(streams)))
    wall = perf_counter() - started
    spent = sum(cpu(pid) for pid, _ in nodes) - before
    complete = sum(answer.done and answer.tokens == _TOKENS for answer in answers)
    print(
        f"  {name:26s} {complete} complete, {milliseconds(answers)}, wall x{wall / _IDEAL:.2f} of ideal,"
        f" CPU {spent:.2f} s{'' if base is None else f' x{spent / base:.2f}'}, peak {max(peak(pid) for pid, _ in nodes):.0f} MB",
        flush=True,
    )
    return spent


async def hears(name: str, stores: Sequence[Store]) -> float:
    """Milliseconds from a durable write in one store to another's watch, median."""
    for store in stores:
        await store.aopen()
    writer, watcher = stores
    await writer.create_session(make_session("s"))
    await begin(writer, "t", session_id="s")
    times = []
    async with watcher.watch("s") as watch:
        for _ in range(100):
            waiting = asyncio.create_task(watch.wait(5))
            await asyncio.sleep(0.005)  # what comes late of the write before has come
            if waiting.done():
                waiting = asyncio.create_task(watch.wait(5))
            started = perf_counter()
            await writer.write_turn("t", events=[TextDelta(text="x")])
            await waiting
            times.append(1000 * (perf_counter() - started))
    for store in stores:
        await store.aclose()
    print(
        f"  {name:26s} write to watch p50 {median(times):6.2f} ms  p99 {quantiles(times, n=100)[98]:6.2f} ms",
        flush=True,
    )
    return median(times)


async def follows(name: str, site: Site) -> float:
    """Milliseconds from the provider's word to a reader at the node that runs the turn, and to one at another, medians."""
    first, second = (await site.two())[:2]
    async with all_ways(site.http) as ways:
        path = await site.session(first)
        told = Dictation("begun ")
        site.upstream.then(told)
        here = await (await ways["sse"].begin(first, "assistant", path.rpartition("/")[2], "Count")).until("begun ")
        there = await ways["sse"].resume(second, "assistant", path.rpartition("/")[2], here)
        times: dict[str, list[float]] = {"here": [], "there": []}

        async def heard(where: str, until: Callable[[str], Awaitable[object]], word: str, since: float) -> None:
            await until(word)
            times[where].append(1000 * (perf_counter() - since))

        for number in range(_WORDS):
            since = perf_counter()
            told.say(f"w{number} ")
            await asyncio.gather(
                heard("here", here.until, f"w{number} ", since), heard("there", there.until, f"w{number} ", since)
            )
        told.end()
        await there.rest()
    print(
        f"  {name:26s} word to reader here {median(times['here']):5.1f} ms, there {median(times['there']):5.1f} ms",
        flush=True,
    )
    return median(times["there"])


async def hands_over(name: str, site: Site, kills: int) -> float:
    """Seconds from `kill -9` to the last frame at another node, median of so many."""
    survivor = await site.server()
    times = []
    async with all_ways(site.http) as ways:
        for _ in range(kills):
            victim = await site.server()
            path = await site.session(victim)
            site.upstream.then(Dictation("so far "))
            here = await (await ways["sse"].begin(victim, "assistant", path.rpartition("/")[2], "Hi")).until("so far ")
            there = await ways["sse"].resume(survivor, "assistant", path.rpartition("/")[2], here)
            started = perf_counter()
            victim.kill()
            await there.rest()
            assert there.end == "interrupted"
            times.append(perf_counter() - started)
    print(f"  {name:26s} {' '.join(f'{each:.2f}' for each in times)} s", flush=True)
    return median(times)


def run(streams: int, kills: int) -> None:
    """Everything, in one run."""
    with running(**SAFE, max_connections="200") as server, tempfile.TemporaryDirectory() as folder:
        url = server.url()
        setups = [("SQLite, one node", 1, None), ("PostgreSQL, one node", 1, url), ("PostgreSQL, three nodes", 3, url)]
        print("first token at turns 10 / 100 / 500 of one session, upstream without delay")
        firsts: list[float] | None = None
        for name, nodes, where in setups:
            with upstream(0) as direct, fleet(direct, nodes, where) as found:
                times = asyncio.run(one_session(name, found, firsts))
                firsts = firsts or times
        print(f"{streams} streams at {_RATE} tokens/s, {_TOKENS} tokens each")
        spent: float | None = None
        for name, nodes, where in setups:
            with upstream(_RATE) as paced, fleet(paced, nodes, where) as found:
                used = asyncio.run(many(name, found, streams, spent))
                spent = spent or used
        print("how soon one process hears of another's write")
        file = Path(folder) / "hector.db"
        sqlite = asyncio.run(hears("SQLite", [SQLiteStore(file), SQLiteStore(file)]))
        ours = asyncio.run(hears("PostgreSQL", [PostgresStore(url), PostgresStore(url)]))
        print(f"  PostgreSQL / SQLite = {ours / sqlite:.2f}")
        asyncio.run(over_http(Path(folder), url, kills))


async def over_http(folder: Path, url: str, kills: int) -> None:
    """What readers at two nodes see."""
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    async with opened(folder / "a") as one, cluster(folder / "b", url) as other:
        sqlite = await follows("SQLite, two processes", one)
        ours = await follows("PostgreSQL, two nodes", other)
        print(f"  PostgreSQL / SQLite = {ours / sqlite:.2f}")
        print("hand-over: from kill -9 to the last frame at another node")
        sqlite = await hands_over("SQLite, two processes", one, kills)
        ours = await hands_over("PostgreSQL, two nodes", other, kills)
        print(f"  PostgreSQL / SQLite = {ours / sqlite:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--kills", type=int, default=3)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    options = parser.parse_args()
    run(options.streams, options.kills)
