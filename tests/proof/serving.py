"""`hector serve` as processes over one store, with a fake provider behind them and a client before them."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any, TypeVar

import aiohttp

from tests.fakes.upstream import DONE, Exchange, FakeUpstream, chunk
from tests.proof.lines import Line

S = TypeVar("S", bound="Site")
ROOT = Path(__file__).parents[2]
WITHIN = 25.0
"""Seconds for whatever must happen at all."""
CONFIG = """
llms:
  default: {{provider: openai-compatible, model: fake, base_url: "{url}", max_retries: 0, timeout: 30s}}
agents:
  assistant: {{streaming: {{heartbeat: 200ms, resume_grace: 30s}}}}
  hasty: {{streaming: {{heartbeat: 200ms, resume_grace: 400ms}}}}
  patient: {{streaming: {{heartbeat: 200ms, resume_grace: 3s}}}}
  silent: {{streaming: {{heartbeat: 60s}}}}
  chatbot:
    reasoning: {{enable_streaming: true}}
    memory:
      working: {{strategy: buffer_window, window_size: 20}}
      longterm: {{storage_scope: session}}
"""


class Server:
    """One process. It is started when it is made, and ready after `ready`; what it says of errors is kept in a file.

    With `machine`, a folder, it shares no file with the others but its configuration. With `grpc` it speaks that, too.
    """

    def __init__(self, home: Path, number: int = 0, *, machine: Path | None = None, grpc: bool = False) -> None:
        self.errors = home / f"errors-{number}.log"
        self.grpc_port = 0
        self._grpc = grpc
        command = [sys.executable, "-m", "tests.fakes.unhurried", "serve", "--no-token", "--port", "0"]
        command += ["--grpc-port", "0"] if grpc else []
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, "--config", str(home / "hector.yaml")],
                env={**os.environ, "HECTOR_HOME": str(machine or home), "HECTOR_TOKEN": "", "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def ready(self) -> "Server":
        """Wait until it listens."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, line + self.errors.read_text()
        self.port = int(found[1])
        self.base = found[0]
        if self._grpc:
            self.grpc_port = int(self.process.stdout.readline().rpartition(":")[2])
        return self

    def kill(self) -> None:
        """What no program can prepare for."""
        self.process.kill()
        self._gone()

    def stop(self) -> tuple[int, float]:
        """Ask it to end; its exit code, and after how many seconds it was gone."""
        started = monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self._gone(), monotonic() - started

    def memory(self) -> float:
        """Resident megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def _gone(self) -> int:
        code = self.process.wait(WITHIN)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


class Site:
    """Processes over one store, and who talks to them."""

    keeps_alive = True
    """Whether calls share connections."""

    def __init__(
        self, home: Path, upstream: FakeUpstream, http: aiohttp.ClientSession, open_files: AsyncExitStack
    ) -> None:
        self.home = home
        self.upstream = upstream
        self.http = http
        self.servers: list[Server] = []
        self._stack = open_files

    def new_server(self) -> Server:
        """One more process, which may not be ready."""
        return Server(self.home, len(self.servers))

    async def server(self) -> Server:
        """One more process."""
        server = self.new_server()
        self.servers.append(server)
        return await asyncio.to_thread(server.ready)

    async def two(self) -> tuple[Server, Server]:
        """Two of them."""
        first, second = await asyncio.gather(self.server(), self.server())
        return first, second

    async def terminal(
        self, *arguments: str, environ: Mapping[str, str] = MappingProxyType({})
    ) -> asyncio.subprocess.Process:
        """`hector` in a process of its own, on the same store; `environ` is added to its environment."""
        command = [
            sys.executable,
            "-m",
            "tests.fakes.unhurried",
            "--config",
            str(self.home / "hector.yaml"),
            *arguments,
        ]
        whole = {**os.environ, "HECTOR_HOME": str(self.home), "PYTHONPATH": str(ROOT), **environ}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, env=whole, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
        self._stack.callback(_end, process)
        return process

    async def call(self, server: Server, verb: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """The status and the JSON of the answer, None where there is none."""
        if body is not None:
            more["json"] = body
        async with asyncio.timeout(WITHIN), self.http.request(verb, server.base + path, **more) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def session(self, server: Server, agent: str = "assistant") -> str:
        """A new session's path."""
        status, session = await self.call(server, "POST", f"/agents/{agent}/sessions")
        assert status == 201, session
        return f"/agents/{agent}/sessions/{session['session_id']}"

    async def get(self, server: Server, path: str, *, last: str | None = None, **query: str) -> Line:
        """A stream by GET, as an `EventSource` opens it; `last` is the `Last-Event-ID`."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        return await self._open("GET", f"{server.base}{path}/messages/stream", params=query, headers=headers)

    async def post(self, server: Server, path: str, message: str, **more: str) -> Line:
        """A stream by POST; it returns with the first frame or the first heartbeat."""
        return await self._open("POST", f"{server.base}{path}/messages/stream", json={"message": message, **more})

    async def _open(self, verb: str, url: str, **more: Any) -> Line:
        async with asyncio.timeout(WITHIN):
            return Line(await self._stack.enter_async_context(self.http.request(verb, url, **more)))

    async def transcript(self, server: Server, path: str) -> list[tuple[str, str, str]]:
        """Role, text and status of every message."""
        status, page = await self.call(server, "GET", f"{path}/messages?limit=1000")
        assert status == 200, page
        return [(each["role"], each["content"], each["status"]) for each in page["messages"]]

    async def settled(self, server: Server, path: str) -> list[tuple[str, str, str]]:
        """The transcript, once nothing runs or waits in the session any more."""
        async with asyncio.timeout(WITHIN):
            while (await self.call(server, "GET", path))[1]["running_turn"] is not None:
                await asyncio.sleep(0.02)  # another process is looked at, which announces nothing
        return await self.transcript(server, path)


def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()


@asynccontextmanager
async def opened(home: Path, *, config: str = CONFIG, kind: type[S] = Site) -> AsyncIterator[S]:  # type: ignore[assignment]
    """A provider, a configuration and a client; the processes end with it, and none of them may have failed inside."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with FakeUpstream() as upstream, AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=0, force_close=not kind.keeps_alive)
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout, connector=connector))
        (home / "hector.yaml").write_text(config.format(url=upstream.url))
        site = kind(home, upstream, http, stack)
        try:
            yield site
        finally:
            for server in site.servers:
                if server.process.returncode is None:
                    server.kill()
    told = "".join(server.errors.read_text() for server in site.servers)
    assert "Traceback" not in told, told


class Dictation:
    """An answer whose words come when the test says so. `left` is set when the client closes the connection."""

    def __init__(self, *words: str) -> None:
        self._words: asyncio.Queue[str | None] = asyncio.Queue()
        self.left = asyncio.Event()
        self.say(*words)

    def say(self, *words: str) -> None:
        """Go on."""
        for word in words:
            self._words.put_nowait(word)

    def end(self) -> None:
        """That was all."""
        self._words.put_nowait(None)

    async def __call__(self, exchange: Exchange) -> None:
        try:
            await exchange.head()
            while (word := await self._words.get()) is not None:
                await exchange.send(chunk({"content": word}))
            await exchange.send(chunk({}, "stop") + DONE)
            await exchange.end()
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise


def asked(upstream: FakeUpstream, number: int = -1) -> list[tuple[str, str]]:
    """Role and text of the messages that the provider got, without the system prompt."""
    messages: Sequence[dict[str, Any]] = upstream.requests[number].body["messages"]
    return [(each["role"], each["content"]) for each in messages if each["role"] != "system"]


def stalling(server: Server, path: str) -> socket.socket:
    """A connection with a small window on which nothing is read."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(WITHIN)
    line.connect(("127.0.0.1", server.port))
    line.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return line
