"""How tests call tools."""

from collections.abc import Callable, Mapping
from typing import Any

from hector_nb.tools.base import Tool
from hector_nb.tools.decorator import ToolMark, mark_of
from hector_nb.tools.function import FunctionTool
from tests.tools.calling import context

CONTEXT = context()


def made(function: Callable[..., Any], **said: Any) -> FunctionTool:
    """A function as a tool, as a configuration makes it."""
    return FunctionTool(function, mark_of(function) or ToolMark(**{"name": function.__name__, **said}))


async def answer(tool: Tool, arguments: Mapping[str, Any] | None = None, **more: Any) -> str:
    return await tool.call({**(arguments or {}), **more}, CONTEXT)
