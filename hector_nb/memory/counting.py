"""Counts what a model is sent: messages with all that is in them, and the schemas of tools."""

import json
from collections.abc import Sequence
from dataclasses import replace

from hector_nb.memory.base import TokenCounter
from hector_nb.messages import Message, ToolSchema

TOKENS_PER_MESSAGE = 4
"""What chat formats add to a message: its role and its borders."""
TOKENS_PER_CALL = 8
"""What they add to a tool call or its result: the id that ties them together, and the call's borders."""
TOKENS_PER_SCHEMA = 8
"""What they add to a tool's schema."""


async def count_message(counter: TokenCounter, message: Message) -> Message:
    """The message with its tokens counted: text, thinking, tool calls, and what ties a result to its call."""
    tokens = TOKENS_PER_MESSAGE + await counter.count(message.content)
    if message.thinking:
        tokens += await counter.count(message.thinking)
    for call in message.tool_calls:
        tokens += TOKENS_PER_CALL + await counter.count(call.name + _json(dict(call.arguments)))
    if message.call_id is not None:
        tokens += TOKENS_PER_CALL
    return replace(message, tokens=tokens, estimated=not counter.exact)


async def count_schemas(counter: TokenCounter, schemas: Sequence[ToolSchema]) -> int:
    """Tokens of what a model is told of its tools. Providers write schemas in forms of their own, so this is an estimate."""
    tokens = 0
    for schema in schemas:
        parts = (schema.name, schema.description, _json(dict(schema.parameters)))
        tokens += TOKENS_PER_SCHEMA + await counter.count("\n".join(parts))
    return tokens


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
