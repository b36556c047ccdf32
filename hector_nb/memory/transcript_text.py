"""A transcript as plain lines, for those who make something of it: `User: …`, `Assistant: …`, calls of tools and their results."""

import json
from collections.abc import Iterator, Sequence

from hector_nb.memory.texts import without_middle
from hector_nb.messages import Message

_LONGEST_CALL = 300
_LONGEST_RESULT = 600
"""Characters kept of a tool's arguments and of what it gave back."""


def lines(messages: Sequence[Message]) -> Iterator[str]:
    """One text for each thing said or done, in order. Thinking is not told; calls and results are shortened."""
    tools: dict[str, str] = {}
    for message in messages:
        content = message.content.strip()
        if message.role == "tool":
            name = tools.get(message.call_id or "", "a tool")
            what = "Error of" if message.is_error else "Result of"
            yield f"{what} {name}: {without_middle(content, _LONGEST_RESULT)}"
            continue
        if content:
            yield f"{message.role.capitalize()}: {content}"
        for call in message.tool_calls:
            tools[call.call_id] = call.name
            arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
            yield f"Assistant calls {call.name}({without_middle(arguments, _LONGEST_CALL)})"
