"""Readers of turns and sessions, alike over server-sent events and WebSocket: what they get, as tuples."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp

from tests.transports.conftest import Site, block_of

Wire = Literal["sse", "websocket"]
WIRES: tuple[Wire, ...] = ("sse", "websocket")
ENDED = ("ended",)
"""The server has ended the response, or told a socket that nothing more comes."""


class EventLine:
    """A response of server-sent events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.status = response.status
        self.opening = ""

    async def hear(self) -> tuple[str, ...]:
        """The next frame; comments are passed over."""
        async with asyncio.timeout(30):
            while True:
                lines = []
                while line := (await self.response.content.readline()).decode():
                    if line == "\n":
                        break
                    lines.append(line.rstrip("\n"))
                if not lines:
                    return ENDED
                block = block_of("\n".join(lines))
                if "data" in block:
                    return _frame(block)
                self.opening = block.get("id", self.opening)


def _frame(block: dict[str, str]) -> tuple[str, ...]:
    if block["data"] == "[DONE]":
        return "done", block["id"]
    return _tuple(block.get("event", "chunk"), json.loads(block["data"]), block["id"])


def _tuple(name: str, data: dict[str, Any], place: str) -> tuple[str, ...]:
    match name:
        case "chunk":
            return "chunk", data["chunk"], place
        case "reset":
            return "reset", data["text"], place
        case "error":
            return "error", data["error"]["code"], place
    return name, place


class SocketLine:
    """A WebSocket."""

    status = 200

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        await self.socket.send_json(message)

    async def hear(self) -> tuple[str, ...]:
        """The next frame."""
        frame = await self.socket.receive_json(timeout=30)
        if "error" in frame and "id" not in frame:
            return (*ENDED, frame["error"]["code"])
        if "done" in frame:
            return "done", frame["id"]
        name = frame.get("event") or ("chunk" if "chunk" in frame else "error")
        return _tuple(name, frame, frame["id"])


Line = EventLine | SocketLine


@asynccontextmanager
async def followed(
    wire: Wire, site: Site, session_id: str, last: str | None = None, *, agent: str = "assistant", query: str = ""
) -> AsyncIterator[Line]:
    """A follower of a session, from now on or after an event."""
    if wire == "sse":
        headers = {"Last-Event-ID": last} if last else {}
        url = f"{site.base}/agents/{agent}/sessions/{session_id}/messages/stream?{query}"
        async with site.http.get(url, headers=headers) as response:
            yield EventLine(response)
        return
    async with _socket(site, agent, session_id, query) as line:
        await line.say(follow=last or True)
        yield line


@asynccontextmanager
async def resumed(
    wire: Wire, site: Site, session_id: str, last: str, *, agent: str = "assistant", query: str = ""
) -> AsyncIterator[Line]:
    """A reader of one turn, after an event."""
    if wire == "sse":
        turn_id = last.partition(":")[0]
        url = f"{site.base}/agents/{agent}/sessions/{session_id}/messages/stream?turn_id={turn_id}&{query}"
        async with site.http.get(url, headers={"Last-Event-ID": last}) as response:
            yield EventLine(response)
        return
    async with _socket(site, agent, session_id, query) as line:
        await line.say(resume=last)
        yield line


@asynccontextmanager
async def _socket(site: Site, agent: str, session_id: str, query: str) -> AsyncIterator[SocketLine]:
    url = f"{site.base}/agents/{agent}/stream?session_id={session_id}&{query}"
    async with site.http.ws_connect(url) as socket:
        line = SocketLine(socket)
        await socket.receive_json(timeout=30)
        yield line


async def turn_of(line: Line) -> list[tuple[str, ...]]:
    """All frames up to a turn's last."""
    frames = [await line.hear()]
    while frames[-1][0] not in {"done", "error", "ended"}:
        frames.append(await line.hear())
    return frames


def text_of(frames: list[tuple[str, ...]]) -> str:
    return "".join(frame[1] for frame in frames if frame[0] == "chunk")


def kinds_of(frames: list[tuple[str, ...]]) -> list[str]:
    return [frame[0] for frame in frames]
