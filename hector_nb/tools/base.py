"""The port to tools: a checked call goes in, text for the model comes out.

Below is only vocabulary. A tool does not validate its arguments, ask for approval, or bound its output and time: `toolbox.py` does that
for all alike. A tool is cancelled by cancelling its task, and leaves nothing running behind.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from hector_nb.events import Event
from hector_nb.messages import ToolSchema
from hector_nb.service import TurnStream

RequireApproval = Literal["always", "never", "rules"]


class ToolError(Exception):
    """A call that did not work. The text is for the model: what went wrong, and what to do instead. The turn goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CallContext:
    """Who calls, and where: the turn that the call belongs to.

    `emit` adds an event to the turn's log. `depth` counts the agents above this one that called one another; `callers` are their names,
    this agent's last.
    """

    user: str
    agent: str
    session_id: str
    turn_id: str
    call_id: str
    emit: Callable[[Event], None]
    depth: int = 0
    callers: Sequence[str] = ()


class Tool(Protocol):
    """One thing that an agent can do.

    `require_approval` says whether a person is asked first, `approval_timeout` for how many seconds. `timeout` is the longest that a call
    may take, in seconds; None: for ever. `max_output` is the most characters of a call's output that the model sees at once.
    """

    schema: ToolSchema
    require_approval: RequireApproval
    approval_timeout: float
    timeout: float | None
    max_output: int

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        """Whether the tool's own settings allow this call, so that under `rules` nobody is asked.

        Raises:
            ToolError: the call is not allowed at all, or cannot work: the model is told so, and nobody is asked.
        """
        ...

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """Do it. The arguments fit the schema and have its order.

        Raises:
            ToolError: it did not work.
        """
        ...


@runtime_checkable
class Previews(Protocol):
    """A tool that can tell beforehand what a call would change."""

    async def preview(self, arguments: Mapping[str, Any]) -> str | None:
        """A unified diff; None where there is nothing to compare with. The arguments fit the schema.

        Raises:
            ToolError: the call cannot work.
        """
        ...


class Embedder(Protocol):
    """Makes vectors of texts, for tools that compare texts. `name` changes whenever its vectors stop being comparable."""

    name: str

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """A vector for each text: little-endian 32-bit floats of length 1. Never blocks the event loop.

        Raises:
            HectorError: it failed.
        """
        ...


class AgentTurns(Protocol):
    """Asks other agents, for the same user."""

    def asked(self, agent: str, message: str, context: CallContext) -> AbstractAsyncContextManager[TurnStream]:
        """A turn of an agent, in a session of its own that is linked to the call. Leaving the block early stops the turn.

        Raises:
            HectorError: the turn could not begin.
        """
        ...


class ToolSource(Protocol):
    """Gives tools: a built-in one, a function, or all that a server offers."""

    async def tools(self) -> Sequence[Tool]:
        """The tools; asked before each turn, so an answer that does not change is kept.

        Raises:
            ToolUnavailable: the source cannot be used; the error says what to do.
        """
        ...

    async def aclose(self) -> None:
        """Free what the tools hold: processes, connections, indexes. Agents share a source, so it may be closed more than once."""
        ...
