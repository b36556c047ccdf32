"""What is remembered arrives whole by every way in: pages, scores, ledgers, corrections."""

import asyncio

import pytest

from hector_nb.client import sessions
from hector_nb.errors import MemoryNotFound
from tests.runtime.world import World, opened, text_of

pytestmark = pytest.mark.anyio
MEMORY = {"working": {"strategy": "buffer_window", "window_size": 2}, "longterm": {"storage_scope": "conversational"}}
FACTS = ("My sister Clara keeps bees in Lyon.", "My brother Max builds violins in Cremona.", "I live in Ulm.")


async def told(world: World) -> str:
    """A session that remembers the facts."""
    session = await world.session()
    for fact in FACTS:
        await text_of(await world.send(fact, session))
        while tasks := world.runtime.remembering._takes.under_way():
            await asyncio.wait(tasks)
    return session


async def test_pages_of_memories_lead_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_MOST", 1)
    async with opened([["I see."]] * 3, memory=MEMORY) as world:
        session = await told(world)
        first = await world.service.get_memory("assistant", session, limit=2)
        second = await world.service.get_memory("assistant", session, limit=2, cursor=first.next_cursor)
        assert (first.scope, first.pending, second.next_cursor) == ("conversational", 0, None)
        found = [*first.memories, *second.memories]
        assert [fact in each.text for fact, each in zip(reversed(FACTS), found, strict=True)] == [True] * 3
        inside = await world.runtime.for_user("ada").get_memory("assistant", session)
        assert [(each.memory_id, each.tokens, each.version) for each in found] == [
            (each.memory_id, each.tokens, each.version) for each in inside.memories
        ]


async def test_a_memory_is_found_corrected_recalled_and_forgotten() -> None:
    async with opened([["I see."]] * 4, memory=MEMORY) as world:
        session = await told(world)
        best = (await world.service.search_memory("assistant", session, "Where are Clara's bees?", limit=1))[0]
        assert FACTS[0] in best.memory.text
        assert 0 < best.score <= 1
        assert best.keyword is not None
        memory_id = best.memory.memory_id
        right = await world.service.correct_memory("assistant", session, memory_id, "Clara keeps her bees in Nice.")
        assert (right.text, right.version, right.corrected_at is None) == ("Clara keeps her bees in Nice.", 2, False)
        stream = await world.send("Where does Clara keep bees?", session)
        await text_of(stream)
        ledger = await world.service.get_context("assistant", stream.turn_id)
        recalled = next(part for part in ledger.parts if part.source == memory_id)
        assert (recalled.kind, recalled.text, recalled.session_id) == ("memory", right.text, session)
        assert recalled.score is not None
        inside = await world.runtime.for_user("ada").get_context("assistant", stream.turn_id)
        assert [(each.kind, each.role, each.text, each.tokens, each.source) for each in ledger.parts] == [
            (each.kind, each.role, each.text, each.tokens, each.source) for each in inside.parts
        ]
        assert (ledger.tokens, ledger.budget, ledger.left_out, ledger.requests) == (
            inside.tokens, inside.budget, inside.left_out, inside.requests,
        )  # fmt: skip
        await world.service.forget_memory("assistant", session, memory_id)
        with pytest.raises(MemoryNotFound):
            await world.service.forget_memory("assistant", session, memory_id)


async def test_a_memory_that_was_just_forgotten_is_put_back_once() -> None:
    async with opened([["I see."]] * 3, memory=MEMORY) as world:
        session = await told(world)
        before = (await world.service.get_memory("assistant", session)).memories
        memory_id = before[1].memory_id
        with pytest.raises(MemoryNotFound):
            await world.service.restore_memory("assistant", session, memory_id)
        await world.service.forget_memory("assistant", session, memory_id)
        restored = await world.service.restore_memory("assistant", session, memory_id)
        assert (restored.memory_id, restored.text) == (memory_id, before[1].text)
        assert (await world.service.get_memory("assistant", session)).memories == before
        with pytest.raises(MemoryNotFound):
            await world.service.restore_memory("assistant", session, memory_id)


async def test_a_transcript_is_read_from_its_end_page_by_page() -> None:
    async with opened([["a"], ["b"], ["c"]]) as world:
        session = await world.session()
        for text in ("one", "two", "three"):
            await text_of(await world.send(text, session))
        pages, cursor, more = [], None, True
        while more:
            page = await world.service.list_messages("assistant", session, limit=4, cursor=cursor, newest=True)
            pages.append([each.content for each in page.items])
            cursor, more = page.next_cursor, page.next_cursor is not None
        assert pages == [["two", "b", "three", "c"], ["one", "a"]]


async def test_a_last_page_that_takes_several_of_a_servers_is_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_MOST_MESSAGES", 2)
    async with opened([["a"], ["b"], ["c"]]) as world:
        session = await world.session()
        for text in ("one", "two", "three"):
            await text_of(await world.send(text, session))
        last = await world.service.list_messages("assistant", session, limit=5, newest=True)
        assert [each.content for each in last.items] == ["a", "two", "b", "three", "c"]
        rest = await world.service.list_messages("assistant", session, limit=5, cursor=last.next_cursor, newest=True)
        assert [each.content for each in rest.items] == ["one"]
        whole = await world.service.list_messages("assistant", session, limit=5)
        assert [each.content for each in whole.items] == ["one", "a", "two", "b", "three"]


async def test_agents_and_tools_are_told_by_every_way() -> None:
    async with opened([], memory=MEMORY) as world:
        (agent,) = await world.service.list_agents()
        (inside,) = await world.runtime.for_user("ada").list_agents()
        assert (agent.name, agent.model, agent.memory) == (inside.name, inside.model, inside.memory)
        assert (agent.reasoning, agent.streaming) == (inside.reasoning, inside.streaming)
        assert list(await world.service.list_tools("assistant")) == []
        session, created = await world.service.create_session("assistant", title="One", metadata={"a": [1, None]})
        assert (created, session.title, session.metadata) == (True, "One", {"a": [1, None]})
        changed = await world.service.update_session("assistant", session.session_id, title="Two")
        assert (changed.title, changed.metadata) == ("Two", {"a": [1, None]})
        assert await world.service.find_session(session.session_id) == changed
