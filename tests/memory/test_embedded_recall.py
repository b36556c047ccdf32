"""The embedded model answers in a second session from what was said in the first."""

import asyncio

import pytest

from hector_nb.config.schema import LLMConfig
from hector_nb.memory.recalled import memory_block
from hector_nb.models.base import ModelRequest
from hector_nb.models.local import LocalModel
from hector_nb.stores.sqlite import SQLiteStore
from tests.memory.longterm_world import longterm, say, take_in
from tests.models.conftest import CACHE
from tests.models.requests import message, read, text_of
from tests.stores.making import USER

pytestmark = [pytest.mark.anyio, pytest.mark.embedded]
SYSTEM = "You are a helpful assistant. Answer in one short sentence."
# With these words the answers are right whatever day stands beside a memory; so small a model is easily thrown off.
TOLD = (
    ("My sister Clara keeps bees in Lyon.", "Where does my sister Clara keep bees?", "Lyon"),
    ("My favourite composer is Schubert.", "Who is my favourite composer?", "Schubert"),
    ("We booked the hotel Aurora for the conference in Vienna.", "Which hotel did we book for Vienna?", "Aurora"),
    ("Our server runs on port 8443.", "Which port does our server run on?", "8443"),
)


@pytest.fixture
async def model(embedded_file):
    model = LocalModel.from_config(
        LLMConfig(provider="local", max_tokens=32, temperature=0.0), folder=CACHE, cache_folder=CACHE
    )
    yield model
    await model.aclose()


@pytest.fixture
async def store(tmp_path):
    store = SQLiteStore(tmp_path / "hector.db")
    await store.aopen()
    yield store
    await store.aclose()


async def ask(model, text):
    return text_of(await read(model, ModelRequest(system=SYSTEM, messages=[message("user", text)])))


async def test_the_embedded_model_answers_from_what_was_said_in_another_session(store, model):
    memory = longterm()
    answers = []
    async with asyncio.timeout(300):
        for said, _, _ in TOLD:
            await say(store, (said, await ask(model, said)), session_id="first")
        await take_in(memory, store, session_id="first")
        for _, question, _ in TOLD:
            recalled = await memory.recall(store, user=USER, session_id="second", text=question, seen=None)
            answers.append(await ask(model, memory_block(recalled) + question))
        assert "Lyon" not in await ask(model, TOLD[0][1])
    assert "Lyon" in answers[0]
    assert sum(word in answer for (_, _, word), answer in zip(TOLD, answers, strict=True)) >= 3, answers
