"""The configuration as values: what `hector.yaml` may hold, with types, units and defaults.

Everything is frozen and refuses unknown keys. Durations are seconds, written as a number or as `500ms`, `30s`, `5m`, `24h`, `7d`.
Validation across keys (unknown agents, tools, models) and the error texts are in `loader.py`.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def parse_duration(value: object) -> object:
    """Seconds from `30m` and the like; numbers are seconds already."""
    if isinstance(value, bool):
        raise ValueError("must be a duration such as 30s, 5m or 24h")
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if not match:
            raise ValueError("must be a duration such as 30s, 5m or 24h")
        return float(match[1]) * _UNITS[match[2]]
    return value


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(ge=0),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DURATION.pattern}]}),
]
PositiveDuration = Annotated[Duration, Field(gt=0)]
Provider = Literal["openai", "anthropic", "google", "ollama", "openai-compatible", "local", "scripted"]
Strategy = Literal["summary_buffer", "buffer_window", "token_window"]
StorageScope = Literal["session", "conversational", "all", "summaries_only"]
RequireApproval = Literal["always", "never", "rules"]


class _Block(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=(), strict=True
    )


class LLMConfig(_Block):
    """A language model and how to reach it."""

    provider: Provider
    model: str | None = None
    """The provider's name of the model; for `local` a path to a `.gguf`, `hf:owner/repo/file.gguf`, or nothing for the embedded model; for `scripted` a path to a script."""
    api_key: SecretStr | None = None
    """The provider's key. Write it as `${VAR}`, never as itself."""
    base_url: str | None = None
    """Where the provider answers, for example `http://localhost:8000/v1`."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, gt=0)
    """The longest answer, in tokens."""
    context_window: int | None = Field(default=None, gt=0)
    """All that the model can see, in tokens."""
    timeout: PositiveDuration = 60.0
    """The longest silence of the provider, also before its first token."""
    max_retries: int = Field(default=2, ge=0, le=10)
    thinking: bool | Literal["low", "medium", "high"] | None = None
    """Whether, or how much, the model reasons before it answers, where it can."""


class WorkingMemoryConfig(_Block):
    """What the model sees of the conversation."""

    strategy: Strategy = "summary_buffer"
    window_size: int = Field(default=20, ge=1)
    """The most messages that `buffer_window` shows."""
    budget: int | None = Field(default=None, ge=1)
    """The most tokens of context. Unset: 4000, with the embedded model 1500."""
    threshold: float = Field(default=0.8, gt=0, le=1)
    """`summary_buffer` folds old turns when the context passes this part of the budget."""
    target: float = Field(default=0.6, gt=0, le=1)
    """`summary_buffer` folds until the context is down to this part of the budget."""
    summarizer: str | None = None
    """The `llms` name that writes the summary. Unset: the agent's own."""


class LongTermMemoryConfig(_Block):
    """What outlives the window."""

    enabled: bool = True
    storage_scope: StorageScope = "session"
    recall_limit: int = Field(default=5, ge=0)
    """The most memories recalled for one message."""
    min_score: float | None = Field(default=None, ge=0, le=1)
    embedder: str | None = None
    """The `llms` name of an OpenAI-compatible embedder. Unset: the one that is built in."""


class MemoryConfig(_Block):
    """Memory of an agent."""

    working: WorkingMemoryConfig = WorkingMemoryConfig()
    longterm: LongTermMemoryConfig | None = None


class ReasoningConfig(_Block):
    """How an agent works and what it shows of it."""

    enable_streaming: bool = True
    """Off: the answer comes as one chunk."""
    show_tool_execution: bool = True
    show_thinking: bool = False
    show_debug_info: bool = False
    max_iterations: int = Field(default=25, ge=1)
    """The most requests to the model in one turn."""


class StreamingConfig(_Block):
    """The shape of one reader's stream."""

    chunk_size: int | None = Field(default=None, ge=1)
    """Characters per chunk. Unset: as the model sends them."""
    delay_ms: int = Field(default=0, ge=0)
    """The pause between chunks, in milliseconds."""
    buffer_size: int = Field(default=1024, ge=1)
    """Chunks held for one slow reader before they are joined."""
    heartbeat: PositiveDuration = 5.0
    """The longest silence on the wire."""
    on_disconnect: Literal["cancel", "continue"] = "cancel"
    """What becomes of a turn that nobody reads any more."""
    resume_grace: Duration = 15.0
    """How long a turn waits for a reader to come back."""


class SessionsConfig(_Block):
    """How long sessions live."""

    timeout: PositiveDuration | None = None
    """A session expires after this much inactivity. Unset: never."""
    max_duration: PositiveDuration | None = None
    """A session expires at this age. Unset: never."""
    keep_events: Duration = 3600.0
    """How long a finished turn can be resumed."""


class AgentConfig(_Block):
    """An agent."""

    description: str = ""
    llm: str | None = None
    """A name under `llms`. Unset: `default` where there is one, else the only one, else the first model that is available."""
    instruction: str = "You are a helpful assistant. Answer briefly and precisely."
    """The system prompt."""
    tools: tuple[str, ...] = ()
    memory: MemoryConfig = MemoryConfig()
    reasoning: ReasoningConfig = ReasoningConfig()
    streaming: StreamingConfig = StreamingConfig()
    sessions: SessionsConfig | None = None
    """Overrides the top-level `sessions`."""


class ToolConfig(_Block):
    """Settings of a built-in tool, or a tool of your own."""

    type: Literal["mcp", "function"] | None = None
    """Unset for built-in tools."""
    function: str | None = None
    """`type: function`: the import path, `package.module:name`."""
    command: tuple[str, ...] = ()
    """`type: mcp`: the server's command and arguments."""
    url: str | None = None
    """`type: mcp`: the server's address."""
    env: dict[str, str] = Field(default_factory=dict)
    """`type: mcp`: environment of the server."""
    root: str | None = None
    """The folder a file tool may not leave."""
    folders: tuple[str, ...] = ()
    """`search`: the folders to index."""
    allow: tuple[str, ...] = ()
    """`execute_command`: the programs that may run. Empty: every one, each approved."""
    shell: bool = False
    """`execute_command`: run through a shell."""
    timeout: PositiveDuration | None = None
    max_output: int | None = Field(default=None, gt=0)
    """The most characters of output kept for the model."""
    max_size: int | None = Field(default=None, gt=0)
    """`write_file`: the largest file, in bytes."""
    max_depth: int | None = Field(default=None, gt=0)
    """`agent_call`: how deep agents may call agents."""
    require_approval: RequireApproval | None = None
    approval_timeout: PositiveDuration = 300.0


class StorageConfig(_Block):
    """Where sessions are kept."""

    url: str | None = None
    """`sqlite:///path` or `postgresql://…`. Unset: `sessions.db` in the data folder."""


class ServerConfig(_Block):
    """How `hector serve` listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    grpc_port: int | None = Field(default=None, ge=0, le=65535)
    token: SecretStr | None = None
    tokens: dict[str, str] = Field(default_factory=dict)
    """Users by token."""
    allow_origins: tuple[str, ...] = ()
    """Web origins besides the server's own that may call."""
    certfile: str | None = None
    keyfile: str | None = None


class Config(_Block):
    """The whole file."""

    llms: dict[str, LLMConfig] = Field(default_factory=dict)
    agents: dict[str, AgentConfig] = Field(default_factory=dict)
    tools: dict[str, ToolConfig] = Field(default_factory=dict)
    sessions: SessionsConfig = SessionsConfig()
    storage: StorageConfig = StorageConfig()
    server: ServerConfig = ServerConfig()


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `hector.yaml`."""
    return Config.model_json_schema()
