"""An open connection to an MCP server, by the `mcp` SDK. Only `mcp.py` loads this module, when a server is first used.

The SDK's scopes must be left by the task that entered them, so a connection lives in a task of its own; calls come from any task. A call
that is cancelled is cancelled at the server too: the SDK sees to that.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self, cast

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp import types as mcp
from mcp.client import IncomingMessage, Transport
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, Subscription, SubscriptionLost

from hector_nb.config.schema import ToolConfig
from hector_nb.tools.base import ToolError
from hector_nb.tools.mcp_result import result_text
from hector_nb.tools.mcp_stderr import LastWords

_log = logging.getLogger("hector_nb.tools")

_REACH = 10.0
"""Seconds to connect to an address."""
_ACKNOWLEDGE = 5.0
"""Seconds that a server has to say whether it will tell of changes."""
_LAST_WORDS = 0.5
"""Seconds to read what a server that has ended wrote."""
_MOST_PAGES = 100


class ConnectionFailed(Exception):
    """The server did not start, cannot be reached, or does not speak MCP; `said` is what it last wrote to its standard error."""

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(reason)
        self.said = said


class ConnectionGone(Exception):
    """The server knows this connection no more and has not seen the call."""


class Connection:
    """A connection from `opened` to `close`. `changed`: the server may have other tools than those last listed."""

    def __init__(self, config: ToolConfig, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._words: LastWords | None = None
        self._incoming: Any = None
        self._closing = asyncio.Event()
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._holder = asyncio.create_task(self._hold())
        self.changed = True

    @classmethod
    async def opened(cls, config: ToolConfig, *, folder: Path, within: float) -> Self:
        """Start or reach the server that a configuration names.

        Raises:
            ConnectionFailed: there is no connection, or none `within` seconds.
        """
        connection = cls(config, folder)
        try:
            async with asyncio.timeout(within):
                await asyncio.shield(connection._ready)
        except BaseException as error:
            await connection.close()
            if isinstance(error, TimeoutError):
                raise ConnectionFailed(f"it did not answer within {within:g} s", connection._said()) from error
            raise
        return connection

    @property
    def alive(self) -> bool:
        """Whether a call could get through: neither the connection nor a server that was started for it has ended."""
        ended = self._incoming is not None and self._incoming.statistics().open_send_streams == 0
        return not (self._holder.done() or self._closing.is_set() or ended)

    async def list_tools(self) -> Sequence[mcp.Tool]:
        """What the server offers now.

        Raises:
            ConnectionFailed: the server does not say.
            ConnectionGone: the server knows this connection no more.
        """
        client = await self._ready
        self.changed = False
        try:
            return await _all_tools(client)
        except (MCPError, ValueError) as error:
            self.changed = True
            self._lost(error)
            raise ConnectionFailed(f"it does not list its tools: {error}", self._said()) from error

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Call a tool; what it says.

        Raises:
            ToolError: it did not work.
            ConnectionGone: the server has not seen the call.
        """
        client = await self._ready
        try:
            result = await client.call_tool(name, dict(arguments))
        except MCPError as error:
            if self._lost(error):
                said = "The server ended before it answered; what the call has done until then is not known."
                raise ToolError(f"{said}\n{self._said()}".strip()) from error
            raise ToolError(error.message) from error
        except (RuntimeError, ValueError) as error:
            raise ToolError(f"The server's answer cannot be used: {error}") from error
        text = result_text(result)
        if result.is_error:
            raise ToolError(text)
        return text

    async def close(self) -> None:
        """End the connection, and a server that was started for it."""
        self._closing.set()
        if not self._ready.done():
            self._holder.cancel()
        await asyncio.wait([self._holder])

    async def _hold(self) -> None:
        """Be connected until `close`."""
        try:
            async with AsyncExitStack() as stack:
                transport = cast("Transport", self._started() if self._config.command else self._reached())
                client = await stack.enter_async_context(Client(transport, message_handler=self._hear, cache=None))
                changes = await _changes(stack, client)
                self._ready.set_result(client)
                await self._attend(changes)
        except Exception as error:  # noqa: BLE001 -- the SDK, and what it stands on, raise whatever they like
            if self._ready.done():
                _log.info("The connection to an MCP server ended: %s", type(_cause(error)).__name__)
            else:
                said = await asyncio.to_thread(self._said, within=_LAST_WORDS)
                self._ready.set_exception(ConnectionFailed(_reason(error), said))
        finally:
            self._closing.set()
            self._ready.cancel()

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[Any]:
        """The streams of a server that runs for this connection, with little of this process's environment: no keys of others."""
        self._words = LastWords()
        path = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), os.environ.get("PATH"))))
        program, *arguments = self._config.command
        parameters = StdioServerParameters(
            command=program, args=arguments, env={"PATH": path, **self._config.env}, cwd=self._folder
        )
        try:
            async with stdio_client(parameters, errlog=self._words.file) as (incoming, outgoing):
                self._words.begun()
                self._incoming = incoming
                yield incoming, outgoing
        finally:
            self._words.begun()

    @asynccontextmanager
    async def _reached(self) -> AsyncIterator[Any]:
        """The streams of a server at an address. How long a call may take is not decided here."""
        timeout = httpx2.Timeout(_REACH, read=None)
        async with (
            httpx2.AsyncClient(headers=self._config.headers, timeout=timeout) as http,
            streamable_http_client(self._config.url or "", http_client=http) as streams,
        ):
            yield streams

    async def _attend(self, changes: Subscription | None) -> None:
        """Note what the server tells, until the end."""
        async with anyio.create_task_group() as tasks:
            if changes is not None:
                tasks.start_soon(self._follow, changes)
            await self._closing.wait()
            tasks.cancel_scope.cancel()

    async def _follow(self, changes: Subscription) -> None:
        try:
            async for _ in changes:
                self.changed = True
        except SubscriptionLost:
            pass
        # Later changes would not be heard of, so the next use connects anew.
        self._closing.set()

    async def _hear(self, message: IncomingMessage) -> None:
        if isinstance(message, mcp.ToolListChangedNotification):
            self.changed = True

    def _lost(self, error: Exception) -> bool:
        """Whether the connection broke under a request.

        Raises:
            ConnectionGone: it was over before, and the server has not seen the request.
        """
        if isinstance(error, MCPError) and error.code == mcp.CONNECTION_CLOSED:
            self._closing.set()
            return True
        if isinstance(error, MCPError) and error.message == "Session terminated":
            self._closing.set()
            raise ConnectionGone from error
        return False

    def _said(self, *, within: float = 0.0) -> str:
        """What the server last wrote, without the secrets that it was given."""
        text = self._words.text(within=within) if self._words else ""
        for secret in self._config.env.values():
            if len(secret) >= 6:
                text = text.replace(secret, "…")
        return text


async def _all_tools(client: Client) -> list[mcp.Tool]:
    tools: list[mcp.Tool] = []
    cursor = None
    for _ in range(_MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        if (cursor := page.next_cursor) is None:
            break
    return tools


async def _changes(stack: AsyncExitStack, client: Client) -> Subscription | None:
    """What a server tells of its tools only to those who listen; older servers tell without being asked."""
    offered = client.server_capabilities.tools
    if offered is None or not offered.list_changed:
        return None
    try:
        async with asyncio.timeout(_ACKNOWLEDGE):
            return await stack.enter_async_context(client.listen(tools_list_changed=True))
    except (ListenNotSupportedError, MCPError, SubscriptionLost, TimeoutError):
        return None


def _cause(error: BaseException) -> BaseException:
    """The first error of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _reason(error: BaseException) -> str:
    """Why there is no connection, without an address or anything else that may be secret."""
    match cause := _cause(error):
        case FileNotFoundError():
            return f"there is no program {cause.filename!r}"
        case OSError():
            return cause.strerror or type(cause).__name__
        case MCPError(code=mcp.CONNECTION_CLOSED):
            return "it ended before it answered"
        case MCPError():
            return f"it answered {cause.message!r}"
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            return "nothing answers at its address"
        case httpx2.HTTPError():
            return f"it cannot be reached ({type(cause).__name__})"
        case _:
            return f"{type(cause).__name__} while it was connected to"
