"""Tokens are counted from a file, without a network, and never on the event loop for long."""

import asyncio
import socket

import pytest

from hector_nb.memory.tokens import TiktokenCounter

pytestmark = pytest.mark.anyio


async def test_words_are_counted_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert await TiktokenCounter().count("The capital of France is Paris.") == 7


async def test_only_the_models_own_vocabulary_counts_as_exact() -> None:
    assert TiktokenCounter("cl100k_base").exact
    assert not TiktokenCounter("o200k_base").exact
    assert not TiktokenCounter(None).exact


@pytest.mark.parametrize("text", ["", "🙂" * 9, "<|endoftext|>", "\x00", "lone \ud800 surrogate"])
async def test_any_text_can_be_counted(text: str) -> None:
    assert (await TiktokenCounter().count(text) > 0) == bool(text)


async def test_a_long_text_does_not_hold_up_the_event_loop() -> None:
    counter = TiktokenCounter()
    await counter.count("warm")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    assert await counter.count("lorem ipsum " * 80_000) > 100_000
    ticking.cancel()
    assert ticks > 10
