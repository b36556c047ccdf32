"""Nodes behind a plain round-robin proxy: whichever node is asked, there is one service."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from time import monotonic

import pytest

from hector_nb.sessions import Session
from hector_nb.stores.postgres import PostgresStore
from tests.nodes.cluster import NODES, Cluster
from tests.nodes.round_robin import RoundRobin
from tests.nodes.ways import Way
from tests.postgres import databases
from tests.proof.lines import Copy
from tests.proof.serving import WITHIN, Dictation, Server

pytestmark = pytest.mark.anyio
WORDS = [f"w{number} " for number in range(9)]


@dataclass(frozen=True)
class Front:
    """The address before all nodes: a proxy for HTTP, and one for gRPC."""

    http: RoundRobin
    calls: RoundRobin

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http.port}"

    @property
    def grpc_port(self) -> int:
        return self.calls.port

    async def cut(self) -> None:
        """Break every line."""
        await self.http.cut()
        await self.calls.cut()


@pytest.fixture
async def front(nodes: list[Server]) -> AsyncIterator[Front]:
    async with (
        RoundRobin([node.port for node in nodes]) as http,
        RoundRobin([node.grpc_port for node in nodes]) as calls,
    ):
        yield Front(http, calls)


async def test_a_conversation_goes_round_the_nodes(site: Cluster, front: Front, way: Way) -> None:
    path = await site.session(front)
    asked = [f"question {number}" for number in range(4)]
    for text in asked:
        reading = await (await way.begin(front, "assistant", path.rpartition("/")[2], text)).rest()
        assert (reading.text, reading.end) == (f"you said {text}", "done")
    said = chain.from_iterable(
        [("user", text, "complete"), ("assistant", f"you said {text}", "complete")] for text in asked
    )
    assert await site.transcript(front, path) == list(said)
    used = set(front.http.chosen) | set(front.calls.chosen)
    assert len(used) >= 3


async def test_a_reader_whose_line_breaks_goes_on_at_whichever_node_it_gets(
    site: Cluster, front: Front, way: Way, request: pytest.FixtureRequest
) -> None:
    path = await site.session(front)
    session_id = path.rpartition("/")[2]
    told = Dictation()
    site.will_say("Count", told)
    by_itself = request.node.callspec.params["way"] == "remote"
    told.say("begun ")
    reading = await way.begin(front, "assistant", session_id, "Count")
    await reading.until("begun ")
    for word in WORDS:
        await front.cut()
        told.say(word)
        if not by_itself:
            await reading.rest()
            reading = await way.resume(front, "assistant", session_id, reading)
        await reading.until(word)
    told.end()
    await reading.rest()
    assert (reading.text, reading.end, reading.resets) == ("begun " + "".join(WORDS), "done", 0)


async def test_an_event_source_follows_a_session_round_the_nodes(site: Cluster, front: Front) -> None:
    path = await site.session(front)
    copy = Copy()
    line = await site.get(front, path)
    turns = []
    for number in range(4):
        status, answer = await site.call(front, "POST", f"{path}/messages", {"message": f"question {number}"})
        assert status == 200, answer
        turns.append(answer["turn_id"])
        if number % 2:
            await copy.read(line, turns=number)
            await front.cut()
            copy.last_id = copy.last_id or line.last_id
            line = await site.get(front, path, last=copy.last_id)
    await copy.read(line, turns=4)
    assert copy.texts == {turn: f"you said question {number}" for number, turn in enumerate(turns)}
    assert list(copy.ends.items()) == [(turn, "done") for turn in turns]
    assert (await site.call(front, "POST", f"{path}/end"))[0] == 200
    assert await line.next() is None
    assert (await site.get(front, path, last=copy.last_id)).status == 204


async def test_one_key_is_one_turn_on_all_nodes(site: Cluster, nodes: list[Server], front: Front) -> None:
    path = await site.session(front)
    before = len(site.upstream.requests)
    once = {"headers": {"Idempotency-Key": "once"}}
    send = [site.call(front, "POST", f"{path}/messages", {"message": "Hi"}, **once) for _ in range(9)]
    answers = await asyncio.gather(*send)
    assert [status for status, _ in answers] == [200] * 9
    assert len({answer["turn_id"] for _, answer in answers}) == 1
    assert {answer["response"] for _, answer in answers} == {"you said Hi"}
    assert len(site.upstream.requests) == before + 1
    made = [site.call(front, "POST", "/agents/assistant/sessions", {"session_id": "sess_chosen"}) for _ in range(6)]
    statuses = sorted([status for status, _ in await asyncio.gather(*made)])
    assert statuses == [200] * 5 + [201]
    status, error = await site.call(front, "POST", f"{path}/messages", {"message": "Ho"}, **once)
    assert (status, error["error"]["code"]) == (422, "invalid_request")


async def test_a_session_is_deleted_on_one_node_while_others_stream_it(
    site: Cluster, nodes: list[Server], way: Way
) -> None:
    first, second, third = nodes
    path = await site.session(first)
    session_id = path.rpartition("/")[2]
    told = Dictation("one ", "two ")
    site.will_say("Count", told)
    here = await (await way.begin(first, "assistant", session_id, "Count")).until("two ")
    there = await way.resume(second, "assistant", session_id, here)
    started = monotonic()
    assert (await site.call(third, "DELETE", path))[0] == 204
    async with asyncio.timeout(WITHIN):
        await told.left.wait()
    for reading in (here, there):
        await reading.rest()
        assert reading.end in {"done", "turn_not_found"}
        assert reading.text == "one two "
    assert monotonic() - started < WITHIN
    for node in nodes:
        assert (await site.call(node, "GET", path))[0] == 404
        assert (await site.call(node, "GET", f"{path}/messages"))[0] == 404
        assert (await site.call(node, "POST", f"{path}/messages", {"message": "Hi"}))[0] == 404


async def test_what_is_remembered_is_remembered_once(site: Cluster, nodes: list[Server], front: Front) -> None:
    path = await site.session(front, "recalling")
    asked = [f"My number {number} is {number * 37}." for number in range(6)]
    answers = [site.call(front, "POST", f"{path}/messages", {"message": text}) for text in asked]
    assert {status for status, _ in await asyncio.gather(*answers)} == {200}
    assert {
        status for status, _ in await asyncio.gather(*(site.call(node, "POST", f"{path}/end") for node in nodes))
    } <= {200, 409}
    status, memory = await site.call(front, "GET", f"{path}/memory")
    assert status == 200
    texts = [each["text"] for each in memory["longterm"]["memories"]]
    assert len(texts) == len(set(texts)) == len(asked)


async def test_sessions_expire_once() -> None:
    """The stores of three nodes, on a database of their own: whole nodes look for the expired in a rhythm of theirs."""
    url = databases.fresh()
    stores = [PostgresStore(url) for _ in range(NODES)]
    for store in stores:
        await store.aopen()
    long_ago = datetime.now(UTC) - timedelta(days=1)
    made = {f"sess_old{number}" for number in range(60)}
    for session_id in made:
        await stores[0].create_session(
            Session(
                session_id=session_id,
                agent="assistant",
                user="local",
                created_at=long_ago,
                last_active_at=long_ago,
                expires_at=long_ago,
            )
        )
    found = await asyncio.gather(*(store.expire_sessions() for store in stores))
    ids = [session.session_id for session in chain.from_iterable(found)]
    assert sorted(ids) == sorted(made)
    for store in stores:
        listed = await store.list_sessions("local", agent="assistant", status="expired", limit=100)
        assert {session.session_id for session in listed.items} == made
        await store.aclose()
    databases.drop(url)
