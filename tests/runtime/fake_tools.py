"""Tools that do what a test says, and the calls that a scripted model makes of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from hector_nb.messages import ToolCall, ToolSchema
from hector_nb.tools.base import CallContext, RequireApproval, Tool

Deed = Callable[[Mapping[str, Any], CallContext], Awaitable[str]]


async def echo(arguments: Mapping[str, Any], context: CallContext) -> str:
    return f"did {arguments.get('what', 'nothing')}"


class FakeTool:
    """Takes `what`, and `how` before it in the schema. `calls` are the arguments of all calls so far, `contexts` their contexts."""

    timeout: float | None = None

    def __init__(
        self,
        name: str = "act",
        deed: Deed = echo,
        *,
        require_approval: RequireApproval = "never",
        approval_timeout: float = 300.0,
        max_output: int = 10_000,
    ) -> None:
        properties = {"how": {"type": "string"}, "what": {"type": "string"}}
        self.schema = ToolSchema(
            name=name,
            description="Acts.",
            parameters={
                "type": "object",
                "properties": properties,
                "required": ["what"],
                "additionalProperties": False,
            },
        )
        self.require_approval = require_approval
        self.approval_timeout = approval_timeout
        self.max_output = max_output
        self.calls: list[Mapping[str, Any]] = []
        self.contexts: list[CallContext] = []
        self._deed = deed

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        return arguments["what"] == "no harm"

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        self.calls.append(arguments)
        self.contexts.append(context)
        return await self._deed(arguments, context)


class FakeSource:
    """Gives these tools. `closed` counts how often it was closed."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = tools
        self.closed = 0

    async def tools(self) -> Sequence[Tool]:
        return self._tools

    async def aclose(self) -> None:
        self.closed += 1


def call(what: str = "it", name: str = "act", **more: Any) -> ToolCall:
    """A model's call; models may give all their calls the same id."""
    return ToolCall(call_id="same", name=name, arguments={"what": what, **more})
