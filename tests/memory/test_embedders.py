"""The embedder that is built in needs no network and leaves no trace in the process; a change of embedder re-indexes."""

import asyncio
import math
import struct
import subprocess
import sys

import pytest

from hector_nb.errors import ModelError, ModelUnavailable
from hector_nb.memory import embedders
from hector_nb.memory.embedders import WordllamaEmbedder, reindex
from tests.memory.longterm_world import FailingEmbedder, longterm, remember
from tests.stores.making import USER

pytestmark = pytest.mark.anyio


def cosine(one, other):
    a, b = (struct.unpack("<256f", each) for each in (one, other))
    return sum(x * y for x, y in zip(a, b, strict=True))


async def test_texts_that_mean_the_same_have_similar_vectors():
    bees, hives, tax = await WordllamaEmbedder().embed(
        ["Clara keeps bees.", "Which insects does Clara own?", "The tax office opens at nine."]
    )
    assert cosine(bees, hives) > cosine(bees, tax) + 0.2
    assert cosine(bees, bees) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("text", ["", " ", "🙂", "\x00", "lone \ud800 surrogate", "word " * 20_000])
async def test_any_text_has_a_vector_of_length_1(text):
    (vector,) = await WordllamaEmbedder().embed([text])
    numbers = struct.unpack("<256f", vector)
    assert math.hypot(*numbers) == pytest.approx(1, abs=1e-5)


async def test_many_texts_have_the_vectors_that_each_has_alone():
    texts = [f"text number {number}" for number in range(150)]
    embedder = WordllamaEmbedder()
    together = await embedder.embed(texts)
    assert len(together) == 150
    assert [(await embedder.embed([text]))[0] for text in texts[60:70]] == list(together[60:70])
    assert list(await embedder.embed([])) == []


async def test_no_network_is_needed_and_nothing_is_warned_of_or_left_behind(tmp_path):
    program = """
import asyncio, logging, socket, sys, warnings
warnings.simplefilter("error")
def refuse(*_, **__): raise SystemExit("a connection!")
socket.socket.connect = socket.getaddrinfo = refuse
from hector_nb.memory.embedders import WordllamaEmbedder
assert not {"numpy", "tokenizers", "safetensors", "wordllama"} & set(sys.modules)
vector, = asyncio.run(WordllamaEmbedder().embed(["hello"]))
assert len(vector) == 1024
assert logging.root.handlers == [] and logging.root.level == logging.WARNING
assert not {"wordllama", "requests"} & set(sys.modules)
"""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env={"HOME": str(tmp_path), "PYTHONPATH": "."},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


async def test_embedding_does_not_hold_up_the_event_loop():
    embedder = WordllamaEmbedder()
    await embedder.embed(["warm"])
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await embedder.embed(["a few words about bees " * 50] * 256)
    ticking.cancel()
    assert ticks > 10


@pytest.mark.parametrize("broken", ["missing", "damaged"])
async def test_a_missing_embedder_says_how_to_get_it_and_costs_only_vectors(store, monkeypatch, tmp_path, broken):
    class Spec:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr(embedders, "_loaded", [])
    monkeypatch.setattr(embedders, "find_spec", lambda _: None if broken == "missing" else Spec)
    with pytest.raises(ModelUnavailable, match="pip install"):
        await WordllamaEmbedder().embed(["hello"])
    memory = longterm()
    assert await remember(memory, store, "My sister Clara keeps bees in Lyon.") == 1
    found = await memory.recall(store, user=USER, session_id="x", text="Where does Clara keep bees?", seen=None)
    assert [(each.score, each.vector) for each in found] == [(1.0, None)]


async def test_the_table_is_loaded_once_however_many_ask(monkeypatch):
    loads = []
    load = embedders._load
    monkeypatch.setattr(embedders, "_loaded", [])
    monkeypatch.setattr(embedders, "_load", lambda: loads.append(1) or load())
    await asyncio.gather(*(WordllamaEmbedder().embed(["hello"]) for _ in range(8)))
    assert loads == [1]


async def test_a_new_embedder_re_indexes_with_progress(store):
    memory = longterm()
    await remember(memory, store, *(f"My dog number {number} is called Rufus {number}." for number in range(150)))
    other = FailingEmbedder()
    other.mended = True
    assert await store.count_unembedded(other.name) == 150
    told = []
    assert await reindex(store, other, lambda done, of: told.append((done, of))) == 150
    assert told == [(64, 150), (128, 150), (150, 150)]
    assert await store.count_unembedded(other.name) == 0
    assert await store.count_unembedded(memory.embedder.name) == 150
    assert await reindex(store, other) == 0


async def test_re_indexing_goes_on_where_it_was_stopped(store):
    await remember(longterm(), store, *(f"My dog number {number} is called Rufus {number}." for number in range(150)))

    class Stopping(FailingEmbedder):
        async def embed(self, texts):
            self.mended = self.asked != 2
            return await super().embed(texts)

    stopping = Stopping()
    with pytest.raises(ModelError):
        await reindex(store, stopping)
    assert await store.count_unembedded(stopping.name) == 86
    told = []
    assert await reindex(store, stopping, lambda *progress: told.append(progress)) == 86
    assert told == [(64, 86), (86, 86)]


async def test_only_the_agents_that_are_named_are_re_indexed(store):
    await remember(longterm(), store, "My sister Clara keeps bees in Lyon.")
    other = FailingEmbedder()
    other.mended = True
    assert await reindex(store, other, agents=["somebody else"]) == 0
    assert await reindex(store, other, agents=["assistant"]) == 1


def test_the_name_tells_model_and_dimension():
    assert WordllamaEmbedder().name == "wordllama-l2_supercat/256"
