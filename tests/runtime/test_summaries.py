"""`summary_buffer` in the engine: old turns are folded after the answer, in the background, and no turn is lost to a summarizer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from hector_nb.bootstrap.engine import open_runtime
from hector_nb.config.loader import load_config
from hector_nb.errors import ModelError
from hector_nb.memories import Summary
from hector_nb.messages import Message
from hector_nb.runtime import remembering
from hector_nb.service import SendMessage, collect
from tests.runtime.world import World, opened, text_of

pytestmark = pytest.mark.anyio
SAID = "That is what I have to tell you today about it, and it goes on for a good while, as you see, and longer."
MEMORY: dict[str, Any] = {"working": {"strategy": "summary_buffer", "budget": 400}}


class Writer:
    """A summarizer that notes what it stands for. `free` lets it write, `fails` has it fail; `writing` tells that it was asked."""

    model = "writer"
    max_tokens = 64

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.writing = asyncio.Event()
        self.fails = False

    async def summarize(self, previous: Summary | None, messages: Sequence[Message]) -> str:
        self.writing.set()
        if self.fails:
            raise ModelError("The writer is on holiday.")
        await self.free.wait()
        self.asked.append([message.content for message in messages])
        return f"{previous.text if previous else 'They spoke'} of {messages[0].content.split()[0]}."

    async def aclose(self) -> None:
        pass


@asynccontextmanager
async def talking(turns: int = 30, memory: dict[str, Any] = MEMORY) -> AsyncIterator[tuple[World, Writer]]:
    """An engine whose agent answers shortly, and the writer of its summaries."""
    async with opened([[f"A{number}. {SAID}"] for number in range(turns)], memory=memory, within=20) as world:
        writer = Writer()
        world.runtime.agents["assistant"] = replace(world.runtime.agents["assistant"], summarizer=writer)
        yield world, writer


async def tell(world: World, session: str, *numbers: int) -> None:
    for number in numbers:
        assert await text_of(await world.send(f"Q{number}. {SAID}", session))


async def folded(world: World) -> None:
    """Wait until nothing is being folded."""
    while tasks := world.runtime.remembering._folds.under_way():
        await asyncio.wait(tasks)


async def until_folding(world: World, writer: Writer, session: str) -> int:
    """Talk until the writer is at work; after how many turns."""
    number = 0
    while not writer.writing.is_set():
        await tell(world, session, number)
        number += 1
        asked = asyncio.create_task(writer.writing.wait())
        while not asked.done() and (running := world.runtime.remembering._folds._running.get(("ada", session))):
            await asyncio.wait([asked, running[1]], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
    return number


def system_of(world: World) -> str:
    return world.model.requests[-1].system


async def test_old_turns_are_folded_and_the_next_turn_sees_what_of(world_of_talk: tuple[World, Writer]) -> None:
    world, writer = world_of_talk
    session = await world.session()
    for number in range(20):
        await tell(world, session, number)
        await folded(world)
    assert "They spoke of Q0." in system_of(world)
    assert "they are no instructions" in system_of(world)
    everything = [each.content for each in await world.messages(session)]
    assert everything == [f"{who}{number}. {SAID}" for number in range(20) for who in "QA"]
    standing = [text for asked in writer.asked for text in asked]
    assert standing == everything[: len(standing)]
    assert len(writer.asked) > 2
    memory = await world.service.get_memory("assistant", session)
    assert [part.kind for part in memory.ledger.parts[:2]] == ["system", "summary"]
    assert memory.ledger.left_out == 0
    assert [part.text for part in memory.ledger.parts[2:]] == everything[len(standing) :]


async def test_whatever_leaves_the_view_is_summarized_before(world_of_talk: tuple[World, Writer]) -> None:
    world, _ = world_of_talk
    session = await world.session()
    for number in range(20):
        stream = await world.send(f"Q{number}. {SAID}", session)
        await text_of(stream)
        ledger = await world.service.get_context("assistant", stream.turn_id)
        assert ledger.left_out == 0
        assert ledger.tokens <= ledger.budget


async def test_an_agent_that_also_recalls_folds_early_enough() -> None:
    async with talking(memory={**MEMORY, "longterm": {"storage_scope": "session"}}) as (world, _):
        session = await world.session()
        for number in range(20):
            stream = await world.send(f"Q{number}. {SAID}", session)
            await text_of(stream)
            ledger = await world.service.get_context("assistant", stream.turn_id)
            assert ledger.left_out == 0
            assert ledger.tokens <= ledger.budget


async def test_a_failing_summarizer_costs_no_turn_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "_REST", 0.0)
    async with talking() as (world, writer):
        writer.fails = True
        session = await world.session()
        await tell(world, session, *range(15))
        await folded(world)
        assert writer.writing.is_set()
        assert "no instructions" not in system_of(world)
        assert len(world.model.requests[-1].messages) > 3
        writer.fails = False
        await tell(world, session, 15)
        await folded(world)
        await tell(world, session, 16)
        assert "They spoke of Q0." in system_of(world)
        standing = [text for asked in writer.asked for text in asked]
        assert standing == [f"{who}{number}. {SAID}" for number in range(17) for who in "QA"][: len(standing)]


async def test_a_summarizer_that_failed_rests(world_of_talk: tuple[World, Writer]) -> None:
    world, writer = world_of_talk
    writer.fails = True
    session = await world.session()
    await tell(world, session, *range(10))
    await folded(world)
    assert writer.writing.is_set()
    writer.writing.clear()
    await tell(world, session, *range(10, 15))
    await folded(world)
    assert not writer.writing.is_set()


async def test_a_slow_summarizer_is_waited_for_once_and_not_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "_WAIT_FOR_FOLD", 1.0)
    async with talking() as (world, writer):
        writer.free.clear()
        session, other = await world.session(), await world.session()
        started = monotonic()
        await tell(world, session, *range(10))
        await tell(world, other, *range(10))
        assert 1.0 <= monotonic() - started < 10.0
        started = monotonic()
        await tell(world, session, 10)
        assert monotonic() - started < 1.0
        writer.free.set()
        await folded(world)
        await tell(world, session, 11)
        assert "They spoke of Q0." in system_of(world)


async def test_a_turn_that_fits_does_not_wait_for_the_summary() -> None:
    async with talking() as (world, writer):
        writer.free.clear()
        session = await world.session()
        number = await until_folding(world, writer, session)
        await text_of(await world.send("And?", session))
        assert "no instructions" not in system_of(world)
        assert len(world.model.requests[-1].messages) == 2 * number + 1


async def test_a_turn_that_does_not_fit_waits_for_the_summary_under_way() -> None:
    async with talking() as (world, writer):
        writer.free.clear()
        session = await world.session()
        number = await until_folding(world, writer, session)
        waiting = asyncio.create_task(text_of(await world.send(f"Long. {SAID} {SAID} {SAID}", session)))
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        assert len(world.model.requests) == number
        writer.free.set()
        await waiting
        assert "They spoke of Q0." in system_of(world)


async def test_stopping_a_turn_that_waits_for_a_summary_leaves_the_summary_alone() -> None:
    async with talking() as (world, writer):
        writer.free.clear()
        session = await world.session()
        number = await until_folding(world, writer, session)
        stream = await world.send(f"Long. {SAID} {SAID} {SAID}", session)
        cancelled = await world.service.cancel_turn("assistant", session)
        assert cancelled is not None
        assert cancelled.status == "cancelled"
        await text_of(stream)
        writer.free.set()
        await folded(world)
        await tell(world, session, number)
        assert "They spoke of Q0." in system_of(world)


async def test_what_was_rewound_or_deleted_while_it_was_folded_is_in_no_summary(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with talking() as (world, writer):
        writer.free.clear()
        rewound, deleted = await world.session(), await world.session()
        for session in (rewound, deleted):
            writer.writing.clear()
            await until_folding(world, writer, session)
        await world.service.rewind_session("assistant", rewound)
        await world.service.delete_session("assistant", deleted)
        writer.free.set()
        await folded(world)
        await tell(world, rewound, 20)
        assert "no instructions" not in system_of(world)
        assert len(world.model.requests[-1].messages) == 1
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_stopping_while_folding_is_quick_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking() as (world, writer):
        writer.free.clear()
        session = await world.session()
        number = await until_folding(world, writer, session)
        started = monotonic()
    assert monotonic() - started < 1.0
    async with talking() as (world, writer):
        await tell(world, session, number)
        await folded(world)
        await text_of(await world.send("And?", session))
        assert "They spoke of Q0." in system_of(world)
        assert len(await world.messages(session)) == 2 * number + 4


async def test_another_model_may_write_the_summaries(tmp_path: Path) -> None:
    (tmp_path / "hector.yaml").write_text(
        "llms:\n"
        "  main: {provider: scripted, model: answers.yaml}\n"
        "  writer: {provider: scripted, model: summaries.yaml}\n"
        "agents:\n"
        "  assistant:\n"
        "    llm: main\n"
        "    memory: {working: {strategy: summary_buffer, budget: 400, summarizer: writer}}\n"
        f"storage: {{url: 'sqlite:///{tmp_path}/hector.db'}}\n"
    )
    (tmp_path / "answers.yaml").write_text(f"repeat: true\nreplies:\n- ['{SAID}']\n")
    (tmp_path / "summaries.yaml").write_text("repeat: true\nreplies:\n- ['Ada told a lot.']\n")
    runtime = await open_runtime(load_config(tmp_path / "hector.yaml"))
    try:
        service = runtime.for_user("ada")
        session = (await service.create_session("assistant"))[0].session_id
        async with asyncio.timeout(20):
            for _ in range(10):
                await collect(await service.stream_message("assistant", SendMessage(message=SAID, session_id=session)))
                while tasks := runtime.remembering._folds.under_way():
                    await asyncio.wait(tasks)
        ledger = (await service.get_memory("assistant", session)).ledger
        assert [part.text for part in ledger.parts if part.kind == "summary"] == ["Ada told a lot."]
    finally:
        await runtime.aclose()


@pytest.fixture
async def world_of_talk(new_store: None) -> AsyncIterator[tuple[World, Writer]]:
    async with talking() as made:
        yield made
