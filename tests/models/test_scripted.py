import asyncio
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import ConfigError, ModelError, ModelRateLimited
from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.messages import INVALID_ARGUMENTS, Message, ToolCall
from hector_nb.models.base import ModelFinished, ModelRequest
from hector_nb.models.scripted import Expect, ScriptedModel
from hector_nb.models.scripts import read_replies
from tests.models.requests import message

pytestmark = pytest.mark.anyio

REQUEST = ModelRequest(
    system="",
    messages=[Message(message_id="msg_1", turn_id="turn_1", role="user", content="Hi", created_at=datetime.now(UTC))],
)
CALL = ToolCall(call_id="call_1", name="write_file", arguments={"path": "a"})


async def read(model):
    return [delta async for delta in model.stream(REQUEST)]


async def collected(model, *messages):
    return [delta async for delta in model.stream(ModelRequest(system="", messages=messages))]


async def test_a_reply_is_played_in_order_and_ends_by_itself():
    model = ScriptedModel([["Hel", TextDelta(text="lo"), ThinkingDelta(text="hm")], [CALL]])
    assert await read(model) == [
        TextDelta(text="Hel"),
        TextDelta(text="lo"),
        ThinkingDelta(text="hm"),
        ModelFinished(finish_reason="stop"),
    ]
    assert await read(model) == [CALL, ModelFinished(finish_reason="tool_calls")]
    assert model.requests == [REQUEST, REQUEST]
    assert model.closed == 0
    model.assert_finished()


async def test_a_scripted_end_replaces_the_own_one():
    model = ScriptedModel([["x", ModelFinished(finish_reason="length")]])
    assert await read(model) == [TextDelta(text="x"), ModelFinished(finish_reason="length")]


async def test_an_exception_in_the_script_is_raised():
    model = ScriptedModel([["x", ModelRateLimited()]])
    with pytest.raises(ModelRateLimited):
        await read(model)


async def test_a_request_beyond_the_script_fails():
    with pytest.raises(ModelError, match="no reply for request 1"):
        await read(ScriptedModel([]))


async def test_unused_replies_are_noticed():
    with pytest.raises(AssertionError, match="1 of the script's 1 replies"):
        ScriptedModel([["x"]]).assert_finished()


async def test_an_event_holds_the_model_and_leaving_early_is_counted():
    gate = asyncio.Event()
    model = ScriptedModel([["a", gate, "b"], ["a", "b"]])
    task = asyncio.create_task(read(model))
    async with aclosing(model.stream(REQUEST)) as stream:
        assert await anext(stream) == TextDelta(text="a")
    assert model.closed == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.closed == 1, "a task that never started left nothing"


async def test_cancelling_while_the_model_is_held_counts_as_closed():
    model = ScriptedModel([["a", asyncio.Event()]])
    stream = model.stream(REQUEST)
    await anext(stream)
    task = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.closed == 1


async def test_a_script_is_read_from_a_file_and_repeats(tmp_path):
    path = tmp_path / "script.yaml"
    path.write_text(
        "replies:\n"
        "  - [Hello, ' world', {wait_ms: 0}]\n"
        "  - [{thinking: hm}, {tool_call: {name: f, arguments: {a: 1}}}]\n"
        "  - [{error: model_rate_limited, message: Slow down.}]\n"
        "repeat: true\n"
    )
    model = ScriptedModel.from_file(path)
    assert [delta.text for delta in await read(model) if isinstance(delta, TextDelta)] == ["Hello", " world"]
    thinking, call, end = await read(model)
    assert (thinking, call.name, call.arguments) == (ThinkingDelta(text="hm"), "f", {"a": 1})
    assert end == ModelFinished(finish_reason="tool_calls")
    with pytest.raises(ModelRateLimited, match="Slow down"):
        await read(model)
    assert (await read(model))[0] == TextDelta(text="Hello")


async def test_thinking_and_parallel_calls_are_played_from_a_file_with_new_ids_each_time(tmp_path):
    path = tmp_path / "script.yaml"
    path.write_text(
        "replies:\n"
        "  - - thinking: Two things.\n"
        "    - Let me see.\n"
        "    - tool_call: {name: write_file, arguments: {path: hello.py}}\n"
        "    - tool_call: {name: list_files}\n"
        "    - tool_call: {name: broken, arguments: '{\"a\":', id: call_3}\n"
        "repeat: true\n"
    )
    model = ScriptedModel.from_file(path)
    assert model.can_call_tools
    thinking, text, first, second, third, end = await read(model)
    assert (thinking, text) == (ThinkingDelta(text="Two things."), TextDelta(text="Let me see."))
    assert (first.name, first.arguments) == ("write_file", {"path": "hello.py"})
    assert (second.name, second.arguments) == ("list_files", {})
    assert third == ToolCall(call_id="call_3", name="broken", arguments={INVALID_ARGUMENTS: '{"a":'})
    assert end == ModelFinished(finish_reason="tool_calls")
    again = await read(model)
    assert len({first.call_id, second.call_id, again[2].call_id, again[3].call_id}) == 4


def test_an_error_that_no_model_has_is_told_with_those_there_are():
    with pytest.raises(
        ConfigError, match=r"reply 1, step 2: a model has no error 'model_tired'\. There are .*model_timeout"
    ):
        read_replies([["Hi", {"error": "model_tired"}]])
    with pytest.raises(ConfigError, match=r"is not a step"):
        read_replies([[{"error": "model_timeout", "text": "x"}]])


async def test_a_script_expects_what_it_answers(tmp_path):
    path = tmp_path / "script.yaml"
    path.write_text("[[{expect: Rome}, {tool_call: {name: f, id: c}}], [{expect: sunny}, Fine., {finish: length}]]")
    model = ScriptedModel.from_file(path)
    question = message("user", "Weather in Rome and sunny Oslo?")
    await collected(model, question)
    before = question, message("assistant", tool_calls=(CALL, CALL))
    results = [message("tool", "rain", call_id="c"), message("tool", "It is sunny.", call_id="d")]
    assert await collected(model, *before, *results) == [TextDelta(text="Fine."), ModelFinished(finish_reason="length")]
    model.assert_finished()


async def test_an_unexpected_request_fails(tmp_path):
    model = ScriptedModel([[Expect("sunny"), "Fine."]])
    before = message("user", "Is it sunny?"), message("assistant", tool_calls=(CALL,))
    with pytest.raises(ModelError, match="The script expects 'sunny', but is asked: 'rain'"):
        await collected(model, *before, message("tool", "rain", call_id="c"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hello", "must be a list of replies"),
        ("{replies: 3}", "must be a list of replies"),
        ("{replies: [], repeat: often}", "must be a list of replies"),
        ("[hello]", "reply 1 must be a list of steps"),
        ("[[{think: x}]]", "reply 1, step 1"),
        ("[[{error: nonsense}]]", "reply 1, step 1"),
        ("[[{wait_ms: -1}]]", "reply 1, step 1"),
        ("[[{tool_call: {name: f, arguments: [1]}}]]", "reply 1, step 1"),
        ("[[{tool_call: {name: f, id: 7}}]]", "reply 1, step 1"),
        ("[[{expect: [a]}]]", "reply 1, step 1"),
        ("[[{finish: tool_calls}]]", "reply 1, step 1"),
        ("[[", "is not YAML"),
    ],
)
async def test_a_bad_script_is_explained(tmp_path, text, problem):
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        ScriptedModel.from_file(path)


async def test_a_missing_script_is_explained(tmp_path):
    config = LLMConfig(provider="scripted", model="none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        ScriptedModel.from_config(config, folder=tmp_path)
    with pytest.raises(ConfigError, match="needs a script"):
        ScriptedModel.from_config(LLMConfig(provider="scripted"), folder=tmp_path)


async def test_an_llms_entry_makes_a_scripted_model(tmp_path):
    (tmp_path / "script.yaml").write_text("[[Hello]]")
    config = LLMConfig(provider="scripted", model="script.yaml", max_tokens=7)
    model = ScriptedModel.from_config(config, folder=tmp_path)
    assert (model.max_tokens, model.context_window) == (7, 8192)
    assert (await read(model))[0] == TextDelta(text="Hello")
