"""What the model sees in one turn: system prompt, the part of the transcript that memory chooses, and the new message."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hector_nb.messages import Message, ToolSchema
from hector_nb.models.base import ModelRequest
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.transcript import well_formed
from hector_nb.stores.base import BegunTurn, Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """A request to the model and its size in tokens."""

    request: ModelRequest
    tokens: int

    def extended(self, messages: Sequence[Message], tools: Sequence[ToolSchema], schema_tokens: int) -> "Context":
        """The context of one of the turn's requests: these tools (of so many tokens) are offered, and `messages`, the turn's own, follow."""
        request = replace(self.request, messages=(*self.request.messages, *messages), tools=tools)
        return replace(
            self, request=request, tokens=self.tokens + schema_tokens + sum(each.tokens for each in messages)
        )


async def room_for_messages(agent: Agent, schema_tokens: int = 0) -> int:
    """Tokens of the budget that the system prompt and the schemas of tools leave."""
    return max(0, agent.budget - await agent.instruction_tokens() - schema_tokens)


async def window(agent: Agent) -> Window:
    """What of the transcript has to be read to build a context."""
    return agent.memory.window(await room_for_messages(agent))


async def build_context(agent: Agent, begun: BegunTurn, schema_tokens: int = 0) -> Context:
    """The context of a turn that has just begun, without its tools, for which room is left."""
    room = await room_for_messages(agent, schema_tokens)
    chosen = agent.memory.select(begun.history, first_position=begun.first_position, message=begun.message, budget=room)
    messages = (*chosen, begun.message)
    return Context(
        request=ModelRequest(system=agent.config.instruction, messages=tuple(_alternating(messages))),
        tokens=await agent.instruction_tokens() + sum(each.tokens for each in messages),
    )


def _alternating(messages: Sequence[Message]) -> Iterator[Message]:
    """The messages as models accept them.

    A turn that failed before its first word leaves an empty answer, which many models refuse: it is left out, and the
    messages of the user around it become one.
    """
    waiting: Message | None = None
    for message in well_formed(messages):
        if message.role == "user":
            waiting = replace(message, content=f"{waiting.content}\n\n{message.content}") if waiting else message
        elif message.role == "tool" or message.content or message.tool_calls:
            if waiting:
                yield waiting
                waiting = None
            yield message
    if waiting:
        yield waiting
