"""Tool calls over the OpenAI protocol, in all the forms in which servers send them."""

import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.messages import INVALID_ARGUMENTS, ToolCall, ToolSchema
from hector_nb.models.base import ModelFinished, ModelRequest
from tests.fakes.upstream import FakeUpstream, deltas, status
from tests.models.requests import WEATHER, asking, call, message, openai_model, read, renamed

pytestmark = pytest.mark.anyio


@pytest.fixture
async def upstream():
    async with FakeUpstream() as server:
        yield server


@asynccontextmanager
async def model_at(upstream):
    model = openai_model(model="fake", base_url=upstream.url, timeout=5)
    try:
        yield model
    finally:
        await model.aclose()


def piece(index, arguments="", name=None, call_id=None):
    function = {"arguments": arguments} | ({"name": name} if name else {})
    where = {} if index is None else {"index": index}
    return {"tool_calls": [{**where, "function": function} | ({"id": call_id} if call_id else {})]}


async def test_parallel_tool_calls_are_put_together_by_index(upstream):
    upstream.then(
        deltas(
            piece(0, name="weather", call_id="c0"),
            piece(1, name="weather", call_id="c1"),
            piece(0, '{"city":'),
            piece(1, '{"city":"B"'),
            piece(0, '"A"}'),
            piece(1, "}"),
            finish_reason="tool_calls",
        )
    )
    async with model_at(upstream) as model:
        *calls, end = await read(model)
    assert calls == [call(call_id="c0", city="A"), call(call_id="c1", city="B")]
    assert end.finish_reason == "tool_calls"


@pytest.mark.parametrize("index", [None, 0])
async def test_whole_tool_calls_without_an_index_of_their_own_stay_apart(upstream, index):
    upstream.then(
        deltas(
            piece(index, '{"city":"A"}', name="weather", call_id="c0"),
            piece(index, '{"city":"B"}', name="weather", call_id="c1"),
        )
    )
    async with model_at(upstream) as model:
        first, second, end = await read(model)
    assert (first, second) == (call(call_id="c0", city="A"), call(call_id="c1", city="B"))
    assert end.finish_reason == "tool_calls", "also where the provider says stop"


@pytest.mark.parametrize("index", [None, 0])
async def test_whole_tool_calls_without_index_and_id_stay_apart_and_get_ids(upstream, index):
    upstream.then(
        deltas(piece(index, '{"city":"A"}', name="weather"), piece(index, '{"city":"B"}', name="weather")),
    )
    async with model_at(upstream) as model:
        first, second, _ = await read(model)
    assert [first.arguments, second.arguments] == [{"city": "A"}, {"city": "B"}]
    assert first.call_id.startswith("call_")
    assert first.call_id != second.call_id


async def test_the_pieces_of_calls_without_an_index_belong_to_the_last_call(upstream):
    upstream.then(
        deltas(
            piece(None, '{"city":', name="weather", call_id="c0"),
            piece(None, '"A"}'),
            piece(None, '{"city":', name="weather", call_id="c1"),
            piece(None, '"B"}', call_id="c1"),
        )
    )
    async with model_at(upstream) as model:
        assert (await read(model))[:2] == [call(call_id="c0", city="A"), call(call_id="c1", city="B")]


async def test_a_name_that_is_repeated_with_every_piece_is_one_call(upstream):
    upstream.then(deltas(piece(0, '{"city":', name="weather"), piece(0, '"A"}', name="weather")))
    async with model_at(upstream) as model:
        first, end = await read(model)
    assert (first.name, first.arguments, end.finish_reason) == ("weather", {"city": "A"}, "tool_calls")


async def test_an_id_that_comes_late_is_kept_and_one_that_comes_twice_is_not(upstream):
    upstream.then(
        deltas(
            piece(0, "{}", name="weather"),
            piece(0, call_id="c0"),
            piece(1, "{}", name="weather", call_id="c0"),
        )
    )
    async with model_at(upstream) as model:
        first, second, _ = await read(model)
    assert first.call_id == "c0"
    assert second.call_id.startswith("call_")


async def test_a_call_in_the_old_form_is_read(upstream):
    upstream.then(
        deltas(
            {"function_call": {"name": "weather", "arguments": ""}},
            {"function_call": {"arguments": '{"city":'}},
            {"function_call": {"arguments": '"A"}'}},
            finish_reason="function_call",
        )
    )
    async with model_at(upstream) as model:
        first, end = await read(model)
    assert (first.name, first.arguments, end.finish_reason) == ("weather", {"city": "A"}, "tool_calls")


async def test_calls_of_an_answer_that_is_not_streamed_are_read(upstream):
    said = {"content": None, "tool_calls": [{"id": "c0", "function": {"name": "weather", "arguments": {"city": "A"}}}]}
    upstream.then(status(200, {"choices": [{"message": said, "finish_reason": "stop"}]}))
    async with model_at(upstream) as model:
        first, end = await read(model)
    assert (first, end.finish_reason) == (call(call_id="c0", city="A"), "tool_calls")


async def test_a_call_that_was_cut_before_its_arguments_is_not_one_without_arguments(upstream):
    upstream.then(
        deltas(piece(0, "{}", name="weather"), piece(1, name="weather", call_id="c1"), finish_reason="length")
    )
    async with model_at(upstream) as model:
        whole, cut_off, end = await read(model)
    assert (whole.arguments, cut_off.arguments) == ({}, {INVALID_ARGUMENTS: ""})
    assert end.finish_reason == "length"


@pytest.mark.parametrize("pieces", ["x", [3], [{"index": 0}], [{"function": None}]])
async def test_what_is_no_call_is_passed_over(upstream, pieces):
    upstream.then(deltas({"tool_calls": pieces}, {"content": "Hello"}))
    async with model_at(upstream) as model:
        assert await read(model) == [TextDelta(text="Hello"), ModelFinished(finish_reason="stop")]


async def test_content_in_parts_and_refusals_are_read(upstream):
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    upstream.then(deltas({"content": [thinking, {"type": "text", "text": "Yes"}]}, {"refusal": ", no"}))
    async with model_at(upstream) as model:
        got = await read(model)
    assert got[:3] == [ThinkingDelta(text="hm"), TextDelta(text="Yes"), TextDelta(text=", no")]


async def kept(upstream, model, behaviour, *, thinking=""):
    """The assistant message that a turn keeps of an answer with calls."""
    upstream.then(behaviour)
    got = await read(model, asking("Weather?", tools=[WEATHER]))
    calls = renamed(delta for delta in got if isinstance(delta, ToolCall))
    state = got[-1].provider_state
    assert json.loads(json.dumps(state)) == state
    return message("assistant", tool_calls=calls, thinking=thinking, provider_state=state)


def back(answer, *after):
    """The request that goes on after `answer`, in the same turn or, with more messages `after` it, in a later one."""
    results = [message("tool", "", call_id=call.call_id) for call in answer.tool_calls]
    return ModelRequest(system="", messages=[message("user", "Weather?"), answer, *results, *after], tools=[WEATHER])


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
async def test_thinking_goes_back_with_its_calls_in_the_same_turn_only(upstream, key):
    async with model_at(upstream) as model:
        behaviour = deltas({key: "h"}, {key: "m"}, piece(0, "{}", name="weather", call_id="c0"))
        answer = await kept(upstream, model, behaviour, thinking="hm")
        await read(model, back(answer))
        await read(model, back(answer, message("assistant", "Sunny."), message("user", "And now?")))
    assert upstream.requests[1].body["messages"][1][key] == "hm"
    assert key not in upstream.requests[2].body["messages"][1]


async def test_signed_reasoning_goes_back_as_it_came(upstream):
    def detail(**more):
        return {"reasoning": "x", "reasoning_details": [{"type": "reasoning.text", "index": 0, **more}]}

    async with model_at(upstream) as model:
        behaviour = deltas(
            detail(text="h", format="f"), detail(text="m"), detail(signature="s"), piece(0, "{}", name="weather")
        )
        answer = await kept(upstream, model, behaviour, thinking="hm")
        await read(model, back(answer))
    sent = upstream.requests[1].body["messages"][1]
    assert sent["reasoning_details"] == [
        {"type": "reasoning.text", "index": 0, "text": "hm", "format": "f", "signature": "s"}
    ]
    assert "reasoning" not in sent


async def test_the_signature_of_a_call_goes_back_with_it(upstream):
    extra = {"google": {"thought_signature": "c2ln"}}
    signed = piece(0, "{}", name="weather", call_id="c0")
    signed["tool_calls"][0]["extra_content"] = extra
    async with model_at(upstream) as model:
        answer = await kept(upstream, model, deltas(signed, piece(1, "{}", name="weather", call_id="c1")))
        await read(model, back(answer))
    first, second = upstream.requests[1].body["messages"][1]["tool_calls"]
    assert first["extra_content"] == extra
    assert "extra_content" not in second


async def test_a_provider_sees_its_own_ids_again_whatever_the_turn_calls_them(upstream):
    async with model_at(upstream) as model:
        pieces = piece(0, "{}", name="weather", call_id="abc123XYZ"), piece(1, "{}", name="weather")
        answer = await kept(upstream, model, deltas(*pieces))
        await read(model, back(answer))
    _, assistant, *results = upstream.requests[1].body["messages"]
    assert [call["id"] for call in assistant["tool_calls"]] == ["abc123XYZ", "call_own_1"]
    assert [result["tool_call_id"] for result in results] == ["abc123XYZ", "call_own_1"]


async def test_calls_that_were_changed_since_go_back_as_they_are_now(upstream):
    async with model_at(upstream) as model:
        answer = await kept(upstream, model, deltas(piece(0, "{}", name="weather", call_id="c0")))
        more = replace(answer, tool_calls=(*answer.tool_calls, call(call_id="another")))
        await read(model, back(more))
    calls = upstream.requests[1].body["messages"][1]["tool_calls"]
    assert [call["id"] for call in calls] == ["call_own_0", "another"]


async def test_what_one_provider_signed_is_not_sent_to_another(upstream):
    async with model_at(upstream) as model:
        answer = await kept(upstream, model, deltas({"reasoning": "hm"}, piece(0, "{}", name="f")), thinking="hm")
    async with FakeUpstream() as other, model_at(other) as model:
        await read(model, back(answer))
        assert "reasoning" not in other.requests[0].body["messages"][1]


async def test_empty_results_and_bare_schemas_are_sent_as_every_provider_takes_them(upstream):
    async with model_at(upstream) as model:
        bare = ToolSchema(name="now", description="", parameters={})
        request = back(message("assistant", tool_calls=(call("now"),)))
        await read(model, ModelRequest(system="", messages=request.messages, tools=[bare]))
    body = upstream.requests[0].body
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "call_1", "content": "(no output)"}
    assert body["tools"][0]["function"] == {"name": "now", "parameters": {"type": "object", "properties": {}}}


@pytest.mark.parametrize(("name", "sent"), [("functions.weather!", "functions_weather_"), ("", "unnamed")])
async def test_a_name_that_providers_refuse_to_see_again_is_mended(upstream, name, sent):
    async with model_at(upstream) as model:
        await read(model, back(message("assistant", tool_calls=(call(name),))))
    assert upstream.requests[0].body["messages"][1]["tool_calls"][0]["function"]["name"] == sent


async def test_arguments_that_were_no_object_go_back_as_one(upstream):
    broken = ToolCall(call_id="c", name="weather", arguments={INVALID_ARGUMENTS: '{"city":'})
    async with model_at(upstream) as model:
        await read(model, back(message("assistant", tool_calls=(broken,))))
    sent = upstream.requests[0].body["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(sent) == {INVALID_ARGUMENTS: '{"city":'}


@pytest.mark.parametrize(
    ("raw", "arguments"), [("", {}), ('{"city":', {INVALID_ARGUMENTS: '{"city":'}), ("[1]", {INVALID_ARGUMENTS: "[1]"})]
)
async def test_arguments_that_are_no_object_are_handed_on_as_they_are(upstream, raw, arguments):
    upstream.then(deltas(piece(0, raw, name="weather", call_id="c0"), finish_reason="tool_calls"))
    async with model_at(upstream) as model:
        assert (await read(model))[0].arguments == arguments


@pytest.mark.parametrize(
    "raw",
    ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": ' + "[" * 100 + "]" * 100 + "}", '{"a": ' + "[" * 3000],
)
async def test_arguments_that_could_not_be_written_again_are_handed_on_as_they_are(upstream, raw):
    upstream.then(deltas(piece(0, raw, name="weather", call_id="a"), finish_reason="tool_calls"))
    async with model_at(upstream) as model:
        (called,) = [each for each in await read(model) if isinstance(each, ToolCall)]
    assert called.arguments == {INVALID_ARGUMENTS: raw}
