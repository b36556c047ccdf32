"""An agent as the engine runs it: its configuration, its model, its memory and its tools."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from hector_nb.config.schema import AgentConfig, SessionsConfig
from hector_nb.memory.base import Summarizer, TokenCounter, WorkingMemory
from hector_nb.memory.counting import count_message, count_schemas
from hector_nb.memory.longterm import LongTermMemory
from hector_nb.messages import Message, ToolSchema
from hector_nb.models.base import Model
from hector_nb.service import AgentInfo
from hector_nb.sessions import Lifetime, Session
from hector_nb.tools.toolbox import Toolbox


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """One configured agent. `budget` is in tokens and bounds what the model sees beside the schemas of tools.

    `window` is the most tokens that its model can read, None where that is not known but guessed.
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
    window: int | None = None
    summarizer: Summarizer | None = None
    longterm: LongTermMemory | None = None
    toolbox: Toolbox = field(default_factory=lambda: Toolbox(()))
    info: AgentInfo = field(init=False, repr=False, compare=False)
    _counted: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "info", self._info())

    @property
    def lifetime(self) -> Lifetime:
        """How long its sessions live."""
        return Lifetime(timeout=self.sessions.timeout, max_duration=self.sessions.max_duration)

    def grace(self, *, one_off: bool, on_disconnect: Literal["cancel", "continue"] | None = None) -> float | None:
        """Seconds for which a turn waits for a reader to come back; None: for ever."""
        if (on_disconnect or self.config.streaming.on_disconnect) == "continue":
            return None
        return 0.0 if one_off else self.config.streaming.resume_grace

    def new_session(
        self,
        user: str,
        session_id: str,
        *,
        title: str = "",
        metadata: Mapping[str, Any] | None = None,
        listed: bool = True,
    ) -> Session:
        """A session with it that begins now."""
        now = datetime.now(UTC)
        return Session(
            session_id=session_id,
            agent=self.name,
            user=user,
            title=title,
            metadata=metadata or {},
            created_at=now,
            last_active_at=now,
            expires_at=self.lifetime.expires_at(now, now),
            listed=listed,
        )

    def _info(self) -> AgentInfo:
        """What people may know of it."""
        working = self.config.memory.working
        most = max(0, self.model.context_window - self.model.max_tokens)
        longterm = self.config.memory.longterm
        return AgentInfo(
            name=self.name,
            description=self.config.description,
            model=self.model.name,
            provider=self.provider,
            host=self.model.host,
            tools=self.config.tools,
            memory={
                "working": {**working.model_dump(), "budget": min(self.budget, most)},
                "longterm": longterm.model_dump() if longterm and longterm.enabled else None,
            },
            reasoning=self.config.reasoning,
            streaming=self.config.streaming,
        )

    async def instruction_tokens(self) -> int:
        """Tokens of the system prompt, counted once."""
        if "instruction" not in self._counted:
            self._counted["instruction"] = await self.counter.count(self.config.instruction)
        return self._counted["instruction"]

    async def schema_tokens(self, tools: Sequence[ToolSchema]) -> int:
        """Tokens of the schemas of tools, counted once for each set of them."""
        if not tools:
            return 0
        text = json.dumps([[tool.name, tool.description, dict(tool.parameters)] for tool in tools], ensure_ascii=False)
        if text not in self._counted:
            self._counted[text] = await count_schemas(self.counter, tools)
        return self._counted[text]

    async def aclose(self) -> None:
        """Free what model, memory and tools hold."""
        await self.model.aclose()
        await self.toolbox.aclose()
        if self.summarizer:
            await self.summarizer.aclose()
        if self.longterm:
            await self.longterm.embedder.aclose()

    async def count(self, message: Message) -> Message:
        """The message with its tokens counted: text, thinking, tool calls and their results."""
        return await count_message(self.counter, message)
