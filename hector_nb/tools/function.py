"""A Python function as a tool, and `type: function`: one that the configuration names.

A sync function runs in a thread of its own, an async one on the event loop. When a call is stopped, an async function is cancelled; a
sync one cannot be stopped by anybody, so it runs on to its end and nobody hears of its result.
"""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

from hector_nb.config.schema import ToolConfig
from hector_nb.errors import ToolUnavailable
from hector_nb.messages import ToolSchema
from hector_nb.tools.base import CallContext, RequireApproval, Tool, ToolError
from hector_nb.tools.decorator import ToolMark, mark_of
from hector_nb.tools.import_path import ImportPathError, load
from hector_nb.tools.result_text import result_text
from hector_nb.tools.signature import Signature

MAX_OUTPUT = 20_000
"""Characters of a result that the model sees at once."""
_TIMEOUT = 60.0
_APPROVAL_TIMEOUT = 300.0

Work = Callable[[], "str | Awaitable[str]"]
"""A call that is ready to be made: its text, or for an async function what gives the text."""


async def in_thread(work: Work) -> str:
    """Do the work in a thread that nobody waits for at the end of the process; what it gives to await is awaited here.

    Raises:
        ToolError: the function failed.
    """
    done: Future[str | Awaitable[str]] = Future()
    done.set_running_or_notify_cancel()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            done.set_result(context.run(work))
        except BaseException as error:  # noqa: BLE001 -- whoever waits for the work hears of it
            done.set_exception(error)

    threading.Thread(target=run, name="hector_nb tool", daemon=True).start()
    text = await asyncio.wrap_future(done)
    return text if isinstance(text, str) else await text


async def on_loop(work: Work) -> str:
    """Do the work on the running event loop.

    Raises:
        ToolError: the function failed.
    """
    text = work()
    return text if isinstance(text, str) else await text


class FunctionTool:
    """One function that a model can call.

    Args:
        function: The function.
        mark: Its name, and what else was said of it.
        signature: Its parameters, where they are known.
        run: Where its calls are made; None: sync ones in a thread, async ones on the event loop.
        approval_timeout: Seconds that a person has to approve a call.
        max_output: Characters of a result that the model sees at once.

    Raises:
        TypeError: a model could not call it.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        mark: ToolMark,
        *,
        signature: Signature | None = None,
        run: Callable[[Work], Awaitable[str]] | None = None,
        approval_timeout: float = _APPROVAL_TIMEOUT,
        max_output: int = MAX_OUTPUT,
    ) -> None:
        self._function = function
        self._signature = signature or Signature(function)
        self._run = run or (on_loop if inspect.iscoroutinefunction(function) else in_thread)
        self.schema = ToolSchema(
            name=mark.name,
            description=self._signature.description if mark.description is None else mark.description,
            parameters=self._signature.parameters,
        )
        self.require_approval: RequireApproval = mark.require_approval
        self.approval_timeout = approval_timeout
        self.timeout = mark.timeout
        self.max_output = max_output

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        """Never: a function has no rules of its own."""
        return False

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """Call the function; its result as text.

        Raises:
            ToolError: the arguments do not fit the hints, or the function raised an error.
        """
        bound = self._signature.bind(arguments)
        return await self._run(lambda: _made(self._function, bound))


class FunctionTools:
    """The function that `tools.NAME` names, as the one tool NAME. It is imported when it is first asked for."""

    def __init__(self, name: str, config: ToolConfig, *, folder: Path) -> None:
        self._name = name
        self._config = config
        self._folder = folder
        self._loaded: Sequence[Tool] | None = None

    @classmethod
    def from_config(cls, name: str, config: ToolConfig, *, folder: Path) -> Self:
        """The source for `tools.NAME`; modules are looked for in `folder` first."""
        return cls(name, config, folder=folder)

    async def tools(self) -> Sequence[Tool]:
        """The one tool.

        Raises:
            ToolUnavailable: the function is not there, or a model could not call it.
        """
        if self._loaded is None:
            # Whatever the module does while it is imported must not hold up the event loop.
            self._loaded = [await asyncio.to_thread(self._load)]
        return self._loaded

    async def aclose(self) -> None:
        """Nothing is held."""

    def _load(self) -> Tool:
        try:
            function = load(self._config.function or "", folder=self._folder)
            return self._tool(function)
        except ImportPathError as error:
            raise ToolUnavailable(f"tools.{self._name}: {error}", hint=error.hint) from error
        except TypeError as error:
            raise ToolUnavailable(
                f"tools.{self._name}: {error}", hint="Change the function, or take it out."
            ) from error

    def _tool(self, function: Callable[..., Any]) -> Tool:
        said, config = mark_of(function) or ToolMark(self._name), self._config
        mark = ToolMark(
            name=self._name,
            description=said.description,
            require_approval=config.require_approval or said.require_approval,
            timeout=config.timeout or said.timeout or _TIMEOUT,
        )
        return FunctionTool(
            function,
            mark,
            approval_timeout=config.approval_timeout,
            max_output=config.max_output or MAX_OUTPUT,
        )


def _made(function: Callable[..., Any], bound: inspect.BoundArguments) -> "str | Awaitable[str]":
    """Make the call; an async function's text is still to be awaited.

    Raises:
        ToolError: the function failed.
    """
    try:
        result = function(*bound.args, **bound.kwargs)
        return _awaited(result) if inspect.isawaitable(result) else result_text(result)
    except (Exception, SystemExit) as error:
        raise _told(error) from error


async def _awaited(result: Awaitable[Any]) -> str:
    try:
        return result_text(await result)
    except (Exception, SystemExit) as error:
        raise _told(error) from error


def _told(error: BaseException) -> ToolError:
    """An error of the function, for the model."""
    return error if isinstance(error, ToolError) else ToolError(f"{type(error).__name__}: {error}".removesuffix(": "))
