"""A real MCP server: `python -m tests.fakes.mcp_server stdio|http [--port N] [--old]`.

`http` writes its port as its first line. `--old` speaks only the revisions of the protocol before 2026.
"""

import argparse
import asyncio
import os
import socket
import sys
from pathlib import Path

import anyio
import uvicorn
from mcp import MCPError
from mcp import types as mcp
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.runner import serve_loop
from mcp.server.stdio import stdio_server
from starlette.types import ASGIApp, Receive, Scope, Send

server = MCPServer("fake")


@server.tool()
def add(one: int, two: int) -> int:
    """Add two numbers."""
    return one + two


@server.tool(structured_output=False)
def fail() -> str:
    """Fail."""
    raise ToolError("nothing to be done")


@server.tool(annotations=mcp.ToolAnnotations(read_only_hint=True), structured_output=False)
def environment() -> str:
    """The names of the environment, the folder, and a secret."""
    print("not for anybody: " + os.environ.get("SECRET_TOKEN", ""), file=sys.stderr, flush=True)
    return " ".join([Path.cwd().name, *sorted(os.environ)])


@server.tool(name="draw.picture", structured_output=False)
def draw() -> list[object]:
    """Draw."""
    return ["Here it is.", Image(data=b"\x89PNG" * 1000, format="png")]


@server.tool(structured_output=False)
def die() -> str:
    """End the whole server."""
    print("I die", file=sys.stderr, flush=True)
    os._exit(3)


def _note(path: str) -> None:
    Path(path).touch()


@server.tool(structured_output=False)
async def wait(started: str, cancelled: str) -> str:
    """Wait for ever, and write down what happens."""
    await anyio.Path(started).touch()
    try:
        await asyncio.Event().wait()
    finally:
        _note(cancelled)
    return "never"


@server.tool(structured_output=False)
async def together(folder: str, name: str, other: str) -> str:
    """Wait until the other call is there too."""
    (Path(folder) / name).touch()
    while not (Path(folder) / other).exists():
        await asyncio.sleep(0.01)
    return name


@server.tool(structured_output=False)
async def learn(name: str, ctx: Context) -> str:
    """Offer one more tool from now on."""
    server.add_tool(lambda: "learnt", name=name, description="New.", structured_output=False)
    await ctx.notify_tools_changed()
    await ctx.session.send_tool_list_changed()
    return "learnt"


class Keyed:
    """Lets nobody in without the key."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self.app = app
        self.key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization") != self.key:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, send)


async def _serve_old_stdio() -> None:
    plain = server._lowlevel_server
    async with plain.lifespan(plain) as state, stdio_server() as (incoming, outgoing):
        options = plain.create_initialization_options()
        await serve_loop(plain, incoming, outgoing, lifespan_state=state, init_options=options)


async def _discover_nothing(*_: object) -> None:
    raise MCPError(mcp.METHOD_NOT_FOUND, "Method not found")


def _serve_http(port: int, key: str | None) -> None:
    listener = socket.create_server(("127.0.0.1", port))
    app: ASGIApp = server.streamable_http_app()
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(Keyed(app, key) if key else app, log_level="error", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("transport", choices=("stdio", "http"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--old", action="store_true")
    parser.add_argument("--key")
    options = parser.parse_args()
    if options.old:
        server._lowlevel_server.add_request_handler("server/discover", mcp.RequestParams, _discover_nothing)
    if options.transport == "stdio":
        anyio.run(_serve_old_stdio if options.old else server.run_stdio_async)
    else:
        _serve_http(options.port, options.key)


if __name__ == "__main__":
    main()
