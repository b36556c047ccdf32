"""All that a model is sent is counted."""

import pytest

from hector_nb.memory.counting import count_message, count_schemas
from hector_nb.memory.tokens import TiktokenCounter
from hector_nb.messages import ToolCall, ToolSchema
from tests.memory.transcripts import called, message

pytestmark = pytest.mark.anyio
COUNTER = TiktokenCounter("cl100k_base")


async def test_text_thinking_calls_and_results_are_counted() -> None:
    text = await count_message(COUNTER, message(1, content="The capital of France is Paris."))
    thinking = await count_message(
        COUNTER, message(1, content="The capital of France is Paris.", thinking="Let me think.")
    )
    call, result = [await count_message(COUNTER, each) for each in called(1, 0)]
    assert text.tokens == 4 + 7
    assert thinking.tokens == text.tokens + 4
    assert call.tokens > 4 + len('search{"query":"x"}') / 4
    assert result.tokens > (await count_message(COUNTER, message(1, content="found"))).tokens


async def test_exact_and_estimated_counts_are_told_apart() -> None:
    assert not (await count_message(COUNTER, message(1))).estimated
    assert (await count_message(TiktokenCounter(), message(1))).estimated


@pytest.mark.parametrize("content", ["", "🙂", "\ud800"])
async def test_no_message_is_free(content: str) -> None:
    assert (await count_message(COUNTER, message(1, content=content))).tokens >= 4


async def test_arguments_with_lone_surrogates_can_be_counted() -> None:
    call = ToolCall(call_id="c", name="say", arguments={"text": "\ud83d", "ünï": ["漢"]})
    assert (await count_message(COUNTER, message(1, "assistant", tool_calls=(call,)))).tokens > 10


async def test_schemas_of_tools_are_counted() -> None:
    schema = ToolSchema(name="say", description="Says something.", parameters={"type": "object", "properties": {}})
    one = await count_schemas(COUNTER, [schema])
    assert one > 15
    assert await count_schemas(COUNTER, [schema, schema]) == 2 * one
    assert await count_schemas(COUNTER, []) == 0
