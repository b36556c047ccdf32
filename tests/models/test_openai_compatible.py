import asyncio
import socket
from contextlib import aclosing, asynccontextmanager

import pytest

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import ConfigError, ModelInterrupted, ModelRefused
from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.messages import Usage
from hector_nb.models.base import ModelFinished
from hector_nb.models.openai_compatible import OpenAICompatibleModel
from tests.fakes.upstream import DONE, FakeUpstream, answer, chunk, deltas, send, silence, status
from tests.models.requests import WEATHER, asking, call, message, openai_model, read, text_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def upstream():
    async with FakeUpstream() as server:
        yield server


@asynccontextmanager
async def model_at(upstream, **settings):
    model = openai_model(**({"model": "fake", "base_url": upstream.url, "timeout": 5} | settings))
    try:
        yield model
    finally:
        await model.aclose()


async def test_an_answer_is_streamed_and_ends_with_its_usage(upstream):
    upstream.then(answer("Hel", "lo", usage=(7, 2)))
    async with model_at(upstream) as model:
        assert await read(model) == [
            TextDelta(text="Hel"),
            TextDelta(text="lo"),
            ModelFinished(finish_reason="stop", usage=Usage(prompt_tokens=7, completion_tokens=2)),
        ]


async def test_text_is_passed_on_before_the_answer_is_complete(upstream):
    gate = asyncio.Event()
    upstream.then(answer("first", gate, "second"))
    async with model_at(upstream) as model, aclosing(model.stream(asking())) as stream, asyncio.timeout(30):
        assert await anext(stream) == TextDelta(text="first")
        gate.set()
        assert await anext(stream) == TextDelta(text="second")


async def test_the_request_holds_history_tools_and_settings(upstream):
    history = [
        message("user", "Weather in Rome?"),
        message("assistant", "", tool_calls=(call(city="Rome"),)),
        message("tool", "sunny", call_id="call_1"),
        message("assistant", "", status="cancelled"),
    ]
    async with model_at(upstream, api_key="secret", temperature=0.5, max_tokens=99, thinking="low") as model:
        await read(model, asking("And é now?", tools=[WEATHER], before=history))
    request = upstream.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.body == {
        "model": "fake",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Rome?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "user", "content": "And é now?"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "max_tokens": 99,
        "reasoning_effort": "low",
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather at a place.",
                    "parameters": dict(WEATHER.parameters),
                },
            }
        ],
    }


async def test_what_is_not_configured_is_not_sent(upstream):
    async with model_at(upstream) as model:
        await read(model, asking(system=""))
    assert upstream.requests[0].body == {
        "model": "fake",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "authorization" not in upstream.requests[0].headers


@pytest.mark.parametrize(
    ("provider", "base_url", "thinking", "expected"),
    [
        ("openai", "https://api.openai.com/v1", True, {"max_completion_tokens": 5, "reasoning_effort": "medium"}),
        ("ollama", "http://localhost/v1", False, {"max_tokens": 5, "reasoning_effort": "none"}),
        ("anthropic", "http://x/v1", "low", {"max_tokens": 5, "thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("anthropic", "http://x/v1", False, {"max_tokens": 5, "thinking": {"type": "disabled"}}),
    ],
)
async def test_limits_and_thinking_are_asked_for_in_the_providers_way(provider, base_url, thinking, expected):
    model = openai_model(model="m", base_url=base_url, provider=provider, max_tokens=5, thinking=thinking)
    assert expected.items() <= model._settings.items()


async def test_a_lone_surrogate_in_a_message_does_not_break_the_request(upstream):
    async with model_at(upstream) as model:
        assert text_of(await read(model, asking("a\ud83db"))) == "Hello world"
    assert upstream.requests[0].body["messages"][1]["content"] == "a?b"


async def test_a_request_of_several_megabytes_is_sent(upstream):
    text = "word " * 500_000
    async with model_at(upstream) as model:
        assert text_of(await read(model, asking(text))) == "Hello world"
    assert upstream.requests[0].body["messages"][1]["content"] == text


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_reasoning_comes_as_thinking(upstream, name):
    upstream.then(deltas({name: "hm"}, {"content": "Yes"}))
    async with model_at(upstream) as model:
        assert (await read(model))[:2] == [ThinkingDelta(text="hm"), TextDelta(text="Yes")]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("length", "length"), ("content_filter", "content_filter"), ("eos", "stop"), ("MAX_TOKENS", "length")],
)
async def test_reasons_for_the_end_are_translated(upstream, sent, expected):
    upstream.then(answer("x", finish_reason=sent, usage=None))
    async with model_at(upstream) as model:
        assert (await read(model))[-1] == ModelFinished(finish_reason=expected)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(answer("Hello", done=False), id="no end mark"),
        pytest.param(answer("Hello", finish_reason=None), id="no finish reason"),
        pytest.param(send(b": hi\n\n", chunk({"content": "Hello"}), b": hi\n", DONE), id="comments"),
        pytest.param(send(chunk({"content": "Hello"}).replace(b"\n", b"\r\n"), b"data: [DONE]\r\n\r\n"), id="crlf"),
        pytest.param(send(chunk({"content": "Hello"}).replace(b"data: ", b"data:"), DONE), id="no space"),
        pytest.param(send(b"event: message\nid: 7\n" + chunk({"content": "Hello"}), DONE), id="other fields"),
        pytest.param(send(chunk({"content": "Hello"})[:-1] + DONE), id="no empty line between events"),
        pytest.param(send(chunk({"content": "Hello"}, "stop").rstrip(), chunked=False), id="no last line end"),
        pytest.param(send(chunk({"content": "Hello"}), DONE, b"data: {broken\n\n"), id="rubbish after the end"),
        pytest.param(send(b"data: {}\n\n", b'data: {"choices":[]}\n\n', chunk({"content": "Hello"}), DONE), id="empty"),
        pytest.param(
            status(200, {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}), id="not streamed"
        ),
    ],
)
async def test_every_way_of_framing_gives_the_answer(upstream, behaviour):
    upstream.then(behaviour)
    async with model_at(upstream) as model:
        got = await read(model)
    assert text_of(got) == "Hello"
    assert got[-1].finish_reason == "stop"


async def test_a_very_long_event_is_read(upstream):
    text = "é" * 500_000
    upstream.then(answer(text))
    async with model_at(upstream) as model:
        assert text_of(await read(model)) == text


async def test_a_complete_answer_counts_although_the_connection_is_cut_before_the_end_mark(upstream):
    async def behave(exchange):
        await exchange.head()
        await exchange.send(chunk({"content": "Hello"}, "stop"))
        exchange.cut(reset=False)

    upstream.then(behave)
    async with model_at(upstream) as model:
        assert await read(model) == [TextDelta(text="Hello"), ModelFinished(finish_reason="stop")]


async def test_one_connection_serves_one_turn_after_the_other(upstream):
    async with model_at(upstream) as model:
        for _ in range(5):
            await read(model)
            await upstream.idle()
        assert upstream.connections == 1
    await upstream.all_closed()


async def test_closing_the_iterator_closes_the_connection(upstream):
    upstream.then(silence("Hello"))
    async with model_at(upstream) as model:
        stream = model.stream(asking())
        await anext(stream)
        assert upstream.answering == 1
        await stream.aclose()
        await upstream.all_closed()
        assert upstream.abandoned == 1


@pytest.mark.parametrize("behaviour", [silence("Hello"), silence(), silence(head=False)])
async def test_cancelling_the_task_closes_the_connection(upstream, behaviour):
    upstream.then(behaviour)
    async with model_at(upstream) as model:
        task = asyncio.create_task(read(model))
        await upstream.received(1)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.all_closed()


async def test_a_model_works_again_after_a_cancelled_answer(upstream):
    upstream.then(silence("Hello"))
    async with model_at(upstream) as model:
        async with aclosing(model.stream(asking())) as stream:
            await anext(stream)
        assert text_of(await read(model)) == "Hello world"


async def test_many_answers_at_once_do_not_wait_for_each_other(upstream):
    gate = asyncio.Event()
    upstream.default = answer(gate, "Hello")
    async with model_at(upstream) as model, asyncio.timeout(30):
        tasks = [asyncio.create_task(read(model)) for _ in range(150)]
        await upstream.received(150)
        gate.set()
        assert {text_of(deltas) for deltas in await asyncio.gather(*tasks)} == {"Hello"}


async def test_a_proxy_from_the_environment_is_used_but_not_for_this_machine(upstream, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://{upstream.host}")
    monkeypatch.setenv("no_proxy", "")
    upstream.then(answer("by proxy"))
    async with model_at(upstream, base_url="http://provider.example/v1") as model:
        assert text_of(await read(model)) == "by proxy"
    assert upstream.requests[0].path == "http://provider.example/v1/chat/completions"
    async with model_at(upstream) as model:
        await read(model)
    assert upstream.requests[1].path == "/v1/chat/completions"


async def test_a_netrc_file_does_not_get_in_the_way(upstream, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with model_at(upstream, api_key="key") as model:
        await read(model)
    assert upstream.requests[0].headers["authorization"] == "Bearer key"


async def test_the_key_comes_from_the_environment_and_its_lack_is_explained(tmp_path):
    config = LLMConfig(provider="openai", model="gpt-4o")
    model = OpenAICompatibleModel.from_config(config, environ={"OPENAI_API_KEY": "from-environ"})
    assert model._connection.headers["Authorization"] == "Bearer from-environ"
    assert (model.host, model.encoding, model.context_window) == ("api.openai.com", "o200k_base", 128_000)
    without = OpenAICompatibleModel.from_config(config, environ={})
    with pytest.raises(ModelRefused, match="needs a key") as caught:
        await read(without)
    assert "OPENAI_API_KEY" in caught.value.hint


async def test_the_key_of_a_provider_is_not_sent_to_another_address():
    config = LLMConfig(provider="openai", model="m", base_url="http://elsewhere.example/v1")
    model = OpenAICompatibleModel.from_config(config, environ={"OPENAI_API_KEY": "secret"})
    assert "Authorization" not in model._connection.headers


@pytest.mark.parametrize(
    ("config", "name", "host"),
    [
        ({"provider": "anthropic"}, "claude-haiku-4-5", "api.anthropic.com"),
        ({"provider": "google"}, "gemini-flash-latest", "generativelanguage.googleapis.com"),
        ({"provider": "ollama", "model": "qwen3"}, "qwen3", "127.0.0.1:11434"),
        ({"provider": "openai-compatible", "model": "m", "base_url": "http://u:p@[::1]:9/v1/"}, "m", "[::1]:9"),
    ],
)
async def test_providers_have_their_addresses(config, name, host):
    model = OpenAICompatibleModel.from_config(LLMConfig(**config), environ={})
    assert (model.name, model.host) == (name, host)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"provider": "ollama"}, "needs `model`"),
        ({"provider": "openai-compatible", "model": "m"}, "needs `base_url`"),
        ({"provider": "openai", "model": "m", "base_url": "localhost:80"}, "http or https"),
    ],
)
async def test_an_incomplete_entry_is_explained(config, problem):
    with pytest.raises(ConfigError, match=problem):
        OpenAICompatibleModel.from_config(LLMConfig(**config), environ={})


async def test_a_server_that_closes_at_once_is_told_apart_from_a_refused_connection(upstream):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        async def close_first():
            loop = asyncio.get_running_loop()
            listener.setblocking(False)
            connection, _ = await loop.sock_accept(listener)
            connection.close()

        task = asyncio.create_task(close_first())
        model = openai_model(model="m", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0)
        with pytest.raises(ModelInterrupted, match="before its answer"):
            await read(model)
        await task
        await model.aclose()
