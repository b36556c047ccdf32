"""A tool that does as it is told, and calls."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hector_nb.events import Event
from hector_nb.messages import ToolCall
from hector_nb.tools.base import CallContext, RequireApproval
from hector_nb.tools.builtin import BuiltinSource, BuiltinTool, make_schema
from hector_nb.tools.toolbox import CheckedCall, Toolbox, ToolOutcome

_PROPERTIES: dict[str, dict[str, Any]] = {"place": {"type": "string"}, "count": {"type": "integer", "default": 1}}


def context(call_id: str = "call_1", *, emit: Callable[[Event], None] = lambda event: None) -> CallContext:
    return CallContext(user="ada", agent="coder", session_id="sess_1", turn_id="turn_1", call_id=call_id, emit=emit)


def call(name: str, /, **arguments: Any) -> ToolCall:
    return ToolCall(call_id="call_1", name=name, arguments=arguments)


class FakeTool(BuiltinTool):
    """Calls `work`, keeps what it was given."""

    def __init__(
        self,
        work: Callable[[Mapping[str, Any]], Awaitable[str]] | str = "done",
        *,
        name: str = "fake",
        schema: Mapping[str, Any] | None = None,
        permitted: bool = False,
        require_approval: RequireApproval = "never",
        timeout: float | None = 30.0,
        max_output: int = 16_000,
    ) -> None:
        self.schema = make_schema(name, "A fake.", _PROPERTIES, required=("place",))
        if schema is not None:
            self.schema = type(self.schema)(name=name, description="A fake.", parameters=schema)
        self.require_approval = require_approval
        self.timeout = timeout
        self.max_output = max_output
        self.given: list[Mapping[str, Any]] = []
        self._work = work
        self._permitted = permitted

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        return self._permitted

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        self.given.append(arguments)
        return self._work if isinstance(self._work, str) else await self._work(arguments)


def box(*tools: Any, **settings: Any) -> Toolbox:
    return Toolbox([BuiltinSource(tool) for tool in tools], **settings)


async def outcome(toolbox: Toolbox, wanted: ToolCall) -> ToolOutcome:
    """What the model is told of a call, without asking anybody."""
    checked = await toolbox.check(wanted)
    return await toolbox.run(checked, context(wanted.call_id)) if isinstance(checked, CheckedCall) else checked
