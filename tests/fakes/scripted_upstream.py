"""A provider process that speaks the OpenAI protocol and plays a script with calls of tools.

    python -m tests.fakes.scripted_upstream SCRIPT.json REQUESTS.jsonl

prints its port on the first line. The script is an object: for each message of the user the replies, of which a request gets the one
whose turn it is by what the transcript shows, so that it does not matter how often it is asked. A reply is a list of texts and of calls,
`{"call": NAME, "arguments": {…}}`; calls are streamed as providers do: index, id and name first, then the arguments in pieces. Every
request is written down, a line of JSON each, before it is answered. A transcript that OpenAI would refuse gets status 400.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.fakes.upstream import Behaviour, Exchange, FakeUpstream, deltas, status

_PIECE = 7
"""Characters of arguments in one event."""


def behave_by(script: dict[str, list[list[Any]]], requests: Path) -> Behaviour:
    """The reply that a request is due."""

    async def behave(exchange: Exchange) -> None:
        body = exchange.request.body
        with requests.open("a") as file:
            file.write(json.dumps(body) + "\n")
        await choose(script, body["messages"])(exchange)

    return behave


def choose(script: dict[str, list[list[Any]]], messages: Sequence[dict[str, Any]]) -> Behaviour:
    if told := what_is_wrong(messages):
        return status(400, {"error": {"message": told}})
    newest = max(at for at, each in enumerate(messages) if each["role"] == "user")
    question = str(messages[newest]["content"])
    said = sum(each["role"] == "assistant" for each in messages[newest:])
    replies = next((replies for asked, replies in script.items() if question.endswith(asked)), [])
    if said >= len(replies):
        return status(400, {"error": {"message": f"The script has no reply {said + 1} to {question!r}."}})
    reply = replies[said]
    calls = any(isinstance(step, dict) for step in reply)
    return deltas(
        {"role": "assistant", "content": ""},
        *streamed(reply),
        finish_reason="tool_calls" if calls else "stop",
        usage=(10, 5),
    )


def streamed(reply: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The deltas of one reply."""
    index = 0
    for step in reply:
        if isinstance(step, str):
            yield from ({"content": word} for word in step.partition(" ") if word)
            continue
        first = {"index": index, "id": f"call_{index}", "type": "function"}
        yield {"tool_calls": [{**first, "function": {"name": step["call"], "arguments": ""}}]}
        text = json.dumps(step["arguments"])
        for start in range(0, len(text), _PIECE):
            yield {"tool_calls": [{"index": index, "function": {"arguments": text[start : start + _PIECE]}}]}
        index += 1


def what_is_wrong(messages: Sequence[dict[str, Any]]) -> str | None:
    """What OpenAI would refuse a transcript for: calls without their results directly after them, and results without calls."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return f"There is no call for the result {message['tool_call_id']!r}."
            waiting.remove(message["tool_call_id"])
        elif waiting:
            return f"The calls {waiting} have no results."
        waiting += [call["id"] for call in message.get("tool_calls", ())]
    return f"The calls {waiting} have no results." if waiting else None


async def serve(script: dict[str, list[list[Any]]], requests: Path) -> None:
    async with FakeUpstream(behave_by(script, requests)) as upstream:
        print(upstream.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])))
