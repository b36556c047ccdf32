"""Tools of real MCP servers, started by a command and reached at an address."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hector_nb.config.schema import ToolConfig
from hector_nb.errors import ToolUnavailable
from hector_nb.tools.base import Tool, ToolError
from hector_nb.tools.mcp import McpServer
from tests.tools.calls import answer

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent.parent
MODULE = [sys.executable, "-m", "tests.fakes.mcp_server"]
SECRET = "s3cret-value"


def started(*arguments: str, **settings: Any) -> ToolConfig:
    """A server by command."""
    settings.setdefault("env", {"PYTHONPATH": str(ROOT)})
    return ToolConfig.model_validate({"type": "mcp", "command": [*MODULE, "stdio", *arguments], **settings})


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A server at an address: its port and its process."""
    process = subprocess.Popen([*MODULE, "http", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def reached(port: int, **settings: Any) -> ToolConfig:
    return ToolConfig.model_validate({"type": "mcp", "url": f"http://127.0.0.1:{port}/mcp", **settings})


@pytest.fixture(scope="module")
def shared_port() -> Iterator[int]:
    with serving() as (port, _):
        yield port


@pytest.fixture(scope="module")
def old_port() -> Iterator[int]:
    with serving("--old") as (port, _):
        yield port


@pytest.fixture(scope="module", params=["stdio", "http", "old stdio", "old http"])
async def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[McpServer]:
    """A server of each kind."""
    match request.param:
        case "stdio":
            config = started()
        case "old stdio":
            config = started("--old")
        case "http":
            config = reached(request.getfixturevalue("shared_port"))
        case _:
            config = reached(request.getfixturevalue("old_port"))
    server = McpServer.from_config("mine", config, folder=tmp_path_factory.mktemp("folder"))
    yield server
    await server.aclose()


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Callable[..., McpServer]]:
    """Makes sources, and closes them."""
    made: list[McpServer] = []

    def make(config: ToolConfig, **more: Any) -> McpServer:
        made.append(McpServer("mine", config, folder=tmp_path, **more))
        return made[-1]

    async with asyncio.timeout(60):
        yield make
        for server in made:
            await server.aclose()


async def tool(server: McpServer, name: str) -> Tool:
    return {each.schema.name: each for each in await server.tools()}[name]


async def exists(path: Path) -> None:
    async with asyncio.timeout(30):
        while not os.path.exists(path):  # noqa: PTH110, ASYNC240
            await asyncio.sleep(0.01)


async def test_the_tools_of_a_server_are_called(server: McpServer) -> None:
    add = await tool(server, "add")
    assert add.schema.description == "Add two numbers."
    assert add.schema.parameters["type"] == "object"
    assert list(add.schema.parameters["properties"]) == ["one", "two"]
    assert (add.require_approval, add.timeout, add.approval_timeout) == ("never", 60, 300)
    assert await answer(add, one=40, two=2) == "42"


async def test_an_error_of_the_tool_is_told(server: McpServer) -> None:
    with pytest.raises(ToolError, match="nothing to be done"):
        await answer(await tool(server, "fail"))
    assert await answer(await tool(server, "add"), one=1, two=1) == "2"


async def test_what_is_no_text_is_noted(server: McpServer) -> None:
    drawn = await answer(await tool(server, "draw_picture"))
    assert drawn == "Here it is.\n[image, image/png, 4,000 bytes: not shown]"


async def test_only_what_the_server_says_reads_only_is_permitted(server: McpServer) -> None:
    assert (await tool(server, "environment")).permits({}) is True
    assert (await tool(server, "add")).permits({"one": 1, "two": 2}) is False


async def test_calls_run_at_the_same_time(server: McpServer, tmp_path: Path) -> None:
    together = await tool(server, "together")
    calls = [answer(together, folder=str(tmp_path), name=name, other=other) for name, other in (("a", "b"), ("b", "a"))]
    assert await asyncio.gather(*calls) == ["a", "b"]


async def test_a_cancelled_call_is_cancelled_at_the_server(server: McpServer, tmp_path: Path) -> None:
    begun, cancelled = tmp_path / "begun", tmp_path / "cancelled"
    call = asyncio.create_task(answer(await tool(server, "wait"), started=str(begun), cancelled=str(cancelled)))
    await exists(begun)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await exists(cancelled)
    assert await answer(await tool(server, "add"), one=1, two=1) == "2"


async def test_a_tool_that_is_new_is_offered_to_the_next_turn(server: McpServer, tmp_path: Path) -> None:
    name = f"new_{tmp_path.name}"
    before = await server.tools()
    assert await server.tools() is before
    await answer(await tool(server, "learn"), name=name)
    async with asyncio.timeout(30):
        while name not in [each.schema.name for each in await server.tools()]:
            await asyncio.sleep(0.01)
    assert await answer(await tool(server, name)) == "learnt"


async def test_turns_that_come_at_once_share_one_connection(opened: Callable[..., McpServer]) -> None:
    server = opened(started())
    lists = await asyncio.gather(*(server.tools() for _ in range(5)))
    assert all(each is lists[0] for each in lists)


async def test_a_started_server_gets_no_secrets_of_this_process(
    opened: Callable[..., McpServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-others")
    server = opened(started(env={"PYTHONPATH": str(ROOT), "GIVEN": "yes"}))
    folder, *names = (await answer(await tool(server, "environment"))).split()
    assert folder == tmp_path.name
    assert {"GIVEN", "PATH", "HOME"} <= set(names)
    assert "OPENAI_API_KEY" not in names


async def test_a_server_that_dies_in_a_call_says_so_and_is_started_again(opened: Callable[..., McpServer]) -> None:
    server = opened(started())
    with pytest.raises(ToolError, match="ended before it answered") as failed:
        await answer(await tool(server, "die"))
    assert "not known" in str(failed.value)
    assert await answer(await tool(server, "add"), one=1, two=1) == "2"


async def test_a_server_that_died_between_calls_is_started_again(opened: Callable[..., McpServer]) -> None:
    server = opened(started())
    add = await tool(server, "add")
    for use in (lambda: answer(add, one=1, two=1), server.tools):
        child = _only_child()
        os.kill(child, signal.SIGKILL)
        async with asyncio.timeout(30):
            while _runs(child) or (server._connection and server._connection.alive):
                await asyncio.sleep(0.01)
        assert await use()
        assert _only_child() != child


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _only_child() -> int:
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    [child] = [
        int(pid)
        for pid in children.read_text().split()
        if "mcp_server\0stdio" in Path(f"/proc/{pid}/cmdline").read_text()
    ]
    return child


async def test_closing_ends_a_started_server_and_may_be_done_twice(opened: Callable[..., McpServer]) -> None:
    server = opened(started())
    await server.tools()
    child = _only_child()
    await server.aclose()
    await server.aclose()
    assert not _runs(child)


@pytest.mark.parametrize("old", [(), ("--old",)], ids=["new", "old"])
async def test_a_server_at_an_address_that_was_restarted_is_reached_again(
    opened: Callable[..., McpServer], old: tuple[str, ...]
) -> None:
    with serving(*old) as (port, _):
        server = opened(reached(port))
        add = await tool(server, "add")
        assert await answer(add, one=1, two=1) == "2"
    with pytest.raises(ToolError, match=r"cannot be used|ended before"):
        await answer(add, one=1, two=1)
    with pytest.raises(ToolUnavailable, match="nothing answers at its address"):
        await server.tools()
    with serving("--port", str(port), *old):
        assert await answer(add, one=1, two=1) == "2"
        assert len(await server.tools()) > 5


async def test_an_address_gets_its_headers_and_errors_do_not_tell_them(opened: Callable[..., McpServer]) -> None:
    with serving("--key", f"Bearer {SECRET}") as (port, _):
        allowed = opened(reached(port, headers={"Authorization": f"Bearer {SECRET}"}))
        assert await answer(await tool(allowed, "add"), one=1, two=1) == "2"
        refused = opened(reached(port, headers={"Authorization": f"Basic {SECRET}"}))
        with pytest.raises(ToolUnavailable) as failed:
            await refused.tools()
        assert "127.0.0.1" in failed.value.message
        assert SECRET not in str(failed.value)


async def test_what_a_server_wrote_helps_and_its_secrets_are_left_out(
    opened: Callable[..., McpServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hector_nb.tools.mcp_connection._LAST_WORDS", 30.0)
    program = f"import sys; sys.exit('no database at {SECRET}')"
    config = ToolConfig(type="mcp", command=(sys.executable, "-c", program), env={"TOKEN": SECRET})
    with pytest.raises(ToolUnavailable) as failed:
        await opened(config).tools()
    assert failed.value.message.startswith("tools.mine: the MCP server (")
    assert "it ended before it answered" in failed.value.message
    assert "It last said: no database at …" in (failed.value.hint or "")
    assert SECRET not in str(failed.value)


async def test_a_program_that_is_not_there_is_named(opened: Callable[..., McpServer]) -> None:
    with pytest.raises(ToolUnavailable, match="there is no program 'no-such-program'") as failed:
        await opened(ToolConfig(type="mcp", command=("no-such-program",))).tools()
    assert failed.value.hint == "Check `command`: run it in a terminal."


async def test_a_server_that_never_answers_is_given_up_and_ended(opened: Callable[..., McpServer]) -> None:
    config = ToolConfig(type="mcp", command=(sys.executable, "-c", "import sys; [None for _ in sys.stdin]"))
    with pytest.raises(ToolUnavailable, match=r"did not answer within 0\.5 s"):
        await opened(config, start_within=0.5).tools()


async def test_a_turn_that_is_cancelled_while_a_server_starts_leaves_none_behind(
    opened: Callable[..., McpServer],
) -> None:
    server = opened(started())
    turn = asyncio.create_task(server.tools())
    await asyncio.sleep(0)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert len(await server.tools()) > 5
    assert _only_child()


async def test_settings_hold_for_every_tool_of_the_server(opened: Callable[..., McpServer]) -> None:
    settings = {"prefix": "fake_", "require_approval": "rules", "timeout": "5s", "max_output": 100}
    server = opened(started(**settings))
    add = await tool(server, "fake_add")
    assert (add.require_approval, add.timeout, add.max_output) == ("rules", 5, 100)
    assert await answer(add, one=1, two=1) == "2"


async def test_without_the_package_the_error_says_how_to_get_it(
    opened: Callable[..., McpServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hector_nb.tools.mcp_connection", None)
    with pytest.raises(ToolUnavailable) as failed:
        await opened(started()).tools()
    assert 'pip install "hector_nb[mcp]"' in (failed.value.hint or "")


def test_the_sdk_is_loaded_only_when_a_server_is_used() -> None:
    program = (
        "import hector_nb.tools.mcp, sys, json; print(json.dumps([m for m in ('mcp', 'httpx2') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout) == []
