import socket
import sys
import time

import pytest

from hector_nb.bootstrap.models import make_model
from hector_nb.config.schema import LLMConfig
from hector_nb.models import available
from hector_nb.models.available import choices, first_available
from hector_nb.models.endpoints import known_encoding, known_window, ollama_url
from hector_nb.models.openai_compatible import OpenAICompatibleModel
from hector_nb.models.providers import ProviderModel
from tests.fakes.upstream import FakeUpstream
from tests.models.requests import PORT_OF_NOBODY, read, text_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ollama(monkeypatch):
    """One that is waited for, however long it takes here."""
    monkeypatch.setattr(available, "PROBE_TIMEOUT", 30)
    async with FakeUpstream() as server:
        yield server


@pytest.fixture
def nobody():
    return {"OLLAMA_HOST": f"127.0.0.1:{PORT_OF_NOBODY}"}


@pytest.mark.parametrize(
    ("variables", "provider"),
    [
        (["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"], "openai"),
        (["ANTHROPIC_API_KEY", "GEMINI_API_KEY"], "anthropic"),
        (["GEMINI_API_KEY"], "google"),
    ],
)
async def test_a_key_decides_in_this_order(ollama, variables, provider):
    environ = dict.fromkeys(variables, "key") | {"OLLAMA_HOST": ollama.host}
    config = await first_available(environ)
    assert config.provider == provider
    assert OpenAICompatibleModel.from_config(config, environ=environ).name == config.model


async def test_a_key_is_used_in_the_providers_own_protocol_where_that_is_installed(nobody, monkeypatch, tmp_path):
    environ = nobody | {"ANTHROPIC_API_KEY": "key", "GEMINI_API_KEY": "key"}
    _, anthropic, google, *_ = [choice async for choice in choices(environ)]
    assert anthropic.reason == "ANTHROPIC_API_KEY is set; in its own protocol"
    assert google.reason == "GEMINI_API_KEY is set; in its own protocol"
    for choice in (anthropic, google):
        model = make_model(choice.llm, environ=environ, folder=tmp_path)
        assert (type(model), model.name, model.api_key) == (ProviderModel, choice.llm.model, "key")


async def test_else_it_is_used_at_their_compatible_endpoint(nobody, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    environ = nobody | {"ANTHROPIC_API_KEY": "key"}
    _, choice, *_ = [choice async for choice in choices(environ)]
    assert choice.reason.startswith("ANTHROPIC_API_KEY is set; through its OpenAI-compatible endpoint")
    assert 'pip install "hector_nb[anthropic]"' in choice.reason
    model = make_model(choice.llm, environ=environ, folder=tmp_path)
    assert (type(model), model.host) == (OpenAICompatibleModel, "api.anthropic.com")


async def test_an_address_of_ones_own_is_never_taken_for_a_compatible_endpoint(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    llm = LLMConfig(provider="anthropic", base_url="http://proxy/anthropic", api_key="key")
    model = make_model(llm, environ={}, folder=tmp_path)
    assert isinstance(model, ProviderModel)


async def test_without_keys_a_reachable_ollama_is_asked_for_a_chat_model(ollama):
    ollama.models = ["nomic-embed-text:latest", "qwen3:0.6b", "llama3.2:1b"]
    environ = {"OLLAMA_HOST": ollama.host, "OPENAI_API_KEY": ""}
    config = await first_available(environ)
    assert config == LLMConfig(provider="ollama", model="qwen3:0.6b")
    model = OpenAICompatibleModel.from_config(config, environ=environ)
    assert text_of(await read(model)) == "Hello world"
    await model.aclose()


async def test_an_ollama_without_models_does_not_count(ollama):
    ollama.models = []
    assert await first_available({"OLLAMA_HOST": ollama.host}) == LLMConfig(provider="local")


async def test_without_anything_it_is_the_embedded_model(nobody):
    assert await first_available(nobody) == LLMConfig(provider="local")


async def test_a_port_that_does_not_answer_costs_a_moment_only():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = time.perf_counter()
        environ = {"OLLAMA_HOST": f"127.0.0.1:{listener.getsockname()[1]}"}
        assert (await first_available(environ)).provider == "local"
        assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        ("box:99", "http://box:99"),
        ("https://box", "https://box:443"),
        ("http://box:1/ollama/", "http://box:1/ollama"),
        ("[::1]:5", "http://[::1]:5"),
    ],
)
def test_ollamas_address_is_read_as_ollama_reads_it(raw, url):
    assert ollama_url({"OLLAMA_HOST": raw}) == url


@pytest.mark.parametrize(
    ("provider", "model", "window"),
    [
        ("openai", "gpt-4", 8192),
        ("openai", "gpt-4o-mini", 128_000),
        ("openai", "gpt-4.1-mini", 1_047_576),
        ("openai-compatible", "openai/gpt-5-mini", 400_000),
        ("openai-compatible", "mystery", 8192),
        ("ollama", "gpt-4o-lookalike", 4096),
        ("anthropic", "claude-haiku-4-5", 200_000),
    ],
)
def test_windows_of_known_models(provider, model, window):
    assert known_window(provider, model) == window


@pytest.mark.parametrize(
    ("provider", "model", "encoding"),
    [
        ("openai", "gpt-4o-2024-08-06", "o200k_base"),
        ("openai", "gpt-4.1-mini", "o200k_base"),
        ("openai", "o3", "o200k_base"),
        ("openai", "o4-mini-2025-04-16", "o200k_base"),
        ("openai", "o9-newer-than-the-table", "o200k_base"),
        ("openai", "ft:gpt-4o:mine", "o200k_base"),
        ("openai", "gpt-3.5-turbo", "cl100k_base"),
        ("openai", "mystery", None),
        ("openai-compatible", "openai/gpt-4o", "o200k_base"),
        ("openai-compatible", "gpt-4o-lookalike", None),
        ("ollama", "gpt-oss:20b", "o200k_harmony"),
        ("ollama", "llama3.2", None),
        ("anthropic", "claude-haiku-4-5", None),
    ],
)
def test_encodings_of_known_models(provider, model, encoding):
    assert known_encoding(provider, model) == encoding
