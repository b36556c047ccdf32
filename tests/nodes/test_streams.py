"""One session, three nodes: what one has begun another goes on with, stops, or allows, over every transport."""

import asyncio
from statistics import median
from time import monotonic

import pytest

from hector_nb.runtime.intervals import LOOK_EVERY
from hector_nb.stores.postgres_listener import LOOK_SECONDS
from tests.fakes.upstream import answer
from tests.nodes.cluster import Cluster, calling, waiting
from tests.nodes.ways import Way, all_ways
from tests.postgres import databases
from tests.proof.serving import WITHIN, Dictation, Server

pytestmark = pytest.mark.anyio
WORDS = [f"w{number} " for number in range(60)]
SETTLED = 0.5
"""Seconds after which nothing is under way any more where nothing happens."""


async def test_a_stream_begun_on_one_node_goes_on_from_another_and_is_cancelled_from_a_third(
    site: Cluster, nodes: list[Server], way: Way
) -> None:
    first, second, third = nodes
    path = await site.session(first)
    session_id = path.rpartition("/")[2]
    told = Dictation(*WORDS[:20])
    site.will_say("Count", told)
    here = await way.begin(first, "assistant", session_id, "Count")
    await here.until("w19 ")
    told.say(*WORDS[20:40])
    there = await way.resume(second, "assistant", session_id, here)
    await here.leave()
    await there.until("w39 ")
    assert there.text == "".join(WORDS[:40])
    started = monotonic()
    await way.cancel(third, "assistant", session_id)
    async with asyncio.timeout(WITHIN):
        await told.left.wait()
    await there.rest()
    assert monotonic() - started < WITHIN
    assert (there.text, there.end, there.resets) == ("".join(WORDS[:40]), "done", 0)
    for node in nodes:
        assert await site.transcript(node, path) == [
            ("user", "Count", "complete"),
            ("assistant", "".join(WORDS[:40]), "cancelled"),
        ]


async def test_messages_sent_to_three_nodes_at_once_are_answered_one_after_the_other(
    site: Cluster, nodes: list[Server], way: Way
) -> None:
    path = await site.session(nodes[0])
    asked = [f"question {number}" for number in range(9)]
    begun = [way.begin(nodes[at % 3], "assistant", path.rpartition("/")[2], text) for at, text in enumerate(asked)]
    readings = await asyncio.gather(*begun)
    await asyncio.gather(*(reading.rest() for reading in readings))
    assert [(each.text, each.end) for each in readings] == [(f"you said {text}", "done") for text in asked]
    kept = await site.transcript(nodes[1], path)
    assert [(role, status) for role, _, status in kept] == [("user", "complete"), ("assistant", "complete")] * 9
    said = [text for _, text, _ in kept]
    assert said[1::2] == [f"you said {text}" for text in said[::2]]
    assert sorted(said[::2]) == asked


async def test_an_approval_asked_on_one_node_is_given_on_another(site: Cluster, nodes: list[Server], way: Way) -> None:
    first, second, third = nodes
    path = await site.session(first, "coder")
    session_id = path.rpartition("/")[2]
    file = f"{type(way).__name__}.txt"
    site.will_say("Write", calling("write_file", {"path": file, "content": "Hello"}), answer("Written."))
    reading = await way.begin(first, "coder", session_id, "Write")
    call_id = await waiting(site, third, path)
    await way.approve(second, "coder", session_id, call_id)
    await reading.rest()
    assert reading.end == "done"
    assert reading.text.endswith("Written.")
    assert (site.home / file).read_text() == "Hello"
    assert [role for role, *_ in await site.transcript(second, path)] == ["user", "assistant", "tool", "assistant"]


async def test_a_follower_on_another_node_hears_of_each_word_at_once(site: Cluster, nodes: list[Server]) -> None:
    first, second, _ = nodes
    async with all_ways(site.http) as ways:
        path = await site.session(first)
        told = Dictation("begun ")
        site.will_say("Count", told)
        here = await ways["sse"].begin(first, "assistant", path.rpartition("/")[2], "Count")
        await here.until("begun ")
        there = await ways["sse"].resume(second, "assistant", path.rpartition("/")[2], here)
        seconds = []
        for word in WORDS[:20]:
            started = monotonic()
            told.say(word)
            await there.until(word)
            seconds.append(monotonic() - started)
        told.end()
        await there.rest()
        assert (there.text, there.end) == ("begun " + "".join(WORDS[:20]), "done")
    assert median(seconds) < LOOK_SECONDS


async def test_followers_ask_nothing_while_nothing_happens(site: Cluster, nodes: list[Server]) -> None:
    """Whoever waits is woken: what is asked of the database does not grow with the number of those who wait."""
    first, second, _ = nodes
    async with all_ways(site.http) as ways:
        path = await site.session(first)
        session_id = path.rpartition("/")[2]
        told = Dictation("begun ")
        site.will_say("Count", told)
        here = await (await ways["sse"].begin(first, "assistant", session_id, "Count")).until("begun ")
        there = [await ways["sse"].resume(second, "assistant", session_id, here) for _ in range(60)]
        told.say("first ")
        await asyncio.gather(*(each.until("first ") for each in there))
        await asyncio.sleep(SETTLED)
        started = monotonic()
        with databases.statements() as statements:
            await asyncio.sleep(2)  # nothing happens
        looks = 1 + (monotonic() - started) // LOOK_EVERY
        assert any("holders" in each for each in statements)
        assert len([each for each in statements if "turn_events" in each]) <= looks * len(there)
        assert len([each for each in statements if "cancel" in each]) <= max(6, 3 * (monotonic() - started))
        told.say("word ")
        await asyncio.gather(*(each.until("word ") for each in there))
        told.end()
        await asyncio.gather(*(each.rest() for each in there))
        assert {(each.text, each.end) for each in there} == {("begun first word ", "done")}


LISTENING = "query LIKE 'LISTEN%' OR query LIKE '%notices' OR query LIKE '%advisory%'"
"""The last words of a connection that listens."""


async def test_lost_connections_to_the_database_lose_no_event(site: Cluster, nodes: list[Server]) -> None:
    """First those who listen, then all: what is said meanwhile arrives, soon and once."""
    first, second, _ = nodes
    async with all_ways(site.http) as ways:
        path = await site.session(first)
        told = Dictation("begun ")
        site.will_say("Count", told)
        here = await (await ways["sse"].begin(first, "assistant", path.rpartition("/")[2], "Count")).until("begun ")
        there = await ways["sse"].resume(second, "assistant", path.rpartition("/")[2], here)
        for number, whose in enumerate([LISTENING, "TRUE"] * 3):
            ended, until = 0, monotonic() + 30
            while (
                ended := ended + databases.terminate(site.url, whose)
            ) < 3:  # those of the last round may not be back yet
                assert monotonic() < until
                await asyncio.sleep(0.02)
            told.say(WORDS[number])
            started = monotonic()
            await there.until(WORDS[number])
            assert monotonic() - started < 10 * LOOK_SECONDS
        told.end()
        await there.rest()
        assert (there.text, there.end, there.resets) == ("begun " + "".join(WORDS[:6]), "done", 0)
