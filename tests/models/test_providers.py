"""Anthropic and Google in their own protocols: the real SDKs, talking to their wire formats on loopback."""

import asyncio
import os
import subprocess
import sys
from contextlib import aclosing, asynccontextmanager

import pytest

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import (
    ConfigError,
    ModelError,
    ModelInterrupted,
    ModelRateLimited,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.messages import Usage
from hector_nb.models.base import ModelFinished
from hector_nb.models.providers import ProviderModel, is_installed
from tests.fakes import anthropic_wire, gemini_wire
from tests.fakes.upstream import FakeUpstream, hang_up, send, silence
from tests.models.requests import PORT_OF_NOBODY, WEATHER, asking, read, text_of

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[anthropic_wire, gemini_wire], ids=lambda wire: wire.NAME)
def wire(request):
    return request.param


@pytest.fixture
async def upstream():
    async with FakeUpstream() as server:
        yield server


@pytest.fixture
async def waits():
    return []


@asynccontextmanager
async def model_at(upstream, wire, waits=None, **settings):
    async def sleep(seconds):
        if waits is not None:
            waits.append(seconds)

    given = {
        "model": "fake",
        "api_key": "secret-key",
        "timeout": 5,
        "sleep": sleep,
        "base_url": f"http://{upstream.host}",
    }
    model = ProviderModel(provider=wire.NAME, **(given | settings))
    try:
        yield model
    finally:
        await model.aclose()


async def test_an_answer_is_streamed_and_ends_with_its_usage(upstream, wire):
    upstream.then(wire.plain("Hel", "lo"))
    async with model_at(upstream, wire) as model:
        assert await read(model) == [
            TextDelta(text="Hel"),
            TextDelta(text="lo"),
            ModelFinished(finish_reason="stop", usage=Usage(prompt_tokens=25, completion_tokens=12)),
        ]
    assert upstream.requests[0].path.split("?")[0] == wire.PATH


async def test_text_is_passed_on_before_the_answer_is_complete(upstream, wire):
    gate = asyncio.Event()
    upstream.then(send(*wire.beginning("first"), gate))
    async with model_at(upstream, wire) as model, aclosing(model.stream(asking())) as stream, asyncio.timeout(30):
        assert await anext(stream) == TextDelta(text="first")


async def test_a_long_silence_is_a_timeout_also_before_the_first_byte(upstream, wire):
    async with model_at(upstream, wire, timeout=0.5) as model:
        for behaviour in (silence(), silence(head=False), send(*wire.beginning("Hello"), asyncio.Event())):
            upstream.then(behaviour)
            with pytest.raises(ModelTimeout, match=r"sent nothing for 0\.5 s"):
                await read(model)
    assert len(upstream.requests) == 3, "silence is not tried again"


@pytest.mark.parametrize(
    ("failure", "error", "says", "requests"),
    [
        ("bad key", ModelRefused, "refused the key", 1),
        ("rate limit", ModelRateLimited, "asks to slow down", 3),
        ("overloaded", ModelUnavailable, "overloaded or down", 3),
        ("failed", ModelError, "failed (500)", 3),
        ("too long", ModelRefused, "longer than `fake` can read", 1),
        ("unknown model", ModelRefused, "does not know the model `fake`", 1),
        ("no credit", ModelRefused, "quota is used up", 1),
        ("refused", ModelRefused, "refused the request (400)", 1),
    ],
)
async def test_what_providers_refuse_is_told_in_our_words(upstream, wire, waits, failure, error, says, requests):
    upstream.default = wire.ERRORS[failure]
    async with model_at(upstream, wire, waits) as model:
        with pytest.raises(ModelError) as caught:
            await read(model)
    assert type(caught.value) is error
    assert says in caught.value.message
    assert "secret-key" not in str(caught.value)
    assert len(upstream.requests) == requests
    if failure == "rate limit":
        assert waits == [7.0, 7.0]
        assert caught.value.details == {"retry_after": 7.0}


async def test_a_failed_request_is_repeated_until_it_is_answered(upstream, wire, waits):
    upstream.then(wire.ERRORS["overloaded"], hang_up(), wire.plain("Hello"))
    async with model_at(upstream, wire, waits) as model:
        assert text_of(await read(model)) == "Hello"
    assert len(waits) == 2


async def test_an_error_before_the_first_token_is_repeated_and_one_after_it_is_not(upstream, wire):
    upstream.then(send(wire.overloaded_in_stream()), send(*wire.beginning("Hello"), wire.overloaded_in_stream()))
    async with model_at(upstream, wire) as model:
        got = []
        with pytest.raises(ModelUnavailable, match="overloaded or down"):
            async with aclosing(model.stream(asking())) as stream:
                got.extend([delta async for delta in stream])
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("how", ["clean", "cut", "reset"])
async def test_an_answer_that_is_cut_says_so_and_is_not_asked_for_again(upstream, wire, how):
    read_some = asyncio.Event()

    async def behave(exchange):
        await exchange.head()
        for piece in wire.beginning("Hello"):
            await exchange.send(piece)
        await read_some.wait()
        await exchange.end() if how == "clean" else exchange.cut(reset=how == "reset")

    upstream.then(behave)
    async with model_at(upstream, wire) as model, aclosing(model.stream(asking())) as stream:
        assert await anext(stream) == TextDelta(text="Hello")
        read_some.set()
        with pytest.raises(ModelInterrupted, match="in the midst of its answer"):
            await anext(stream)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("behaviour", [send(), send(b"<html>Welcome</html>")], ids=["nothing", "a web page"])
async def test_what_is_no_answer_is_an_error(upstream, wire, behaviour):
    upstream.default = behaviour
    async with model_at(upstream, wire) as model:
        with pytest.raises(ModelError):
            await read(model)


async def test_who_cannot_be_reached_is_named(wire):
    async with (
        FakeUpstream() as upstream,
        model_at(upstream, wire, base_url=f"http://127.0.0.1:{PORT_OF_NOBODY}") as model,
    ):
        with pytest.raises(ModelUnavailable, match=f"`127.0.0.1:{PORT_OF_NOBODY}` refused the connection"):
            await read(model)


async def test_closing_the_iterator_closes_the_connection(upstream, wire):
    upstream.then(send(*wire.beginning("Hello"), asyncio.Event()))
    async with model_at(upstream, wire) as model:
        stream = model.stream(asking())
        await anext(stream)
        assert upstream.answering == 1
        await stream.aclose()
        await upstream.idle()
        assert upstream.abandoned == 1
        assert upstream.connections == 0


@pytest.mark.parametrize("started", [True, False])
async def test_cancelling_the_task_closes_the_connection(upstream, wire, started):
    upstream.then(silence() if started else silence(head=False))
    async with model_at(upstream, wire) as model:
        task = asyncio.create_task(read(model))
        await upstream.received(1)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.all_closed()
        upstream.then(wire.plain("Hello"))
        assert text_of(await read(model)) == "Hello", "the model works on"


async def test_closing_the_model_closes_its_idle_connections_and_it_can_be_used_again(upstream, wire):
    upstream.default = wire.plain("Hello")
    async with model_at(upstream, wire) as model:
        await read(model)
        assert upstream.connections == 1
        await model.aclose()
        await upstream.all_closed()
        assert text_of(await read(model)) == "Hello"


async def test_many_answers_at_once_do_not_wait_for_each_other(upstream, wire):
    gate = asyncio.Event()

    async def behave(exchange):
        await gate.wait()
        await wire.plain("Hello")(exchange)

    upstream.default = behave
    async with model_at(upstream, wire, timeout=20) as model, asyncio.timeout(30):
        tasks = [asyncio.create_task(read(model)) for _ in range(20)]
        await upstream.received(20)
        gate.set()
        assert {text_of(deltas) for deltas in await asyncio.gather(*tasks)} == {"Hello"}


async def test_settings_are_sent_to_anthropic(upstream):
    upstream.default = anthropic_wire.plain("x")
    async with model_at(upstream, anthropic_wire, model="claude-haiku-4-5", temperature=0.5, max_tokens=99) as model:
        await read(model, asking(tools=[WEATHER]))
    body = upstream.requests[0].body
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("claude-haiku-4-5", 0.5, 99)
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    (tool,) = body["tools"]
    assert (tool["name"], tool["input_schema"]) == ("weather", dict(WEATHER.parameters))
    assert "thinking" not in body


@pytest.mark.parametrize(
    ("model", "thinking", "sent"),
    [
        ("claude-haiku-4-5", "low", {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 2147}),
        ("claude-haiku-4-5", True, {"thinking": {"type": "enabled", "budget_tokens": 10000}, "max_tokens": 10099}),
        (
            "claude-opus-4-7",
            "high",
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "high"},
                "max_tokens": 99,
            },
        ),
    ],
)
async def test_thinking_is_asked_for_as_each_claude_takes_it(upstream, model, thinking, sent):
    upstream.default = anthropic_wire.plain("x")
    async with model_at(upstream, anthropic_wire, model=model, thinking=thinking, max_tokens=99) as asked:
        await read(asked)
    assert sent.items() <= upstream.requests[0].body.items()


async def test_a_temperature_that_a_model_does_not_take_is_left_out_and_told(upstream, caplog):
    upstream.default = anthropic_wire.plain("x")
    async with model_at(upstream, anthropic_wire, model="claude-opus-4-7", temperature=0.5) as model:
        await read(model)
    assert "temperature" not in upstream.requests[0].body
    assert "`claude-opus-4-7` takes no `temperature`" in caplog.text


async def test_settings_are_sent_to_google(upstream):
    upstream.default = gemini_wire.plain("x")
    async with model_at(upstream, gemini_wire, temperature=0.5, max_tokens=99, thinking="low") as model:
        await read(model, asking(tools=[WEATHER]))
    request = upstream.requests[0]
    body = request.body
    assert request.headers["x-goog-api-key"] == "secret-key"
    assert "secret-key" not in request.path
    config = body["generationConfig"]
    assert (config["temperature"], config["maxOutputTokens"]) == (0.5, 99)
    assert config["thinkingConfig"]["include_thoughts"] is True
    assert body["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert body["tools"][0]["functionDeclarations"][0]["name"] == "weather"


@pytest.mark.parametrize(
    ("wire", "behaviour", "reason"),
    [
        (anthropic_wire, anthropic_wire.answer(anthropic_wire.text(0, "x"), reason="max_tokens"), "length"),
        (anthropic_wire, anthropic_wire.answer(anthropic_wire.text(0, "x"), reason="refusal"), "content_filter"),
        (gemini_wire, gemini_wire.answer(gemini_wire.text("x"), reason="MAX_TOKENS"), "length"),
        (gemini_wire, gemini_wire.answer(gemini_wire.text("x"), reason="SAFETY"), "content_filter"),
        (
            gemini_wire,
            send(gemini_wire.event({"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r"})),
            "content_filter",
        ),
    ],
)
async def test_reasons_for_the_end_are_translated(upstream, wire, behaviour, reason):
    upstream.then(behaviour)
    async with model_at(upstream, wire) as model:
        assert (await read(model))[-1].finish_reason == reason


async def test_an_answer_that_google_breaks_off_is_tried_again_before_its_first_word(upstream):
    upstream.default = gemini_wire.answer(reason="MALFORMED_FUNCTION_CALL")
    async with model_at(upstream, gemini_wire) as model:
        with pytest.raises(ModelError, match="broke its answer off: MALFORMED_FUNCTION_CALL"):
            await read(model)
    assert len(upstream.requests) == 3


async def test_thinking_comes_apart_from_the_answer(upstream):
    upstream.then(anthropic_wire.answer(anthropic_wire.thinking(0, "sig", "h", "m"), anthropic_wire.text(1, "Yes")))
    async with model_at(upstream, anthropic_wire) as model:
        assert (await read(model))[:3] == [ThinkingDelta(text="h"), ThinkingDelta(text="m"), TextDelta(text="Yes")]
    upstream.then(gemini_wire.answer(gemini_wire.thinking("hm"), gemini_wire.text("Yes")))
    async with model_at(upstream, gemini_wire) as model:
        assert (await read(model))[:2] == [ThinkingDelta(text="hm"), TextDelta(text="Yes")]


async def test_the_key_comes_from_the_environment_and_its_lack_is_explained(wire):
    config = LLMConfig(provider=wire.NAME)
    variable = {"anthropic": "ANTHROPIC_API_KEY", "google": "GEMINI_API_KEY"}[wire.NAME]
    model = ProviderModel.from_config(config, environ={variable: "from-environ"})
    assert model.api_key == "from-environ"
    assert model.can_call_tools
    without = ProviderModel.from_config(config, environ={})
    with pytest.raises(ModelRefused, match="needs a key") as caught:
        await read(without)
    assert variable in caught.value.hint


async def test_the_key_of_a_provider_is_not_sent_to_another_address(wire):
    config = LLMConfig(provider=wire.NAME, base_url="http://elsewhere.example")
    assert ProviderModel.from_config(config, environ={"ANTHROPIC_API_KEY": "x", "GEMINI_API_KEY": "x"}).api_key is None


@pytest.mark.parametrize(
    ("provider", "base_url", "expected"),
    [
        ("anthropic", None, "https://api.anthropic.com"),
        ("google", None, "https://generativelanguage.googleapis.com"),
        ("anthropic", "http://proxy:1/anthropic/v1/", "http://proxy:1/anthropic"),
        ("google", "http://proxy:1", "http://proxy:1"),
        ("google", "http://proxy:1/v1beta/openai", "http://proxy:1"),
    ],
)
def test_addresses_are_taken_with_or_without_their_version(provider, base_url, expected):
    model = ProviderModel.from_config(LLMConfig(provider=provider, base_url=base_url), environ={})
    assert model.base_url == expected


def test_an_address_that_is_none_is_a_configuration_error():
    with pytest.raises(ConfigError, match="http or https"):
        ProviderModel.from_config(LLMConfig(provider="google", base_url="localhost:80"), environ={})


async def test_addresses_and_keys_of_the_sdks_own_variables_do_not_count(upstream, wire, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "another")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GOOGLE_API_KEY", "another")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    upstream.then(wire.plain("Hello"))
    async with model_at(upstream, wire) as model:
        assert text_of(await read(model)) == "Hello"
    assert "another" not in str(upstream.requests[0].headers)


async def test_a_missing_extra_is_explained(wire, monkeypatch):
    monkeypatch.setitem(sys.modules, "hector_nb.models.pydantic_client", None)
    model = ProviderModel.from_config(LLMConfig(provider=wire.NAME, api_key="x"), environ={})
    with pytest.raises(ModelUnavailable, match="not installed") as caught:
        await read(model)
    assert caught.value.hint == f'Run: pip install "hector_nb[{wire.NAME}]"'


def test_whether_an_extra_is_installed_is_found_out_without_importing_it(wire, monkeypatch):
    assert is_installed(wire.NAME)
    code = (
        "import sys; from hector_nb.models.providers import is_installed; is_installed('anthropic'); is_installed('google');"
        "print([name for name in ('pydantic_ai', 'anthropic', 'google.genai') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout == "[]\n"
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    assert not is_installed(wire.NAME)
