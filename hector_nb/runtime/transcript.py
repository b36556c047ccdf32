"""What a transcript must look like for a model, whatever was cut, forked, imported or stopped. Pure functions.

Every call has its result, right behind the message that made it, and no result stands alone: models refuse everything else.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from hector_nb.ids import new_id
from hector_nb.messages import Message, ToolCall

_NOT_KEPT = "The result of this call was not kept."
_NOT_KEPT_TOKENS = 12


def open_calls(messages: Sequence[Message]) -> list[ToolCall]:
    """The calls that have no result, in their order."""
    answered = {message.call_id for message in messages if message.role == "tool"}
    return [call for message in messages for call in message.tool_calls if call.call_id not in answered]


def well_formed(messages: Iterable[Message]) -> Iterator[Message]:
    """The same conversation as every model accepts it.

    The messages of a turn stand together (a message that was stopped while it waited may have been stored in between), every call
    is followed by its result, or by one that says that there is none, and results without a call are left out.
    """
    ordered = _by_turn(messages)
    for place, message in enumerate(ordered):
        if message.role == "tool":
            continue
        yield message
        if message.tool_calls:
            yield from _results(message, takewhile(lambda each: each.role == "tool", ordered[place + 1 :]))


def _by_turn(messages: Iterable[Message]) -> list[Message]:
    turns: dict[str, list[Message]] = {}
    for message in messages:
        turns.setdefault(message.turn_id, []).append(message)
    return [message for turn in turns.values() for message in turn]


def _results(caller: Message, results: Iterable[Message]) -> Iterator[Message]:
    by_call = {result.call_id: result for result in results}
    missing = replace(
        caller, role="tool", content=_NOT_KEPT, thinking="", tool_calls=(), is_error=True, tokens=_NOT_KEPT_TOKENS
    )
    for call in caller.tool_calls:
        found = by_call.get(call.call_id)
        yield found or replace(missing, message_id=new_id("msg"), call_id=call.call_id)
