"""Lines that are cut at any byte, again and again: what is joined from the pieces is the whole stream, each event once, in order."""

import json
from collections.abc import AsyncIterator
from itertools import cycle
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hector_nb.errors import ModelError
from hector_nb.events import ThinkingDelta
from hector_nb.models.scripted import Step, Wait
from hector_nb.stores.sqlite import SQLiteStore
from hector_nb.transports.listen import Listen
from tests.transports.conftest import Site, block_of, open_site

pytestmark = pytest.mark.anyio
AGENTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "letters": {"streaming": {"chunk_size": 1}},
    "sevens": {"streaming": {"chunk_size": 7}, "reasoning": {"show_thinking": True}},
    "thinker": {"reasoning": {"show_thinking": True, "show_debug_info": True}},
    "joining": {"streaming": {"buffer_size": 2}},
    "whole": {"reasoning": {"enable_streaming": False}},
}
QUERIES = ["", "debug=true", "events=all", "events=usage,thinking"]
FAST = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
words = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12)
answers = st.lists(words | words.map(lambda text: ThinkingDelta(text=text)), max_size=8)
endings = st.sampled_from([[], [ModelError("It broke.")]])
cuts = st.lists(st.integers(0, 400), max_size=8)
agents = st.sampled_from(sorted(AGENTS))
queries = st.sampled_from(QUERIES)


@pytest.fixture(scope="module")
async def sites(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Site]]:
    """Two servers over one database."""
    database = tmp_path_factory.mktemp("cuts") / "hector.db"
    listen = Listen(host="127.0.0.1", port=0)
    async for one in open_site(AGENTS, listen, None, SQLiteStore(database)):
        async for two in open_site(AGENTS, listen, None, SQLiteStore(database)):
            yield [one, two]


class Cut:
    """A client that remembers what an `EventSource` would: the blocks that were whole, and the last of their ids."""

    def __init__(self) -> None:
        self.events: list[dict[str, str]] = []
        self.last: str | None = None

    def take(self, body: bytes) -> None:
        """What came before the line was cut."""
        *whole, _ = body.split(b"\n\n")
        for raw in whole:
            block = block_of(raw.decode())
            self.last = block.get("id", self.last)
            if "data" in block:
                self.events.append({key: value for key, value in block.items() if key != "retry"})

    @property
    def finished(self) -> bool:
        return bool(self.events) and (self.events[-1]["data"] == "[DONE]" or self.events[-1].get("event") == "error")


async def read(response: aiohttp.ClientResponse, most: int | None) -> bytes:
    """So many bytes, then the line is cut; None: all."""
    body = b""
    while most is None or len(body) < most:
        piece = await response.content.read(2**16 if most is None else most - len(body))
        if not piece:
            break
        body += piece
    response.close()
    return body


def joined(events: list[dict[str, str]]) -> list[tuple[str, ...]]:
    """The events with neighbouring chunks made one."""
    found: list[tuple[str, ...]] = []
    for event in events:
        name = event.get("event", "chunk" if event["data"] != "[DONE]" else "done")
        if name != "chunk":
            found.append((name, event["data"], event["id"]))
        elif found and found[-1][0] == "chunk":
            found[-1] = ("chunk", found[-1][1] + json.loads(event["data"])["chunk"])
        else:
            found.append(("chunk", json.loads(event["data"])["chunk"]))
    return found


def place(event: dict[str, str]) -> tuple[int, int]:
    seq, _, offset = event["id"].rpartition(":")[2].partition("+")
    return int(seq), int(offset or 0)


async def whole_stream(site: Site, path: str, turn_id: str, query: str) -> list[dict[str, str]]:
    return (await site.stream("GET", f"{path}?turn_id={turn_id}&{query}")).events


async def follow_cuts(sites: list[Site], path: str, turn_id: str, query: str, client: Cut, places: list[int]) -> None:
    """Come back after every cut, each time to the other server, and stay in the end."""
    for site, most in zip(cycle(sites), [*places, None], strict=False):
        if client.finished:
            return
        headers = {"Last-Event-ID": client.last} if client.last else {}
        async with site.http.get(f"{site.base}{path}?turn_id={turn_id}&{query}", headers=headers) as response:
            assert response.status == 200
            client.take(await read(response, most))


def check(client: Cut, whole: list[dict[str, str]]) -> None:
    assert joined(client.events) == joined(whole)
    places = [place(event) for event in client.events]
    assert places == sorted(set(places))


@FAST
@given(agent=agents, query=queries, answer=answers, ending=endings, places=cuts)
async def test_a_finished_turn_is_the_same_however_its_lines_are_cut(
    sites: list[Site], agent: str, query: str, answer: list[Step], ending: list[Step], places: list[int]
) -> None:
    site, _ = sites
    path = f"/agents/{agent}/sessions/{await site.new_session(agent)}/messages/stream"
    site.world.will_say("x", *answer, *ending)
    turn_id = (await site.stream("POST", path, {"message": "Hi"})).turn_id
    client = Cut()
    await follow_cuts(sites, path, turn_id, query, client, places)
    check(client, await whole_stream(site, path, turn_id, query))


@FAST
@given(agent=agents, query=queries, answer=answers, ending=endings, places=cuts, first=st.integers(0, 300))
async def test_a_running_turn_is_the_same_however_its_lines_are_cut(
    sites: list[Site], agent: str, query: str, answer: list[Step], ending: list[Step], places: list[int], first: int
) -> None:
    site, _ = sites
    path = f"/agents/{agent}/sessions/{await site.new_session(agent)}/messages/stream"
    site.world.will_say("x", *(step for each in answer for step in (Wait(0.003), each)), *ending)
    client = Cut()
    async with site.http.get(f"{site.base}{path}?message=Hi&{query}") as response:
        turn_id = response.headers["Hector-Turn-Id"]
        client.take(await read(response, first))
    await follow_cuts(sites[::-1], path, turn_id, query, client, places)
    check(client, await whole_stream(site, path, turn_id, query))


@FAST
@given(agent=agents, answer=answers, ending=endings, places=cuts)
async def test_a_followed_session_is_the_same_however_its_lines_are_cut(
    sites: list[Site], agent: str, answer: list[Step], ending: list[Step], places: list[int]
) -> None:
    session_id = await sites[0].new_session(agent)
    path = f"/agents/{agent}/sessions/{session_id}"
    whole: list[dict[str, str]] = []
    for site in sites:
        site.world.will_say("x", *answer, *ending)
        whole += (await site.stream("POST", f"{path}/messages/stream", {"message": "Hi"})).events
    await sites[0].call("POST", f"{path}/end")
    client = Cut()
    client.last = "start"
    for site, most in zip(cycle(sites), [*places, None], strict=False):
        url = f"{site.base}{path}/messages/stream"
        async with site.http.get(url, headers={"Last-Event-ID": client.last}) as response:
            assert response.status in {200, 204}
            client.take(await read(response, most))
    assert joined(client.events) == joined(whole)
    assert len({event["id"] for event in client.events}) == len(client.events)
