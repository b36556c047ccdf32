"""An agent as the engine runs it: its configuration, its model and its memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hector_nb.config.schema import AgentConfig, SessionsConfig
from hector_nb.memory.base import Summarizer, TokenCounter, WorkingMemory
from hector_nb.memory.longterm import LongTermMemory
from hector_nb.messages import Message, ToolSchema
from hector_nb.models.base import Model
from hector_nb.service import AgentInfo
from hector_nb.sessions import Lifetime

_TOKENS_PER_MESSAGE = 4
"""What chat formats add to a message: its role and its borders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """One configured agent. `budget` is in tokens and bounds what the model sees beside the schemas of tools.

    `summarizer` is set where old messages are folded into summaries, `longterm` where something outlives the window.
    """

    name: str
    config: AgentConfig
    sessions: SessionsConfig
    provider: str
    model: Model
    memory: WorkingMemory
    counter: TokenCounter
    budget: int
    summarizer: Summarizer | None = None
    longterm: LongTermMemory | None = None
    _counted: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    @property
    def lifetime(self) -> Lifetime:
        """How long its sessions live."""
        return Lifetime(timeout=self.sessions.timeout, max_duration=self.sessions.max_duration)

    @property
    def info(self) -> AgentInfo:
        """What people may know of it."""
        working = self.config.memory.working
        longterm = self.config.memory.longterm
        return AgentInfo(
            name=self.name,
            description=self.config.description,
            model=self.model.name,
            provider=self.provider,
            host=self.model.host,
            tools=self.config.tools,
            memory={
                "working": {**working.model_dump(), "budget": self.budget},
                "longterm": longterm.model_dump() if longterm and longterm.enabled else None,
            },
            reasoning=self.config.reasoning,
            streaming=self.config.streaming,
        )

    async def schemas(self) -> Sequence[ToolSchema]:
        """What the model is told of the agent's tools."""
        return ()

    async def instruction_tokens(self) -> int:
        """Tokens of the system prompt, counted once."""
        if "instruction" not in self._counted:
            self._counted["instruction"] = await self.counter.count(self.config.instruction)
        return self._counted["instruction"]

    async def aclose(self) -> None:
        """Free what model and memory hold."""
        await self.model.aclose()
        if self.longterm:
            await self.longterm.aclose()

    async def count(self, message: Message) -> Message:
        """The message with its tokens counted: text, thinking and tool calls."""
        parts: Sequence[str] = (
            message.content,
            message.thinking,
            *(call.name + json.dumps(call.arguments, ensure_ascii=False) for call in message.tool_calls),
        )
        tokens = _TOKENS_PER_MESSAGE
        for part in parts:
            if part:
                tokens += await self.counter.count(part)
        return replace(message, tokens=tokens, estimated=not self.counter.exact)
