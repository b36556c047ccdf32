"""One session, three nodes: what one has begun another goes on with, stops, or allows, over every transport."""

import asyncio
from time import monotonic

import pytest

from tests.nodes.cluster import Cluster
from tests.nodes.ways import Way
from tests.proof.serving import WITHIN, Dictation, Server

pytestmark = pytest.mark.anyio
WORDS = [f"w{number} " for number in range(60)]


async def test_a_stream_begun_on_one_node_goes_on_from_another_and_is_cancelled_from_a_third(
    site: Cluster, nodes: list[Server], way: Way
) -> None:
    first, second, third = nodes
    path = await site.session(first)
    session_id = path.rpartition("/")[2]
    told = Dictation(*WORDS[:20])
    site.upstream.then(told)
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
    assert monotonic() - started < 1
    assert (there.text, there.end, there.resets) == ("".join(WORDS[:40]), "done", 0)
    for node in nodes:
        assert await site.transcript(node, path) == [
            ("user", "Count", "complete"),
            ("assistant", "".join(WORDS[:40]), "cancelled"),
        ]
