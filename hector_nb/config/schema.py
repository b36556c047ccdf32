"""The configuration as values: what `hector.yaml` may hold, with types, units and defaults.

Everything is frozen and refuses unknown keys and wrong types. Durations are seconds, written as a number or as `500ms`, `30s`,
`1h30m`, `7d`. Rules that involve several keys are in `checks.py`, the words of the errors in `wording.py`.
"""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, Strict, WithJsonSchema

from hector_nb.memories import StorageScope

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_DURATION = r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+"
_LONGEST = 36_500 * 86_400.0
_NOT_A_DURATION = "expected a duration such as 30s, 5m or 24h"


def parse_duration(value: object) -> float:
    """Seconds from `30m`, `1h30m` and the like; numbers are seconds already.

    Raises:
        ValueError: it is no duration, negative, or longer than a hundred years.
    """
    if isinstance(value, str) and re.fullmatch(_DURATION, value.strip()):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(min(value, _LONGEST + 1))
    else:
        raise ValueError(_NOT_A_DURATION)
    if math.isnan(seconds) or not 0 <= seconds <= _LONGEST:
        raise ValueError("must be a duration from 0 to 36500d")
    return seconds


_DURATION_SCHEMA = {"type": "string", "pattern": f"^{_DURATION}$"}
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, _DURATION_SCHEMA]}),
]
PositiveDuration = Annotated[
    float,
    Field(gt=0),
    BeforeValidator(parse_duration),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, _DURATION_SCHEMA]}),
]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Texts = Annotated[tuple[str, ...], Strict(False)]
"""A YAML list of texts. (Strict would refuse the list; each text stays strict.)"""
AgentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Provider = Literal["openai", "anthropic", "google", "ollama", "openai-compatible", "local", "scripted"]
Strategy = Literal["summary_buffer", "buffer_window", "token_window"]
RequireApproval = Literal["always", "never", "rules"]
BUILTIN_TOOLS = ("write_file", "execute_command", "search", "agent_call", "read_file", "list_files")
"""Tools that an agent may name without a block under `tools`."""


class _Block(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, protected_namespaces=(), hide_input_in_errors=True, defer_build=True
    )


class LLMConfig(_Block):
    """A language model and how to reach it."""

    provider: Provider
    """Who runs the model, or whose protocol it speaks."""
    model: str | None = None
    """The provider's name of the model; for `local` a path to a `.gguf`, `hf:owner/repo/file.gguf`, or nothing for the embedded model; for `scripted` a path to a script."""
    api_key: SecretStr | None = None
    """The provider's key. Write it as `${VAR}`, never as itself."""
    base_url: str | None = Field(default=None, repr=False)
    """Where the provider answers, for example `http://localhost:8000/v1`. With `anthropic` and `google` their own protocol is spoken there."""
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    """How freely words are chosen, from 0 to 2. Unset: the provider's default."""
    max_tokens: Count | None = None
    """The longest answer, in tokens. Unset: the provider's own limit; with the embedded model 512."""
    context_window: Count | None = None
    """All that the model can take, in tokens: what it sees and what it answers. Unset: what is known of the model, else 8192."""
    timeout: PositiveDuration = 60.0
    """The longest silence of the provider, also before its first token."""
    max_retries: int = Field(default=2, ge=0, le=10)
    """How often a request that failed before its first token is sent again."""
    thinking: bool | Literal["low", "medium", "high"] | None = None
    """Whether, or how much, the model reasons before it answers, where it can."""

    @property
    def is_embedded(self) -> bool:
        """Whether this is the model that comes along; it can neither call tools nor write summaries."""
        return self.provider == "local" and self.model is None


class WorkingMemoryConfig(_Block):
    """What the model sees of the conversation."""

    strategy: Strategy = "summary_buffer"
    """Which part of the conversation stays in view. `summary_buffer`: all of it, what is old as a running summary. `buffer_window`: the last `window_size` messages. `token_window`: as many of the last messages as fit `budget`."""
    window_size: Count = 20
    """The most messages that `buffer_window` shows."""
    budget: Count | None = None
    """The most tokens that the model is shown, with any strategy, and never more than it can take. Unset: 4000, with the embedded model 1500."""
    threshold: float = Field(default=0.8, gt=0, le=1)
    """`summary_buffer` folds old turns into the summary when the context passes this part of the budget."""
    target: float = Field(default=0.6, gt=0, le=1)
    """`summary_buffer` folds until the context is down to this part of the budget."""
    summarizer: str | None = None
    """The `llms` name that writes the summary. Unset: the agent's own. The embedded model cannot write one; for it, the sentences that tell most are kept."""


class LongTermMemoryConfig(_Block):
    """What outlives the window."""

    enabled: bool = True
    """Off: nothing is remembered or recalled, as without the block."""
    storage_scope: StorageScope = "session"
    """What is kept, and where it is recalled. `session`: what was said in a session, only there. `conversational`: what was said with a user, in all of that user's sessions with the agent. `all`: what was said with anybody, in everybody's sessions. `summaries_only`: as `conversational`, but summaries only, never messages."""
    recall_limit: int = Field(default=5, ge=0, le=1000)
    """The most memories recalled for one message."""
    min_score: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    """Memories that match less, from 0 to 1, are not recalled; 1 is as well as the best. Unset: 0.4."""
    embedder: str | None = None
    """The `llms` name of an embedder: openai, google, ollama or openai-compatible. Unset: the one that is built in."""


class MemoryConfig(_Block):
    """Memory of an agent."""

    working: WorkingMemoryConfig = WorkingMemoryConfig()
    """What the model sees of the conversation."""
    longterm: LongTermMemoryConfig | None = None
    """What is remembered when it has left the window. Unset: nothing."""


class ReasoningConfig(_Block):
    """How an agent works and what it shows of it."""

    enable_streaming: bool = True
    """Off: the answer comes as one chunk."""
    show_tool_execution: bool = True
    """Tool calls and their output appear in the stream."""
    show_thinking: bool = False
    """The model's reasoning appears in the stream."""
    show_debug_info: bool = False
    """The session, the number of the message and token counts appear in the stream."""
    max_iterations: Count = 25
    """The most requests to the model in one turn; each round of tool calls takes one."""


class StreamingConfig(_Block):
    """The shape of one reader's stream."""

    chunk_size: Count | None = None
    """Characters per chunk. Unset: as the model sends them."""
    delay_ms: int = Field(default=0, ge=0, le=60_000)
    """The pause between chunks, in milliseconds."""
    buffer_size: Count = 1024
    """Chunks held for one slow reader before they are joined."""
    heartbeat: PositiveDuration = 5.0
    """The longest silence on the wire; after it a sign of life is sent."""
    on_disconnect: Literal["cancel", "continue"] = "cancel"
    """What becomes of a turn that nobody reads any more: `cancel` stops the model and keeps what was said, `continue` lets it finish."""
    resume_grace: Duration = 15.0
    """How long a turn waits for a reader to come back, before `cancel`."""


class SessionsConfig(_Block):
    """How long sessions live."""

    timeout: PositiveDuration | None = None
    """A session expires after this much inactivity: it can be read, and not be continued. Unset: never."""
    max_duration: PositiveDuration | None = None
    """A session expires at this age. Unset: never."""
    keep_events: Duration = 3600.0
    """How long a finished turn can be read again event by event, as after a cut line."""


class AgentConfig(_Block):
    """An agent."""

    description: str = ""
    """What the agent is for, shown in lists and to agents that may call it."""
    llm: str | None = None
    """A name under `llms`. Unset: `default` where there is one, else the only one, else the first model that is available."""
    instruction: str = "You are a helpful assistant. Answer briefly and precisely."
    """The system prompt: what the model is told before each conversation."""
    tools: Texts = ()
    """What the agent may use: `read_file`, `write_file`, `list_files`, `execute_command`, `search`, `agent_call`, and names under `tools`."""
    require_approval: RequireApproval | None = None
    """Overrides `require_approval` of every tool that the agent uses."""
    memory: MemoryConfig = MemoryConfig()
    """What the agent remembers."""
    reasoning: ReasoningConfig = ReasoningConfig()
    """How the agent works and what it shows of it."""
    streaming: StreamingConfig = StreamingConfig()
    """The shape of the stream."""
    sessions: SessionsConfig | None = None
    """Overrides the top-level `sessions`, key by key."""


class ToolConfig(_Block):
    """Settings of a built-in tool, or a tool of your own."""

    type: Literal["mcp", "function"] | None = None
    """Unset for built-in tools."""
    function: str | None = None
    """`type: function`: the import path, `package.module:name`."""
    command: Texts = ()
    """`type: mcp`: the server's command and arguments."""
    url: str | None = Field(default=None, repr=False)
    """`type: mcp`: the server's address."""
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    """`type: mcp`: environment of the server, besides `HOME`, `PATH` and the like; it gets no others."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """`type: mcp`: what is sent to the server's address with each request, for example `Authorization: Bearer ${TOKEN}`."""
    prefix: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,32}$")
    """`type: mcp`: goes before the names of the server's tools, where two servers have tools of one name."""
    root: str | None = None
    """The folder that a file tool may not leave and that `execute_command` starts in. Unset: the configuration file's, else the working directory."""
    folders: Texts = ()
    """`search`: the folders to search in, relative to the configuration file's. Unset: that folder, else the working directory."""
    allow: Texts = ()
    """`execute_command`: the programs that may run, as names on PATH or as paths. Empty: every one, each approved."""
    shell: bool = False
    """`execute_command`: run through a shell, `/bin/sh`, which can run any program; not together with `allow`."""
    timeout: PositiveDuration | None = None
    """The longest that one call may take. Unset: the tool's own limit."""
    max_output: Count | None = None
    """The most characters of output kept for the model."""
    max_size: Count | None = None
    """`write_file`: the largest file, in bytes."""
    max_depth: Count | None = None
    """`agent_call`: how deep agents may call agents. Unset: 3."""
    require_approval: RequireApproval | None = None
    """Whether a person is asked first: `always`, `never`, or by `rules`: for what the tool's own settings do not allow already. Unset: `always` for `write_file` and `execute_command`, else `never`."""
    approval_timeout: PositiveDuration = 300.0
    """No answer within this time means no."""


class StorageConfig(_Block):
    """Where sessions are kept."""

    url: str | None = Field(default=None, repr=False)
    """`sqlite:///path` or, with the extra `postgres`, `postgresql://user:password@host/database`. Unset: `sessions.db` in the data folder."""


class ServerConfig(_Block):
    """How `hector serve` listens."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """The port for HTTP; 0: any that is free."""
    grpc_port: int | None = Field(default=None, ge=0, le=65535)
    """The port for gRPC. Unset: no gRPC."""
    token: SecretStr | None = None
    """What callers show to get in; their sessions are those of `local`. Unset: `HECTOR_TOKEN`, else a new one at each start."""
    tokens: dict[str, str] = Field(default_factory=dict, repr=False)
    """Users by token, `TOKEN: NAME`. Each has sessions of their own."""
    allow_origins: Texts = ()
    """Web pages from elsewhere that may call, by their origin, such as `https://app.example`."""
    certfile: str | None = None
    """The certificate for HTTPS, a PEM file."""
    keyfile: str | None = None
    """The key of the certificate, a PEM file."""


class Config(_Block):
    """The whole file."""

    llms: dict[str, LLMConfig] = Field(default_factory=dict)
    """Language models by name."""
    agents: dict[AgentName, AgentConfig] = Field(default_factory=dict)
    """Agents by name."""
    tools: dict[ToolName, ToolConfig] = Field(default_factory=dict)
    """Settings of built-in tools, and tools of your own, by name."""
    sessions: SessionsConfig = SessionsConfig()
    """How long sessions live."""
    storage: StorageConfig = StorageConfig()
    """Where sessions are kept."""
    server: ServerConfig = ServerConfig()
    """How `hector serve` listens."""

    def sessions_of(self, agent: str) -> SessionsConfig:
        """How long this agent's sessions live: its own keys, the top-level ones for the rest."""
        own = self.agents[agent].sessions
        if own is None:
            return self.sessions
        return self.sessions.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})

    def llm_name(self, agent: AgentConfig) -> str | None:
        """Which `llms` entry an agent uses; None where the first available model is taken."""
        if agent.llm is not None:
            return agent.llm
        if "default" in self.llms:
            return "default"
        return next(iter(self.llms)) if len(self.llms) == 1 else None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `hector.yaml`."""
    from hector_nb.config.export import export_schema

    return export_schema()
