"""PostgreSQL is stopped and started again under load: requests wait or fail clearly, and nothing that was acknowledged is lost."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from time import monotonic
from typing import Any

import pytest

from hector_nb.stores.postgres_readers import PATIENCE
from hector_nb.stores.postgres_signs import GRACE_SECONDS
from tests.nodes.cluster import Cluster, cluster
from tests.nodes.ways import Reading, all_ways
from tests.postgres.server import SAFE, running
from tests.postgres.server import Server as Postgres
from tests.proof.serving import WITHIN, Dictation, Server

pytestmark = pytest.mark.anyio
CUT = {"", "store_unavailable"}
"""How a reader on another node learns in an outage that it must come again, if the outage is not over before."""


@pytest.fixture(scope="module")
def postgres() -> Any:
    """A server of this module's own, whose commits are durable."""
    with running(**SAFE) as server:
        yield server


@pytest.fixture(scope="module")
async def site(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path_factory.mktemp("cluster"), postgres.url()) as site:
        yield site


class Person:
    """Sends one message after the other to whichever node, each until it is answered; `told` is what was acknowledged."""

    def __init__(self, site: Cluster, nodes: list[Server], path: str) -> None:
        self.site, self.nodes, self.path = site, nodes, path
        self.told: list[tuple[str, str]] = []
        self.refused: list[Any] = []
        self.stop = asyncio.Event()
        self._turns = count()
        self.talking = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        while not self.stop.is_set():
            await self._ask(f"question {len(self.told)}")

    async def _ask(self, message: str) -> None:
        key = {"Idempotency-Key": f"{self.path}-{len(self.told)}"}
        body = {"message": message}
        while True:
            node = self.nodes[next(self._turns) % len(self.nodes)]
            status, answer = await self.site.call(node, "POST", f"{self.path}/messages", body, headers=key)
            if status == 200:
                self.told.append((message, answer["response"]))
                return
            self.refused.append((status, answer))
            assert (status, answer["error"]["code"]) == (503, "store_unavailable"), answer
            assert answer["error"]["hint"]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_nothing_acknowledged_is_lost_when_the_database_is_restarted(
    site: Cluster, nodes: list[Server], postgres: Postgres, mode: str
) -> None:
    paths = [await site.session(node) for node in nodes for _ in "123"]
    async with all_ways(site.http) as ways:
        path = await site.session(nodes[0])
        session_id = path.rpartition("/")[2]
        long = Dictation("one ", "two ")
        site.will_say("Count", long)
        here = await (await ways["sse"].begin(nodes[0], "assistant", session_id, "Count")).until("two ")
        there = await (await ways["sse"].resume(nodes[1], "assistant", session_id, Reading.of(here.turn_id))).until(
            "two "
        )
        people = [Person(site, nodes, path) for path in paths]
        await talked(people, 3)
        await asyncio.to_thread(postgres.stop, mode)
        long.say("three ")
        await here.until("three ")
        await asyncio.to_thread(postgres.start)
        restarted = monotonic()
        await talked(people, 3)
        assert monotonic() - restarted < 3 * PATIENCE
        long.say("four ")
        long.end()
        for reading in (here, there):
            await reading.rest()
            assert (reading.text, reading.end, reading.resets) == ("one two three four ", "done", 0)
        for person in people:
            person.stop.set()
        await asyncio.gather(*(person.talking for person in people))
    for person in people:
        for node in nodes:
            kept = await site.transcript(node, person.path)
            said = [text for _, text, _ in kept]
            assert list(zip(said[::2], said[1::2], strict=True)) == person.told


async def test_a_turn_outlives_an_outage_in_which_its_node_could_not_give_a_sign_of_life(
    site: Cluster, nodes: list[Server], postgres: Postgres
) -> None:
    first, second, _ = nodes
    async with all_ways(site.http) as ways:
        path = await site.session(first)
        session_id = path.rpartition("/")[2]
        long = Dictation("one ", "two ")
        site.will_say("Count", long)
        here = await (await ways["sse"].begin(first, "assistant", session_id, "Count")).until("two ")
        there = await (await ways["sse"].resume(second, "assistant", session_id, Reading.of(here.turn_id))).until(
            "two "
        )
        await asyncio.to_thread(postgres.stop)
        await asyncio.sleep(GRACE_SECONDS + 1)  # the outage
        await asyncio.to_thread(postgres.start)
        long.say("three ")
        await here.until("three ")
        await there.until("three ")
        long.end()
        for reading in (here, there):
            await reading.rest()
            assert (reading.text, reading.end, reading.resets) == ("one two three ", "done", 0)


async def test_without_a_database_requests_fail_clearly_and_all_goes_on_when_it_is_back(
    site: Cluster, nodes: list[Server], postgres: Postgres
) -> None:
    first, second, third = nodes
    async with all_ways(site.http) as ways:
        paths = {name: await site.session(first) for name in ("long", "short", "later")}
        ids = {name: path.rpartition("/")[2] for name, path in paths.items()}
        long, short = Dictation("one ", "two "), Dictation("one ", "two ")
        site.will_say("Count", long)
        site.will_say("Count a little", short)
        here = await (await ways["sse"].begin(first, "assistant", ids["long"], "Count")).until("two ")
        ending = await (await ways["sse"].begin(first, "assistant", ids["short"], "Count a little")).until("two ")
        there = {
            name: await (await way.resume(second, "assistant", ids["long"], Reading.of(here.turn_id))).until("two ")
            for name, way in ways.items()
        }
        await asyncio.to_thread(postgres.stop, "immediate")
        short.end()
        started = monotonic()
        asked = await asyncio.gather(
            site.call(first, "GET", paths["later"]),
            site.call(second, "POST", "/agents/assistant/sessions"),
            site.call(third, "POST", f"{paths['later']}/messages", {"message": "Lost?"}),
            site.call(third, "POST", f"{paths['long']}/cancel"),
        )
        for status, answer in asked:
            assert (status, answer["error"]["code"]) == (503, "store_unavailable"), answer
            assert answer["error"]["hint"]
        assert PATIENCE - 1 < monotonic() - started < 2 * PATIENCE
        await ending.rest()
        assert (ending.text, ending.end) == ("one two ", "store_unavailable")
        await asyncio.to_thread(postgres.start)
        long.say("three ")
        await here.until("three ")
        long.end()
        await here.rest()
        assert (here.text, here.end) == ("one two three ", "done")
        for name, reading in there.items():
            await reading.rest()
            again = reading
            if name != "remote" and reading.end in CUT:
                again = await ways[name].resume(third, "assistant", ids["long"], reading)
            await again.rest()
            assert (again.text, again.end, again.resets) == ("one two three ", "done", 0)
        later = await (await ways["sse"].begin(third, "assistant", ids["later"], "Well?")).rest()
        assert (later.text, later.end) == ("you said Well?", "done")
        for node in nodes:
            assert await site.settled(node, paths["short"]) == [
                ("user", "Count a little", "complete"),
                ("assistant", "one two ", "complete"),
            ]
            assert [text for _, text, _ in await site.transcript(node, paths["later"])] == ["Well?", "you said Well?"]


async def talked(people: list[Person], more: int) -> None:
    """Wait until each has got so many more answers."""
    enough = [len(person.told) + more for person in people]
    async with asyncio.timeout(2 * WITHIN):
        while any(len(person.told) < most for person, most in zip(people, enough, strict=True)):
            await asyncio.wait([person.talking for person in people], timeout=0.02)
            for person in people:
                if person.talking.done():
                    person.talking.result()
