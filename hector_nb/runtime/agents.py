"""An agent as the engine runs it: its configuration, its model and its memory."""

from dataclasses import dataclass, field

from hector_nb.config.schema import AgentConfig, SessionsConfig
from hector_nb.memory.base import Summarizer, TokenCounter, WorkingMemory
from hector_nb.memory.counting import count_message
from hector_nb.messages import Message
from hector_nb.models.base import Model
from hector_nb.service import AgentInfo
from hector_nb.sessions import Lifetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """One configured agent. `budget` is in tokens and bounds all that the model sees; `summarizer` is None where memory never folds."""

    name: str
    config: AgentConfig
    sessions: SessionsConfig
    provider: str
    model: Model
    memory: WorkingMemory
    counter: TokenCounter
    budget: int
    summarizer: Summarizer | None = None
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

    async def instruction_tokens(self) -> int:
        """Tokens of the system prompt, counted once."""
        if "instruction" not in self._counted:
            self._counted["instruction"] = await self.counter.count(self.config.instruction)
        return self._counted["instruction"]

    async def count(self, message: Message) -> Message:
        """The message with its tokens counted: text, thinking, tool calls and their results."""
        return await count_message(self.counter, message)
