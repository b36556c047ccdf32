"""`read_output`: the rest of an output that was too long to be seen at once."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from hector_nb.messages import ToolSchema
from hector_nb.tools.base import CallContext, RequireApproval, ToolError

OutputReader: TypeAlias = Callable[[str, str, str], Awaitable[str | None]]
"""Gives all that a call said, by user, session and call id: `Store.get_output`."""

READ_OUTPUT = "read_output"
_ROOM_FOR_NOTE = 200


class ReadOutput:
    """Pages through kept outputs of the session that calls. `page` is in characters."""

    schema = ToolSchema(
        name=READ_OUTPUT,
        description="Read more of a tool's output that was cut. The note in the output names call_id and offset.",
        parameters={
            "type": "object",
            "properties": {
                "call_id": {"type": "string", "description": "The call whose output it is."},
                "offset": {"type": "integer", "minimum": 0, "description": "The first character to read, from 0."},
            },
            "required": ["call_id"],
            "additionalProperties": False,
        },
    )
    require_approval: RequireApproval = "never"
    approval_timeout = 300.0
    timeout: float | None = 30.0

    def __init__(self, reader: OutputReader, *, page: int) -> None:
        self._reader = reader
        self._page = page
        self.max_output = page + _ROOM_FOR_NOTE

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        """Always: the model had this output already."""
        return True

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """One page of the output."""
        text = await self._reader(context.user, context.session_id, arguments["call_id"])
        if text is None:
            raise ToolError("No output of a call with this id was cut. Use the call_id of a note in an output.")
        start = arguments.get("offset", 0)
        if start >= len(text):
            raise ToolError(f"The output has only {len(text):,} characters.")
        end = min(start + self._page, len(text))
        more = f"go on with offset={end}" if end < len(text) else "this is the end"
        return f"{text[start:end]}\n[characters {start:,} to {end:,} of {len(text):,}; {more}]"
