"""An agent's tools: they are offered to the model, and its calls are checked, bounded and run.

Above is the turn loop, which asks a person where `needs_approval` says so; below are the sources of tools. Whatever a model or a tool
does wrong becomes an outcome for the model to read: only a source that cannot be used at all is an error of the turn.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hector_nb.config.wording import did_you_mean
from hector_nb.errors import HectorError, ToolUnavailable
from hector_nb.messages import Message, ToolCall, ToolSchema, unreadable
from hector_nb.service import ToolInfo
from hector_nb.tools.base import CallContext, Previews, RequireApproval, Tool, ToolError, ToolSource
from hector_nb.tools.output import clean, cut, was_cut
from hector_nb.tools.read_output import READ_OUTPUT, OutputReader, ReadOutput

_log = logging.getLogger("hector_nb.tools")

_KEPT = 2_000_000
"""The most characters of an output that are kept at all."""
_RENAME = "Give one another name: `prefix` under `tools` for an MCP server, @hector_nb.tool(name=…) in a notebook."
_SHOWN = 200
"""The most characters of the model's own words that an error text repeats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedCall:
    """A call that may be run. Its arguments fit the schema and have its order; `permitted` is the word of the tool's own settings."""

    call: ToolCall
    tool: Tool
    permitted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolOutcome:
    """What the model is told of a call. `full` is all that the tool said, where `text` is only a part of it."""

    text: str
    full: str | None = None
    is_error: bool = False


class Toolbox:
    """What one agent can do.

    `require_approval` beats that of every tool. `max_output` is the most characters of one output that the model has room for, whatever
    its tool allows. `outputs` gives kept outputs back (`Store.get_output`); without it there is no `read_output`.
    """

    def __init__(
        self,
        sources: Sequence[ToolSource],
        *,
        require_approval: RequireApproval | None = None,
        max_output: int | None = None,
        outputs: OutputReader | None = None,
    ) -> None:
        self._sources = sources
        self._require_approval = require_approval
        self._max_output = max_output
        self._outputs = outputs

    async def schemas(self, messages: Sequence[Message] = ()) -> Sequence[ToolSchema]:
        """What the model is told of its tools. `read_output` is among them if one of the messages that it sees was cut.

        Raises:
            ToolUnavailable: a source cannot be used, or two tools have one name.
        """
        tools = await self._tools()
        needed = any(message.role == "tool" and was_cut(message.content) for message in messages)
        return [tool.schema for name, tool in tools.items() if name != READ_OUTPUT or needed]

    async def check(self, call: ToolCall) -> CheckedCall | ToolOutcome:
        """The call as it may be run, or the outcome that tells the model what is wrong with it. Arguments edited by a person are checked anew."""
        try:
            tools = await self._tools()
        except HectorError as error:
            return _refused(f"The tool {_word(call.name)} cannot be used now: {error.message}")
        tool = tools.get(call.name)
        if tool is None:
            return _refused(f"There is no tool {_word(call.name)}{did_you_mean(call.name, tools, what='tools')}")
        if (text := _misfit(tool, call)) is not None:
            return _refused(text)
        return self._permit(tool, call)

    def needs_approval(self, checked: CheckedCall) -> bool:
        """Whether a person is asked before the call is run. How long is `checked.tool.approval_timeout`, in seconds."""
        if isinstance(checked.tool, ReadOutput):
            return False
        required = self._require_approval or checked.tool.require_approval
        return required == "always" or (required == "rules" and not checked.permitted)

    async def preview(self, call: ToolCall) -> str | None:
        """What a call would change, as a unified diff, where its tool can tell."""
        checked = await self.check(call)
        if not isinstance(checked, CheckedCall) or not isinstance(checked.tool, Previews):
            return None
        try:
            return await checked.tool.preview(checked.call.arguments)
        except ToolError:
            return None

    async def infos(self) -> Sequence[ToolInfo]:
        """What people may know of the tools, as things are now.

        Raises:
            ToolUnavailable: as for `schemas`.
        """
        return [
            ToolInfo(
                name=name,
                description=tool.schema.description,
                parameters=tool.schema.parameters,
                require_approval=self._require_approval or tool.require_approval,
            )
            for name, tool in (await self._tools()).items()
            if name != READ_OUTPUT
        ]

    async def run(self, checked: CheckedCall, context: CallContext) -> ToolOutcome:
        """Run the call within its limits. Nothing that goes wrong is raised but the cancellation of this task."""
        tool = checked.tool
        try:
            text, is_error = await _within_limit(tool, checked.call, context), False
        except ToolError as error:
            text, is_error = clean(str(error)), True
        text = text if len(text) <= _KEPT else f"{text[:_KEPT]}\n[the rest was too long to be kept]"
        seen = cut(text, self._room(tool), call_id=context.call_id if self._outputs else None)
        return ToolOutcome(text=seen, full=text if seen != text else None, is_error=is_error)

    async def aclose(self) -> None:
        """Free what the sources hold."""
        for result in await asyncio.gather(*(source.aclose() for source in self._sources), return_exceptions=True):
            if isinstance(result, Exception):
                _log.warning("A tool could not be closed", exc_info=result)

    async def _tools(self) -> dict[str, Tool]:
        """All tools by name."""
        found: list[Tool] = []
        for tools in await asyncio.gather(*(source.tools() for source in self._sources), return_exceptions=True):
            if isinstance(tools, BaseException):
                raise tools
            found.extend(tools)
        if found and self._outputs is not None:
            found.append(ReadOutput(self._outputs, page=self._page(found)))
        by_name = {tool.schema.name: tool for tool in found}
        if len(by_name) < len(found):
            names = [tool.schema.name for tool in found]
            twice = next(name for name in names if names.count(name) > 1)
            raise ToolUnavailable(f"Two tools of this agent are called {twice!r}.", hint=_RENAME)
        return by_name

    def _page(self, tools: Sequence[Tool]) -> int:
        """Characters that `read_output` gives at once: as many as the roomiest tool."""
        return max(self._room(tool) for tool in tools)

    def _room(self, tool: Tool) -> int:
        """The most characters of this tool's output that the model sees at once."""
        if self._max_output is None or isinstance(tool, ReadOutput):
            return tool.max_output
        return min(tool.max_output, self._max_output)

    def _permit(self, tool: Tool, call: ToolCall) -> CheckedCall | ToolOutcome:
        """Ask the tool's own settings; where they cannot tell, a person is asked."""
        arguments = in_order(tool.schema.parameters, call.arguments)
        try:
            permitted = tool.permits(arguments)
        except ToolError as error:
            return _refused(str(error))
        except Exception:  # noqa: BLE001 -- whatever a tool's own rules raise, the call is put to a person
            _log.exception("The rules of the tool %s failed", tool.schema.name)
            permitted = False
        return CheckedCall(call=replace(call, arguments=arguments), tool=tool, permitted=permitted)


def in_order(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments in the order of the schema's properties; others follow as they came."""
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    return {
        **{name: arguments[name] for name in known if name in arguments},
        **{name: value for name, value in arguments.items() if name not in known},
    }


async def _within_limit(tool: Tool, call: ToolCall, context: CallContext) -> str:
    """What the tool says, cleaned.

    Raises:
        ToolError: it did not work, for whatever reason, or not in time.
    """
    task = asyncio.current_task()
    try:
        async with asyncio.timeout(tool.timeout) as limit:
            return clean(await tool.call(call.arguments, context))
    except ToolError:
        raise
    except asyncio.CancelledError as error:
        if task is not None and task.cancelling():
            raise
        raise ToolError("The tool was cancelled from inside.") from error
    except (Exception, SystemExit) as error:
        if limit.expired():
            raise ToolError(f"The tool took longer than {tool.timeout:g} s and was stopped.") from error
        _log.exception("The tool %s failed", tool.schema.name)
        raise ToolError(f"{type(error).__name__}: {error}") from error


def _misfit(tool: Tool, call: ToolCall) -> str | None:
    """Why the arguments cannot be used, for the model."""
    name = tool.schema.name
    if (written := unreadable(call.arguments)) is not None:
        return f"The arguments of {name} must be one JSON object, not {_word(written)}. Call it again."
    from hector_nb.tools.arguments import problems

    try:
        found = problems(tool.schema.parameters, call.arguments)
    except Exception:  # noqa: BLE001 -- a broken schema fails in many ways
        _log.exception("The schema of the tool %s is broken", name)
        return f"The arguments of {name} cannot be checked: its schema is broken. Do without this tool."
    return f"The arguments of {name} are wrong: {'; '.join(found)}. Correct them and call it again." if found else None


def _refused(text: str) -> ToolOutcome:
    return ToolOutcome(text=clean(text), is_error=True)


def _word(text: str) -> str:
    """The model's own words, short and in quotes."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
