"""What the built-in tools have in common: limits that the configuration may change, work in a thread, and being their own source."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from hector_nb.config.schema import ToolConfig
from hector_nb.futures import disregard_failure
from hector_nb.messages import ToolSchema
from hector_nb.tools.base import RequireApproval, Tool, ToolError

_T = TypeVar("_T")
_PATIENCE = 5.0
"""Seconds that a cancelled call waits for its thread, so that what it began is over when the cancellation is."""


class BuiltinTool:
    """Limits of a tool, with the defaults of those that only look."""

    schema: ToolSchema
    require_approval: RequireApproval = "never"
    approval_timeout: float = 300.0
    timeout: float | None = 30.0
    max_output: int = 16_000

    def limited(self, config: ToolConfig) -> Self:
        """This tool with the limits that the configuration sets."""
        self.require_approval = config.require_approval or self.require_approval
        self.approval_timeout = config.approval_timeout
        self.timeout = config.timeout or self.timeout
        self.max_output = config.max_output or self.max_output
        return self


class BuiltinSource:
    """One built-in tool as a source."""

    def __init__(self, tool: Tool) -> None:
        self._tools = (tool,)

    async def tools(self) -> Sequence[Tool]:
        """The tool."""
        return self._tools

    async def aclose(self) -> None:
        """There is nothing to free."""


def make_schema(
    name: str, description: str, properties: dict[str, dict[str, Any]], *, required: Sequence[str] = ()
) -> ToolSchema:
    """A schema that takes nothing but these properties."""
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return ToolSchema(name=name, description=description, parameters=parameters)


async def in_thread(work: Callable[[], _T]) -> _T:
    """What `work`, which blocks, returns. A cancelled caller goes on only when the work is over, but waits no longer than five seconds.

    Raises:
        ToolError: the operating system refused.
    """
    thread = asyncio.ensure_future(asyncio.to_thread(work))
    thread.add_done_callback(disregard_failure)
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread], timeout=_PATIENCE)
        raise
    except OSError as error:
        raise ToolError(refusal_of(error)) from error


def refusal_of(error: OSError) -> str:
    """Why the operating system refused, in words."""
    name = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return f"{name}{error.strerror or type(error).__name__}."
