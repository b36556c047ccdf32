"""An embedder at an OpenAI-compatible endpoint: what is sent, what comes back, and what cannot be used."""

import math
import struct
from contextlib import asynccontextmanager

import pytest

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import ConfigError, ModelError, ModelInterrupted, ModelRefused, ModelTimeout, ModelUnavailable
from hector_nb.models.connection import Access
from hector_nb.models.openai_embedder import OpenAICompatibleEmbedder
from tests.fakes.upstream import FakeUpstream, hang_up, silence, status
from tests.models.requests import PORT_OF_NOBODY

pytestmark = pytest.mark.anyio


def vectors(*numbers, indices=None):
    """An answer with these vectors."""
    places = indices or range(len(numbers))
    data = [
        {"object": "embedding", "index": place, "embedding": each} for place, each in zip(places, numbers, strict=True)
    ]
    return status(200, {"object": "list", "data": data, "model": "fake"})


def unpacked(vector):
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))


@pytest.fixture
async def upstream():
    async with FakeUpstream() as server:
        yield server


@asynccontextmanager
async def embedder_at(upstream, **access):
    async def at_once(_):
        pass

    access = Access(**({"base_url": upstream.url, "timeout": 5} | access))
    embedder = OpenAICompatibleEmbedder(access, model="fake-embedder", sleep=at_once)
    try:
        yield embedder
    finally:
        await embedder.aclose()


async def test_vectors_come_back_with_length_1_in_the_order_of_the_texts(upstream):
    upstream.then(vectors([0, 5.0, 0], [3, 0, 4], indices=[1, 0]))
    async with embedder_at(upstream, api_key="secret") as embedder:
        first, second = await embedder.embed(["one", "two"])
        assert unpacked(first) == pytest.approx([0.6, 0, 0.8])
        assert unpacked(second) == [0, 1, 0]
        assert embedder.name == "fake-embedder/3"
    (request,) = upstream.requests
    assert request.path == "/v1/embeddings"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.body == {"model": "fake-embedder", "input": ["one", "two"], "encoding_format": "float"}


async def test_many_texts_are_sent_in_batches_and_none_is_empty(upstream):
    upstream.then(vectors(*[[1.0, 1.0]] * 64), vectors(*[[1.0, 0.0]] * 6))
    async with embedder_at(upstream) as embedder:
        found = await embedder.embed([""] * 70)
    assert len(found) == 70
    assert math.hypot(*unpacked(found[0])) == pytest.approx(1)
    assert [len(request.body["input"]) for request in upstream.requests] == [64, 6]
    assert upstream.requests[1].body["input"] == ["."] * 6


async def test_no_text_needs_no_request(upstream):
    async with embedder_at(upstream) as embedder:
        assert list(await embedder.embed([])) == []
    assert upstream.requests == []


async def test_a_passing_failure_is_tried_again(upstream):
    upstream.then(status(503, {"error": {"message": "warming up"}}), hang_up(), vectors([1.0]))
    async with embedder_at(upstream) as embedder:
        assert len(await embedder.embed(["text"])) == 1
    assert len(upstream.requests) == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (vectors([1.0, 0.0]), "1 vectors for 2 texts"),
        (vectors([1.0], [1.0], [1.0]), "3 vectors for 2 texts"),
        (vectors([1.0], [1.0], indices=[0, 0]), "in no order"),
        (vectors([1.0], [1.0], indices=[0, 7]), "in no order"),
        (vectors([1.0], [1.0], indices=[0, "1"]), "in no order"),
        (vectors([1.0, 0.0], [1.0]), "dimension of its vectors from 2 to 1"),
        (vectors([1.0, 0.0], [0.0, 0.0]), "no direction"),
        (vectors([1.0, 0.0], [math.nan, 0.0]), "no direction"),
        (vectors([1.0, 0.0], [math.inf, 0.0]), "no direction"),
        (vectors([1.0, 0.0], ["a", 0.0]), "no direction"),
        (vectors([1.0, 0.0], []), "empty"),
        (vectors([1.0, 0.0], None), "empty"),
        (vectors([1.0, 0.0], "AAAA"), "empty"),
        (status(200, {"data": "nothing"}), "did not send vectors"),
        (status(200, {"data": [1, 2]}), "did not send vectors"),
        (status(200, []), "did not send vectors"),
        (status(200, b"<html>hello</html>"), "does not answer in JSON"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_a_clear_error(upstream, answer, said):
    upstream.then(answer)
    async with embedder_at(upstream) as embedder:
        with pytest.raises(ModelError, match=said):
            await embedder.embed(["one", "two"])


async def test_a_change_of_the_dimension_is_an_error(upstream):
    upstream.then(vectors([1.0, 0.0, 0.0]), vectors([1.0, 0.0]))
    async with embedder_at(upstream) as embedder:
        assert embedder.name == "fake-embedder/?"
        await embedder.embed(["text"])
        with pytest.raises(ModelError, match="changed the dimension of its vectors from 3 to 2"):
            await embedder.embed(["text"])
        assert embedder.name == "fake-embedder/3"


@pytest.mark.parametrize(
    ("answer", "error", "timeout"),
    [
        (status(401, {"error": {"message": "bad key sk-secret123"}}), ModelRefused, 30),
        (status(404, {"error": {"message": "no such model"}}), ModelRefused, 30),
        (status(503, {"error": {"message": "overloaded"}}), ModelUnavailable, 30),
        (hang_up(), ModelInterrupted, 30),
        (silence(), ModelTimeout, 0.5),
    ],
)
async def test_failures_are_told_as_those_of_models(upstream, answer, error, timeout):
    upstream.then(answer)
    async with embedder_at(upstream, api_key="sk-secret123", max_retries=0, timeout=timeout) as embedder:
        with pytest.raises(error) as caught:
            await embedder.embed(["text"])
    assert "secret123" not in str(caught.value)


async def test_nobody_at_the_address_is_told():
    embedder = OpenAICompatibleEmbedder(
        Access(base_url=f"http://127.0.0.1:{PORT_OF_NOBODY}/v1", max_retries=0), model="m"
    )
    with pytest.raises(ModelUnavailable, match="refused the connection"):
        await embedder.embed(["text"])
    await embedder.aclose()


async def test_without_its_key_nothing_is_sent(upstream):
    async with embedder_at(upstream, needs_key=True, key_variable="OPENAI_API_KEY") as embedder:
        with pytest.raises(ModelRefused, match="needs a key"):
            await embedder.embed(["text"])
    assert upstream.requests == []


def test_secrets_are_not_shown():
    access = Access(base_url="http://ann:hunter2@localhost/v1", api_key="sk-secret123")
    assert "secret123" not in repr(access)
    assert "hunter2" not in repr(access)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"provider": "openai"}, "text-embedding-3-small/?"),
        ({"provider": "google"}, "gemini-embedding-001/?"),
        ({"provider": "ollama", "model": "nomic-embed-text"}, "nomic-embed-text/?"),
    ],
)
def test_an_entry_of_the_configuration_names_the_embedder(config, name):
    embedder = OpenAICompatibleEmbedder.from_config(LLMConfig(**config), environ={"OPENAI_API_KEY": "sk-1"})
    assert embedder.name == name


def test_an_entry_without_a_model_is_an_error_where_none_is_known():
    with pytest.raises(ConfigError, match="needs `model`"):
        OpenAICompatibleEmbedder.from_config(LLMConfig(provider="ollama"), environ={})
