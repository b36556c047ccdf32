"""MCP servers as sources of tools: `type: mcp` in the configuration, started by a `command` or reached at a `url`.

One connection per server and process, opened when a turn first needs it, shared by all turns, opened again after the server ended. The
tools have the server's own names, after the `prefix` if there is one.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from hector_nb.config.schema import ToolConfig
from hector_nb.errors import ToolUnavailable
from hector_nb.messages import ToolSchema
from hector_nb.tools.base import CallContext, RequireApproval, Tool, ToolError

if TYPE_CHECKING:
    from mcp import types as mcp

    from hector_nb.tools.mcp_connection import Connection

_START = 30.0
"""Seconds that a server has to start and to say what it offers."""
_TIMEOUT = 60.0
_MAX_OUTPUT = 20_000
_LONGEST_NAME = 64


class McpServer:
    """A server and its tools.

    Args:
        name: The key under `tools`.
        config: How it is started or reached.
        folder: Where a started server works.
        start_within: Seconds until its tools must be known.
    """

    def __init__(self, name: str, config: ToolConfig, *, folder: Path, start_within: float = _START) -> None:
        self._name = name
        self._config = config
        self._folder = folder
        self._start_within = start_within
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None
        self._tools: Sequence[Tool] = ()

    @classmethod
    def from_config(cls, name: str, config: ToolConfig, *, folder: Path) -> Self:
        """The source for `tools.NAME`."""
        return cls(name, config, folder=folder)

    async def tools(self) -> Sequence[Tool]:
        """What the server offers; asked of it when it is new, and when it said that something changed.

        Raises:
            ToolUnavailable: it does not start, cannot be reached, or offers nothing.
        """
        async with self._lock:
            connection = await self._connected()
            if connection.changed:
                self._tools = self._made(await self._listed(connection))
            return self._tools

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """Call one of its tools.

        Raises:
            ToolError: it did not work.
        """
        from hector_nb.tools.mcp_connection import ConnectionGone

        for _ in range(2):
            try:
                async with self._lock:
                    connection = await self._connected()
                return await connection.call(tool, arguments)
            except ConnectionGone:
                continue
            except ToolUnavailable as error:
                raise ToolError(error.message) from error
        raise ToolError("The server forgets its connections at once.")

    async def aclose(self) -> None:
        """End the connection, and a server that was started for it."""
        async with self._lock:
            if self._connection is not None:
                connection, self._connection = self._connection, None
                await connection.close()

    async def _connected(self) -> "Connection":
        if self._connection is not None and not self._connection.alive:
            connection, self._connection = self._connection, None
            await connection.close()
        if self._connection is None:
            self._connection = await self._opened()
        return self._connection

    async def _opened(self) -> "Connection":
        try:
            # The SDK takes a second to load, which is not the event loop's.
            module = await asyncio.to_thread(_sdk)
        except ImportError as error:
            raise ToolUnavailable(
                f"tools.{self._name}: MCP servers need the package `mcp`.",
                hint='Install it: pip install "hector_nb[mcp]"',
            ) from error
        try:
            opened: Connection = await module.Connection.opened(
                self._config, folder=self._folder, within=self._start_within
            )
        except module.ConnectionFailed as error:
            raise self._unavailable(str(error), error.said) from error
        return opened

    async def _listed(self, connection: "Connection") -> "Sequence[mcp.Tool]":
        from hector_nb.tools.mcp_connection import ConnectionFailed, ConnectionGone

        try:
            async with asyncio.timeout(self._start_within):
                return await connection.list_tools()
        except (ConnectionFailed, ConnectionGone):
            # It may have ended since the last turn; if it is really broken, the new connection says so.
            self._connection = None
            await connection.close()
        except TimeoutError as error:
            connection.changed = True
            raise self._unavailable(f"it did not list its tools within {self._start_within:g} s") from error
        self._connection = connection = await self._opened()
        try:
            return await connection.list_tools()
        except (ConnectionFailed, ConnectionGone) as error:
            raise self._unavailable(str(error), getattr(error, "said", "")) from error

    def _made(self, offered: "Sequence[mcp.Tool]") -> list[Tool]:
        if not offered:
            raise ToolUnavailable(f"tools.{self._name}: this MCP server offers no tools.", hint="Take it out.")
        names: dict[str, mcp.Tool] = {}
        for each in offered:
            names[_free(_plain(f"{self._config.prefix}{each.name}"), names)] = each
        return [McpTool(self, name, each, self._config) for name, each in names.items()]

    def _unavailable(self, reason: str, said: str = "") -> ToolUnavailable:
        if self._config.command:
            who, check = self._config.command[0], "Check `command`: run it in a terminal."
        else:
            who, check = urlsplit(self._config.url or "").hostname or "url", "Check `url`, and that the server runs."
        hint = f"It last said: {said}\n{check}" if said else check
        return ToolUnavailable(f"tools.{self._name}: the MCP server ({who}) cannot be used: {reason}.", hint=hint)


class McpTool:
    """One tool of a server."""

    def __init__(self, server: McpServer, name: str, offered: "mcp.Tool", config: ToolConfig) -> None:
        self._server = server
        self._own_name = offered.name
        self._reads_only = bool(offered.annotations and offered.annotations.read_only_hint)
        self.schema = ToolSchema(
            name=name,
            description=offered.description or offered.title or "",
            parameters={"type": "object", **offered.input_schema},
        )
        self.require_approval: RequireApproval = config.require_approval or "never"
        self.approval_timeout = config.approval_timeout
        self.timeout: float | None = config.timeout or _TIMEOUT
        self.max_output = config.max_output or _MAX_OUTPUT

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        """What the server says only reads."""
        return self._reads_only

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """Ask the server.

        Raises:
            ToolError: it did not work.
        """
        return await self._server.call(self._own_name, arguments)


def _sdk() -> Any:
    return import_module("hector_nb.tools.mcp_connection")


def _plain(name: str) -> str:
    """A name that every provider takes."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:_LONGEST_NAME]


def _free(name: str, taken: Mapping[str, object]) -> str:
    """This name, or where it is taken the next one that is not."""
    number = 2
    free = name
    while free in taken:
        free = f"{name[: _LONGEST_NAME - len(str(number)) - 1]}_{number}"
        number += 1
    return free
