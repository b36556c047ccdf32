"""Tool calls of Anthropic and Google over several requests: parallel calls, and what was signed goes back where it must."""

import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.messages import INVALID_ARGUMENTS, ToolCall
from hector_nb.models.base import ModelRequest
from hector_nb.models.providers import ProviderModel
from tests.fakes import anthropic_wire as claude
from tests.fakes import gemini_wire as gemini
from tests.fakes.upstream import FakeUpstream, send
from tests.models.requests import WEATHER, asking, call, message, read, renamed

pytestmark = pytest.mark.anyio
TWO_CALLS = {
    "anthropic": claude.answer(
        claude.thinking(0, "sig-1", "h", "m"),
        claude.text(1, "Let me ", "look."),
        claude.call(2, "toolu_1", "weather", '{"city"', ': "A"}'),
        claude.redacted(3, "secret"),
        claude.call(4, "toolu_2", "weather", '{"city": "B"}'),
        reason="tool_use",
    ),
    "google": gemini.answer(
        gemini.thinking("h", "m"),
        gemini.text("Let me ", "look."),
        gemini.call("weather", {"city": "A"}, call_id="toolu_1", signature="sig-1"),
        gemini.call("weather", {"city": "B"}, call_id="toolu_2"),
    ),
}


@pytest.fixture
async def upstream():
    async with FakeUpstream() as server:
        yield server


@asynccontextmanager
async def model_at(upstream, wire, **settings):
    given = {"model": "fake", "api_key": "k", "timeout": 7, "base_url": f"http://{upstream.host}"}
    model = ProviderModel(provider=wire.NAME, **(given | settings))
    try:
        yield model
    finally:
        await model.aclose()


async def answered(upstream, model, behaviour):
    """The assistant message that a turn keeps of this answer."""
    upstream.then(behaviour)
    got = await read(model, asking("Weather?", tools=[WEATHER]))
    state = got[-1].provider_state
    assert json.loads(json.dumps(state)) == state
    return message(
        "assistant",
        "".join(delta.text for delta in got if isinstance(delta, TextDelta)),
        thinking="".join(delta.text for delta in got if isinstance(delta, ThinkingDelta)),
        tool_calls=renamed(delta for delta in got if isinstance(delta, ToolCall)),
        provider_state=state,
    )


async def sent_after(upstream, model, wire, answer, *after):
    """What is sent after this answer and its results, in the same turn or, with more messages, in a later one."""
    upstream.then(wire.plain("x"))
    results = [message("tool", "sunny", call_id=call.call_id) for call in answer.tool_calls]
    history = [message("user", "Weather?"), answer, *results, *after]
    await read(model, ModelRequest(system="", messages=history, tools=[WEATHER]))
    body = upstream.requests[-1].body
    return body["messages" if wire is claude else "contents"]


@pytest.mark.parametrize("wire", [claude, gemini], ids=lambda wire: wire.NAME)
async def test_parallel_calls_come_whole_after_text_and_thinking(upstream, wire):
    upstream.then(TWO_CALLS[wire.NAME])
    async with model_at(upstream, wire) as model:
        got = await read(model, asking(tools=[WEATHER]))
    assert got[:-1] == [
        ThinkingDelta(text="h"),
        ThinkingDelta(text="m"),
        TextDelta(text="Let me "),
        TextDelta(text="look."),
        call(call_id="toolu_1", city="A"),
        call(call_id="toolu_2", city="B"),
    ]
    assert got[-1].finish_reason == "tool_calls"


async def test_claude_gets_its_signed_thinking_back_before_the_results(upstream):
    async with model_at(upstream, claude, thinking=True) as model:
        answer = await answered(upstream, model, TWO_CALLS["anthropic"])
        _, assistant, results = await sent_after(upstream, model, claude, answer)
    assert assistant["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig-1"},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "A"}},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {"city": "B"}},
    ]
    assert results["role"] == "user"
    assert [(part["type"], part["tool_use_id"]) for part in results["content"]] == [
        ("tool_result", "toolu_1"),
        ("tool_result", "toolu_2"),
    ]


async def test_claude_gets_no_thinking_of_older_turns(upstream):
    async with model_at(upstream, claude, thinking=True) as model:
        answer = await answered(upstream, model, TWO_CALLS["anthropic"])
        later = [message("assistant", "Sunny."), message("user", "And now?")]
        sent = await sent_after(upstream, model, claude, answer, *later)
    assert [part["type"] for part in sent[1]["content"]] == ["text", "tool_use", "tool_use"]
    assert "signature" not in json.dumps(sent)


async def test_gemini_gets_the_signature_of_its_call_back(upstream):
    async with model_at(upstream, gemini) as model:
        answer = await answered(upstream, model, TWO_CALLS["google"])
        for after in ([], [message("assistant", "Sunny."), message("user", "And now?")]):
            sent = await sent_after(upstream, model, gemini, answer, *after)
            calls = [part for part in sent[1]["parts"] if "functionCall" in part]
            assert [part["functionCall"]["args"] for part in calls] == [{"city": "A"}, {"city": "B"}]
            assert calls[0]["thoughtSignature"] == gemini.sign("sig-1")
            assert "thoughtSignature" not in calls[1]
            results = [part["functionResponse"] for part in sent[2]["parts"]]
            assert [(each["name"], each["id"]) for each in results] == [("weather", "toolu_1"), ("weather", "toolu_2")]


@pytest.mark.parametrize("wire", [claude, gemini], ids=lambda wire: wire.NAME)
async def test_an_answer_that_was_changed_since_goes_back_without_its_signatures(upstream, wire):
    async with model_at(upstream, wire) as model:
        answer = await answered(upstream, model, TWO_CALLS[wire.NAME])
        sent = await sent_after(upstream, model, wire, replace(answer, content="Let me think."))
    assert "sig-1" not in json.dumps(sent)
    assert gemini.sign("sig-1") not in json.dumps(sent)
    assert "Let me think." in json.dumps(sent)


@pytest.mark.parametrize("wire", [claude, gemini], ids=lambda wire: wire.NAME)
async def test_calls_of_another_provider_are_understood(upstream, wire):
    calls = (call("functions.weather", call_id="functions.weather:0", city="A"),)
    answer = message(
        "assistant", thinking="hm", tool_calls=calls, provider_state={"by": "elsewhere", "parts": [{"x": 1}]}
    )
    async with model_at(upstream, wire) as model:
        sent = json.dumps(await sent_after(upstream, model, wire, answer))
    assert "functions_weather" in sent
    assert "hm" not in sent


@pytest.mark.parametrize("wire", [claude, gemini], ids=lambda wire: wire.NAME)
async def test_failed_and_empty_results_are_told(upstream, wire):
    history = [
        message("user", "Weather?"),
        message("assistant", tool_calls=(call(call_id="a"), call(call_id="b"))),
        message("tool", "No such city.", call_id="a", is_error=True),
        message("tool", "", call_id="b"),
        message("user", "Well?"),
    ]
    upstream.then(wire.plain("x"))
    async with model_at(upstream, wire) as model:
        await read(model, ModelRequest(system="", messages=history, tools=[WEATHER]))
    body = upstream.requests[0].body
    if wire is claude:
        failed, empty, question = body["messages"][2]["content"]
        assert (failed["is_error"], empty.get("is_error", False)) == (True, False)
        assert "(no output)" in json.dumps(empty)
        assert question["text"] == "Well?"
    else:
        failed, empty = (part["functionResponse"]["response"] for part in body["contents"][2]["parts"])
        assert failed == {"error": "No such city."}
        assert "(no output)" in json.dumps(empty)
        assert body["contents"][3]["parts"] == [{"text": "Well?"}]


@pytest.mark.parametrize("wire", [claude, gemini], ids=lambda wire: wire.NAME)
async def test_a_request_without_tools_after_calls_still_tells_of_them_and_forbids_more(upstream, wire):
    history = [
        message("user", "Weather?"),
        message("assistant", tool_calls=(call(), call("now", call_id="call_2"), call(call_id="call_3"))),
        *(message("tool", "sunny", call_id=f"call_{number}") for number in (1, 2, 3)),
    ]
    upstream.then(wire.plain("x"))
    async with model_at(upstream, wire) as model:
        await read(model, ModelRequest(system="", messages=history))
    body = upstream.requests[0].body
    if wire is claude:
        assert [tool["name"] for tool in body["tools"]] == ["weather", "now"]
        assert body["tool_choice"] == {"type": "none"}
    else:
        assert "functionDeclarations" not in str(body.get("tools")) or "NONE" in str(body["toolConfig"])


@pytest.mark.parametrize(
    ("pieces", "reason", "arguments"),
    [
        ((), "tool_use", {}),
        (('{"city":',), "max_tokens", {INVALID_ARGUMENTS: '{"city":'}),
        ((), "max_tokens", {INVALID_ARGUMENTS: ""}),
    ],
)
async def test_arguments_of_claude_that_are_no_object_are_handed_on_as_they_are(upstream, pieces, reason, arguments):
    upstream.then(claude.answer(claude.call(0, "toolu_1", "weather", *pieces), reason=reason))
    async with model_at(upstream, claude) as model:
        first, end = await read(model, asking(tools=[WEATHER]))
    assert first.arguments == arguments
    assert end.finish_reason == ("length" if reason == "max_tokens" else "tool_calls")


async def test_calls_of_gemini_without_an_id_get_one(upstream):
    upstream.then(gemini.answer(gemini.call("weather", {}), gemini.call("weather", {"city": "B"})))
    async with model_at(upstream, gemini) as model:
        first, second, _ = await read(model, asking(tools=[WEATHER]))
    assert (first.arguments, second.arguments) == ({}, {"city": "B"})
    assert first.call_id
    assert first.call_id != second.call_id


async def test_an_answer_that_is_cut_before_its_end_calls_nothing(upstream):
    pieces = [claude.begin(), *claude.call(0, "toolu_1", "weather", '{"city": "A"}')]
    upstream.default = send(*pieces)
    async with model_at(upstream, claude, max_retries=0) as model:
        with pytest.raises(Exception, match="closed the connection"):
            await read(model, asking(tools=[WEATHER]))
