"""Tool calls of a local model, held to their schemas by llama.cpp's grammar.

The embedded model's own chat template knows no tools. Here it is given one that does, and told to repeat a call that would be
wrong: what comes out is the grammar's doing.
"""

import asyncio
import json
from pathlib import Path

import pytest
import xllamacpp

from hector_nb.config.schema import LLMConfig
from hector_nb.messages import ToolSchema
from hector_nb.models.base import ModelRequest
from hector_nb.models.local import LocalModel
from tests.models.requests import WEATHER, asking, call, message, read, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.embedded]
TEMPLATE = (Path(__file__).parent / "tools_template.jinja").read_text()
WRONG = '<tool_call>\n{"name": "wetter", "arguments": {"town": 7}}\n</tool_call>'
REPEAT = "Repeat what you are told."


@pytest.fixture
async def model(embedded_file, monkeypatch):
    original = xllamacpp.CommonParams

    def with_template():
        params = original()
        params.chat_template = TEMPLATE
        return params

    monkeypatch.setattr(xllamacpp, "CommonParams", with_template)
    config = LLMConfig(
        provider="local", model=str(embedded_file), context_window=1024, max_tokens=60, temperature=0, timeout=120
    )
    model = LocalModel.from_config(config, folder=".", cache_folder=".")
    yield model
    await model.aclose()


async def test_a_call_has_a_name_that_there_is_and_arguments_that_fit_the_schema(model):
    now = ToolSchema(name="now", description="The time.", parameters={})
    question = asking(f"Repeat exactly this text and nothing else:\n{WRONG}", system=REPEAT, tools=[WEATHER, now])
    first, end = await read(model, question)
    assert first.name in {"weather", "now"}
    assert first.call_id
    assert first.arguments.keys() == ({"city"} if first.name == "weather" else set())
    assert all(isinstance(value, str) for value in first.arguments.values())
    assert end.finish_reason == "tool_calls"
    assert end.usage.completion_tokens > 0
    json.dumps(dict(first.arguments))


async def test_calls_and_results_are_part_of_what_it_reads(model):
    history = [message("user", "Weather?"), message("assistant", tool_calls=(call(city="Rome"),))]
    without = await read(model, ModelRequest(system="", messages=[history[0]], tools=[WEATHER]))
    history.append(message("tool", "It is sunny in Rome today, with a light wind from the sea.", call_id="call_1"))
    answer = await read(model, ModelRequest(system="", messages=history, tools=[WEATHER]))
    assert answer[-1].usage.prompt_tokens > without[-1].usage.prompt_tokens + 20


async def test_it_answers_in_words_where_no_call_is_wanted(model):
    assert model.can_call_tools
    async with asyncio.timeout(60):
        assert text_of(await read(model, asking("Say yes.", tools=[WEATHER])))
    assert model.can_call_tools
