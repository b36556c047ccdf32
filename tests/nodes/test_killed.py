"""A node that is killed, or hangs: its turns pass on, its readers are told elsewhere, what was said is kept."""

import asyncio
import signal
from time import monotonic

import psycopg
import pytest

from hector_nb.runtime.intervals import DEAD_AFTER
from tests.fakes.upstream import answer
from tests.nodes.cluster import Cluster, calling, waiting
from tests.nodes.ways import Reading, all_ways
from tests.proof.serving import WITHIN, Dictation, Server

pytestmark = pytest.mark.anyio
SO_FAR = [("user", "Count", "complete"), ("assistant", "one two ", "interrupted")]


async def test_a_node_is_killed_and_the_others_take_what_it_had(site: Cluster, nodes: list[Server]) -> None:
    (victim,) = await site.nodes(1)
    _, second, third = nodes
    paths: dict[str, str] = {}
    told: dict[str, Dictation] = {}
    starters: dict[str, Reading] = {}
    followers: dict[str, Reading] = {}
    async with all_ways(site.http) as ways:
        for name, way in ways.items():
            paths[name] = await site.session(victim)
            told[name] = Dictation("one ", "two ")
            site.will_say("Count", told[name])
            session_id = paths[name].rpartition("/")[2]
            starters[name] = await (await way.begin(victim, "assistant", session_id, "Count")).until("two ")
            followers[name] = await way.resume(second, "assistant", session_id, starters[name])
            await (await way.resume(second, "assistant", session_id, Reading.of(starters[name].turn_id))).until("two ")
        queued = await ways["sse"].begin(third, "assistant", paths["sse"].rpartition("/")[2], "Are you there?")
        asking = await site.session(victim, "coder")
        site.will_say("Write", calling("write_file", {"path": "late.txt", "content": "Hello"}), answer("Written."))
        await ways["sse"].begin(victim, "coder", asking.rpartition("/")[2], "Write")
        call_id = await waiting(site, third, asking)
        allowed = await site.get(second, asking)
        started = monotonic()
        victim.kill()
        async with asyncio.timeout(WITHIN):
            for each in told.values():
                await each.left.wait()
        await ways["sse"].approve(third, "coder", asking.rpartition("/")[2], call_id)
        ends = await asyncio.gather(*(follower.rest() for follower in followers.values()))
        seconds = monotonic() - started
        assert seconds < DEAD_AFTER
        assert [(each.text, each.end, each.resets) for each in ends] == [("one two ", "interrupted", 0)] * len(ways)
        await queued.rest()
        assert (queued.text, queued.end) == ("you said Are you there?", "done")
        while (event := await allowed.next()) and "Written." not in event.data:
            pass
        assert event
        for name, way in ways.items():
            session_id = paths[name].rpartition("/")[2]
            again = await (await way.resume(third, "assistant", session_id, starters[name])).rest()
            assert (again.text, again.end, again.resets) == ("one two ", "interrupted", 0)
            last = await (await way.begin(second, "assistant", session_id, "And now?")).rest()
            assert (last.text, last.end) == ("you said And now?", "done")
            kept = await site.transcript(third, paths[name])
            assert kept[:2] == SO_FAR
            assert kept[-2:] == [("user", "And now?", "complete"), ("assistant", "you said And now?", "complete")]
            assert len(kept) == (6 if name == "sse" else 4)


async def test_a_node_that_hung_finds_its_turns_taken_and_says_so(site: Cluster, nodes: list[Server]) -> None:
    (victim,) = await site.nodes(1)
    _, second, third = nodes
    path = await site.session(victim)
    session_id = path.rpartition("/")[2]
    told = Dictation("one ", "two ")
    site.will_say("Count", told)
    async with all_ways(site.http) as ways:
        starter = await (await ways["sse"].begin(victim, "assistant", session_id, "Count")).until("two ")
        follower = await ways["sse"].resume(second, "assistant", session_id, Reading.of(starter.turn_id))
        await follower.until("two ")
        await heartbeat(site, starter.turn_id)
        started = monotonic()
        victim.process.send_signal(signal.SIGSTOP)
        told.say("three ")
        async with asyncio.timeout(DEAD_AFTER + WITHIN):
            while not follower.end and await follower.step():
                pass
        assert DEAD_AFTER - 3 < monotonic() - started < 2 * DEAD_AFTER
        assert (follower.text, follower.end) == ("one two ", "interrupted")
        later = await (await ways["sse"].begin(third, "assistant", session_id, "And now?")).rest()
        assert (later.text, later.end) == ("you said And now?", "done")
        victim.process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(WITHIN):
            await told.left.wait()
        await starter.rest()
        assert starter.end == "interrupted"
        kept = await site.transcript(victim, path)
        assert kept == [*SO_FAR, ("user", "And now?", "complete"), ("assistant", "you said And now?", "complete")]
        again = await (await ways["sse"].begin(victim, "assistant", session_id, "Still?")).rest()
        assert (again.text, again.end) == ("you said Still?", "done")


async def heartbeat(site: Cluster, turn_id: str) -> None:
    """The next one of the node that runs this turn."""
    seen = "SELECT seen_at FROM hector.turns JOIN hector.holders USING (holder) WHERE turn_id = %s"
    async with await psycopg.AsyncConnection.connect(site.url, autocommit=True) as database, asyncio.timeout(WITHIN):
        before = await (await database.execute(seen, [turn_id])).fetchone()
        assert before
        while await (await database.execute(seen, [turn_id])).fetchone() == before:
            await asyncio.sleep(0.02)  # nobody announces it
