"""Requests for tests, and how to read answers."""

from dataclasses import fields, replace
from datetime import UTC, datetime

from hector_nb.events import TextDelta
from hector_nb.messages import Message, ToolCall, ToolSchema
from hector_nb.models.base import ModelRequest
from hector_nb.models.connection import Access
from hector_nb.models.openai_compatible import OpenAICompatibleModel

PORT_OF_NOBODY = 9
"""Where nobody listens: no program is given a port of these by chance."""
WEATHER = ToolSchema(
    name="weather",
    description="The weather at a place.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def message(role, content="", **more):
    return Message(
        message_id="msg_1", turn_id="turn_1", role=role, content=content, created_at=datetime.now(UTC), **more
    )


def asking(text="Hi", *, system="Be brief.", tools=(), before=()):
    return ModelRequest(system=system, messages=[*before, message("user", text)], tools=tools)


def call(name="weather", call_id="call_1", **arguments):
    return ToolCall(call_id=call_id, name=name, arguments=arguments)


def openai_model(**settings):
    """A model at an OpenAI-compatible endpoint; the settings of its access and its own, mixed."""
    names = {field.name for field in fields(Access)}
    access = Access(**{name: value for name, value in settings.items() if name in names})
    return OpenAICompatibleModel(access, **{name: value for name, value in settings.items() if name not in names})


async def read(model, request=None):
    return [delta async for delta in model.stream(request or asking())]


def text_of(deltas):
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def renamed(calls):
    """The calls as a turn keeps them: with ids of its own, so that two answers never have the same."""
    return tuple(replace(call, call_id=f"call_own_{number}") for number, call in enumerate(calls))
