"""Turns and their parts as the chat's state has them; past turns are made of the messages of the transcript."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hector_nb.frontends import tool_words
from hector_nb.frontends.asking import question, visible
from hector_nb.messages import Message
from hector_nb.wire.codec import dumps, encode_time

ACTIVE = frozenset({"queued", "waiting", "thinking", "writing", "tool", "approval", "stopping"})
"""The states of a turn that is not over."""
_STATUS = {"complete": "done", "cancelled": "stopped", "failed": "failed", "interrupted": "interrupted"}

Turn = dict[str, Any]
Part = dict[str, Any]


def new_turn(turn_id: str, *, message_id: str = "", text: str = "", at: datetime, status: str = "waiting") -> Turn:
    """A turn at its beginning."""
    return {
        "turn_id": turn_id,
        "question": {"message_id": message_id, "text": text, "at": encode_time(at)},
        "parts": [],
        "status": status,
        "started": None,
        "seconds": None,
        "tokens": 0,
        "estimated": True,
        "message_id": None,
        "finish_reason": None,
        "memories": 0,
        "problem": None,
    }


def tool_part(call_id: str, name: str, arguments: Mapping[str, Any], *, status: str = "running") -> Part:
    """A call of a tool."""
    return {
        "kind": "tool",
        "call_id": call_id,
        "name": name,
        "verb": tool_words.verb(name, over=status not in {"running", "waiting"}),
        "subject": tool_words.subject(name, arguments),
        "arguments": tool_words.shown_arguments(arguments),
        "status": status,
        "result": "",
        "output": "",
        "seconds": None,
        "approval": None,
        "nested": None,
    }


def approval_card(name: str, arguments: Mapping[str, Any], *, agent: str, deadline: float) -> dict[str, Any]:
    """The question whether a call may be made: the whole call, with every character that could hide something written out."""
    said = arguments.get({"execute_command": "command", "write_file": "path"}.get(name, ""))
    if not isinstance(said, str):
        subject, body = visible(name), _all(arguments) or None
    else:
        subject = visible(said)
        content = arguments.get("content") if name == "write_file" else None
        others = {key: value for key, value in arguments.items() if key not in {"command", "path", "content"}}
        shown = [visible(content)] if isinstance(content, str) else []
        body = "\n".join([*shown, *([_all(others)] if others else [])]) if shown or others else None
    return {
        "question": question(name, agent),
        "subject": subject,
        "body": body,
        "diff": None,
        "deadline": deadline,
        "wider": tool_words.wider(name),
    }


def past_turns(messages: Iterable[Message]) -> list[Turn]:
    """The turns that messages belong to, oldest first."""
    grouped: dict[str, list[Message]] = {}
    for message in messages:
        grouped.setdefault(message.turn_id, []).append(message)
    return [_past(turn_id, group) for turn_id, group in grouped.items()]


def _past(turn_id: str, messages: Sequence[Message]) -> Turn:
    asked = next((each for each in messages if each.role == "user"), None)
    turn = new_turn(
        turn_id,
        message_id=asked.message_id if asked else "",
        text=asked.content if asked else "",
        at=(asked or messages[0]).created_at,
        status="done",
    )
    results = {each.call_id: each for each in messages if each.role == "tool"}
    for message in messages:
        if message.role == "assistant":
            turn["parts"] += _parts(message, results)
            turn["tokens"] += message.tokens
            turn["estimated"] = message.estimated
            turn["message_id"] = message.message_id
            turn["status"] = _STATUS[message.status]
    return turn


def _parts(message: Message, results: Mapping[str | None, Message]) -> list[Part]:
    parts: list[Part] = []
    if message.thinking:
        parts.append({"kind": "thinking", "text": message.thinking, "seconds": None})
    if message.content:
        parts.append({"kind": "text", "text": message.content})
    for call in message.tool_calls:
        answer = results.get(call.call_id)
        failed = answer is None or answer.is_error
        outcome = "cancelled" if answer is None or answer.status != "complete" else "failed" if failed else "done"
        part = tool_part(call.call_id, call.name, call.arguments, status=outcome)
        if answer is not None:
            if outcome != "cancelled":
                part["verb"] = tool_words.verb_of(call.name, answer.content, is_error=failed)
            part["result"] = tool_words.result(call.name, answer.content, is_error=failed)
            part["output"] = tool_words.shown_output(answer.content)
        parts.append(part)
    return parts


def _all(arguments: Mapping[str, Any]) -> str:
    return "\n".join(
        visible(f"{key}: {value if isinstance(value, str) else dumps(value)}") for key, value in arguments.items()
    )
