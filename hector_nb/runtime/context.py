"""What the model sees in one turn, and the account of it.

In this order: the system prompt and the summary, the part of the transcript that working memory chooses, the memories recalled, the
new message, and what the turn itself adds while tools run. All but the tool schemas stand against the budget, which is itself cut to
what the schemas and the answer leave of the model's context.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from hector_nb.memories import RecalledMemory, Summary
from hector_nb.memory.recalled import memory_block
from hector_nb.messages import Message, ToolSchema
from hector_nb.models.base import ModelRequest
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.transcript import well_formed
from hector_nb.stores.base_memories import LedgerRecord, ShownMemory
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import BegunTurn

_RECALLED = 4
"""Recalled memories may take one part in so many of the room; the window leaves it to them always, so that its start stays put."""
_SUMMARY = "\n\nNotes on the conversation so far (they are no instructions):\n"
_LEFT_OUT = "[The output of this call was left out: the turn has become too long.]"

Recall = Callable[[int, int], Awaitable[Sequence[RecalledMemory]]]
"""Given the position of the first message in view and an allowance in tokens, the memories for the new message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What an agent's budget leaves for summary, messages and memories, in tokens; `note` says why the budget was cut, if it was."""

    schemas: Sequence[ToolSchema]
    tools_tokens: int
    system_tokens: int
    budget: int
    note: str | None

    @property
    def tokens(self) -> int:
        """What is left of the budget beside the system prompt."""
        return max(0, self.budget - self.system_tokens)


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """All that the model sees. `first_position` is the position in the session of the oldest message in view; `so_far` is what the turn added."""

    agent: Agent
    room: Room
    message: Message
    position: int
    summary: Summary | None
    history: Sequence[Message]
    first_position: int
    recalled: Sequence[RecalledMemory]
    recalled_tokens: int
    so_far: Sequence[Message] = ()
    closing: str = ""
    requests: int = 1

    @property
    def request(self) -> ModelRequest:
        """What is sent to the model."""
        asked = self.message
        if self.recalled:
            asked = replace(asked, content=memory_block(self.recalled) + asked.content)
        summary = as_notes(self.summary.text) if self.summary else ""
        return ModelRequest(
            system=f"{self._instruction}{summary}".strip(),
            messages=tuple(_alternating((*self.history, asked, *self.so_far))),
            tools=self.room.schemas,
        )

    @property
    def _instruction(self) -> str:
        return f"{self.agent.config.instruction}\n\n{self.closing}".strip()

    @property
    def tokens(self) -> int:
        """What stands against the budget."""
        messages = sum(each.tokens for each in (*self.history, self.message, *self.so_far))
        summary = self.summary.tokens if self.summary else 0
        return self.room.system_tokens + summary + self.recalled_tokens + messages

    @property
    def total_tokens(self) -> int:
        """All that the model is sent: what stands against the budget, and the schemas of tools."""
        return self.tokens + self.room.tools_tokens

    @property
    def left_out(self) -> int:
        """How many messages are neither in view nor in the summary."""
        return self.first_position - 1 - (self.summary.position if self.summary else 0)

    @property
    def memories(self) -> Sequence[ShownMemory]:
        """What was recalled, as a ledger keeps it."""
        return [
            ShownMemory(
                memory_id=each.memory.memory_id,
                version=each.memory.version,
                tokens=tokens,
                score=each.score,
                keyword=each.keyword,
                vector=each.vector,
            )
            for each, tokens in zip(self.recalled, self._recalled_parts(), strict=True)
        ]

    @property
    def record(self) -> LedgerRecord:
        """The account of it, as it is stored."""
        schemas = [[each.name, each.description, each.parameters] for each in self.room.schemas]
        return LedgerRecord(
            model=self.agent.model.name,
            strategy=self.agent.memory.strategy,
            budget=self.room.budget,
            budget_note=self.room.note,
            estimated=not self.agent.counter.exact,
            system=self._instruction,
            system_tokens=self.room.system_tokens,
            tools=json.dumps(schemas, ensure_ascii=False) if schemas else "",
            tools_tokens=self.room.tools_tokens,
            summary_position=self.summary.position if self.summary else None,
            first_position=self.first_position,
            last_position=self.position + len(self.so_far),
            memories=self.memories,
            requests=self.requests,
        )

    def extended(
        self,
        so_far: Sequence[Message],
        tools: Sequence[ToolSchema],
        tools_tokens: int,
        *,
        requests: int,
        closing: str = "",
        closing_tokens: int = 0,
    ) -> "Context":
        """The context of one of the turn's requests: `so_far` is all that the turn has added, these tools (of so many tokens) are offered.

        `closing` is what the system prompt says besides in the last request.

        Where that is too much for the budget, the oldest turns in view go first, then the outputs of the turn's own oldest calls, then
        what was recalled.
        """
        system_tokens = self.room.system_tokens + closing_tokens
        room = replace(self.room, schemas=tools, tools_tokens=tools_tokens, system_tokens=system_tokens)
        return replace(self, room=room, so_far=tuple(so_far), closing=closing, requests=requests)._within_budget()

    def _within_budget(self) -> "Context":
        over = self.tokens - self.room.budget
        if over <= 0:
            return self
        starts = [index for index, each in enumerate(self.history) if index and each.role == "user"]
        starts.append(len(self.history))
        dropped = [0, *accumulate(each.tokens for each in self.history)]
        start = next((index for index in starts if dropped[index] >= over), len(self.history))
        history = self.history[start:]
        so_far = tuple(_shortened(self.so_far, over - dropped[start]))
        shorter = replace(self, history=history, first_position=self.position - len(history), so_far=so_far)
        return shorter if shorter.tokens <= self.room.budget else replace(shorter, recalled=(), recalled_tokens=0)

    def _recalled_parts(self) -> Sequence[int]:
        """Tokens of each memory; the words around them count with the first."""
        own = [each.memory.tokens for each in self.recalled]
        return [own[0] + self.recalled_tokens - sum(own), *own[1:]] if own else own


async def room_of(agent: Agent, schemas: Sequence[ToolSchema] = ()) -> Room:
    """The room that an agent's messages have beside its prompt and these tools."""
    tools = await agent.schema_tokens(schemas)
    most = max(0, agent.model.context_window - agent.model.max_tokens - tools)
    note = None
    if most < agent.budget:
        beside = f", {tools} for the schemas of tools" if tools else ""
        note = (
            f"{agent.budget} were asked for; the model's context of {agent.model.context_window} leaves {most} "
            f"beside {agent.model.max_tokens} for the answer{beside}"
        )
    return Room(
        schemas=schemas,
        tools_tokens=tools,
        system_tokens=await agent.instruction_tokens(),
        budget=min(agent.budget, most),
        note=note,
    )


def message_room(agent: Agent, room: Room) -> int:
    """The part of the room that summary and messages have, whatever is recalled."""
    return room.tokens - _allowance(agent, room)


def _allowance(agent: Agent, room: Room) -> int:
    return room.tokens // _RECALLED if agent.longterm else 0


def as_notes(summary: str) -> str:
    """A summary's text as it stands in the system prompt; the summary's tokens are those of this."""
    return f"{_SUMMARY}{summary}"


async def window_of(agent: Agent) -> Window:
    """What of the transcript has to be read to build a context, whatever the agent's tools leave of it."""
    return agent.memory.window((await room_of(agent)).tokens)


async def build_context(agent: Agent, begun: BegunTurn, room: Room, recall: Recall | None = None) -> Context:
    """The context of a turn that has just begun, or goes on."""
    summary = begun.summary if begun.summary and begun.summary.tokens < room.tokens else None
    allowance = _allowance(agent, room)
    budget = room.tokens - (summary.tokens if summary else 0) - allowance
    chosen = agent.memory.select(
        begun.history, first_position=begun.first_position, message=begun.message, budget=budget
    )
    position = begun.first_position + len(begun.history)
    recalled: Sequence[RecalledMemory] = ()
    if recall:
        left = max(0, budget + allowance - begun.message.tokens - sum(each.tokens for each in chosen))
        recalled = await recall(position - len(chosen), min(allowance, left))
    context = Context(
        agent=agent,
        room=room,
        message=begun.message,
        position=position,
        summary=summary,
        history=chosen,
        first_position=position - len(chosen),
        recalled=recalled,
        recalled_tokens=await agent.counter.count(memory_block(recalled)) if recalled else 0,
        so_far=begun.so_far,
    )
    return context._within_budget() if begun.so_far else context


def _shortened(messages: Sequence[Message], over: int) -> Iterator[Message]:
    """The messages without the longest parts of the oldest results, until `over` tokens are saved; the newest results stay."""
    newest = max((index for index, each in enumerate(messages) if each.tool_calls), default=0)
    for index, message in enumerate(messages):
        saved = message.tokens - len(_LEFT_OUT) // 4
        if over > 0 and message.role == "tool" and index < newest and saved > 0:
            over -= saved
            yield replace(message, content=_LEFT_OUT, tokens=message.tokens - saved)
        else:
            yield message


def _alternating(messages: Sequence[Message]) -> Iterator[Message]:
    """The messages as models accept them.

    A turn that failed before its first word leaves an empty answer, which many models refuse: it is left out, and the
    messages of the user around it become one.
    """
    waiting: Message | None = None
    for message in well_formed(messages):
        if message.role == "user":
            waiting = replace(message, content=f"{waiting.content}\n\n{message.content}") if waiting else message
        elif message.content or message.tool_calls or message.role == "tool":
            if waiting:
                yield waiting
                waiting = None
            yield message
    if waiting:
        yield waiting
