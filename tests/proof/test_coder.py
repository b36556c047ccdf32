"""The page's "Streaming with Tools": its YAML as printed, a real server, a model behind a real provider process, real files and programs."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.config.test_page_examples import BLOCKS
from tests.proof.lines import Copy
from tests.proof.serving import ROOT, WITHIN, Server, Site, opened

pytestmark = pytest.mark.anyio
PAGE = """Let me create that file...
[Tool: write_file("hello.py", "print('Hello')")]
File created successfully.
Now let me test it...
[Tool: execute_command("python hello.py")]
Output: Hello
The program works correctly!"""
HELLO = {"path": "hello.py", "content": "print('Hello')"}
SLOW = "import os, time\nopen('pid', 'x').write(str(os.getpid()))\ntime.sleep(60)\n"
SCRIPT = {
    "Write a program that says hello.": [
        ["Let me create that file...", {"call": "write_file", "arguments": HELLO}],
        [
            "File created successfully.\nNow let me test it...",
            {"call": "execute_command", "arguments": {"command": "python hello.py"}},
        ],
        ["The program works correctly!"],
    ],
    "Run slow.py.": [["On it.", {"call": "execute_command", "arguments": {"command": "python slow.py"}}]],
    "What happened?": [["It was stopped."]],
}


@asynccontextmanager
async def coding(home: Path, more: str = "") -> AsyncIterator[Site]:
    """Servers with the page's `coder` and nothing else but its model; `more` are lines of its block."""
    requests = home / "requests.jsonl"
    script = home / "script.json"
    script.write_text(json.dumps(SCRIPT))
    command = [sys.executable, "-m", "tests.fakes.scripted_upstream", str(script), str(requests)]
    async with AsyncExitStack() as stack:
        provider = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        stack.push_async_callback(ended, provider)
        assert provider.stdout
        port = int(await provider.stdout.readline())
        (block,) = (block for block in BLOCKS if block.name == "Streaming with Tools")
        url = f"http://127.0.0.1:{port}/v1"
        llm = f'llms:\n  coding: {{provider: openai-compatible, model: fake, base_url: "{url}", max_retries: 0}}\n'
        config = (llm + block.text.rstrip() + "\n" + more).replace("{", "{{").replace("}", "}}")
        yield await stack.enter_async_context(opened(home, config=config))


async def ended(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def approve(site: Site, server: Server, path: str, name: str) -> str:
    """Wait until this tool asks, and say yes; the call's id."""
    (waiting,) = await asked(site, server, path)
    assert waiting["name"] == name
    decide = f"{path}/approvals/{waiting['call_id']}"
    status, approval = await site.call(server, "POST", decide, {"decision": "approve"})
    assert (status, approval["decision"]) == (200, "approve")
    return str(waiting["call_id"])


async def asked(site: Site, server: Server, path: str) -> list[dict[str, Any]]:
    """What waits for an approval, once something does."""
    found: list[dict[str, Any]] = []

    async def look() -> bool:
        nonlocal found
        found = (await site.call(server, "GET", f"{path}/approvals"))[1]["approvals"]
        return bool(found)

    await until(look)
    return found


async def until(look: Callable[[], Any]) -> None:
    """Wait for what another process does, and nobody announces."""
    async with asyncio.timeout(WITHIN):
        while not await look():
            await asyncio.sleep(0.02)


async def transcript(site: Site, server: Server, path: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = (await site.call(server, "GET", f"{path}/messages"))[1]["messages"]
    return messages


def requests_of(site: Site) -> list[dict[str, Any]]:
    """All that the provider was asked."""
    return [json.loads(line) for line in (site.home / "requests.jsonl").read_text().splitlines()]


async def test_the_coder_of_the_page_streams_the_lines_of_the_page(tmp_path: Path) -> None:
    async with coding(tmp_path, "    require_approval: never\n") as site:
        server = await site.server()
        path = await site.session(server, "coder")
        copy = await Copy().read(await site.post(server, path, "Write a program that says hello."))
        assert list(copy.texts.values()) == [PAGE]
        assert list(copy.ends.values()) == ["done"]
        assert (tmp_path / "hello.py").read_text() == "print('Hello')"
        messages = await transcript(site, server, path)
        assert [each["role"] for each in messages] == ["user", "assistant", "tool", "assistant", "tool", "assistant"]
        assert [each["content"] for each in messages if each["role"] == "assistant"] == [
            "Let me create that file...",
            "File created successfully.\nNow let me test it...",
            "The program works correctly!",
        ]
        offered = [tool["function"]["name"] for tool in requests_of(site)[0]["tools"]]
        assert offered[:2] == ["write_file", "execute_command"]


async def test_the_coder_of_the_page_works_when_both_calls_are_approved(tmp_path: Path) -> None:
    async with coding(tmp_path) as site:
        server = await site.server()
        path = await site.session(server, "coder")
        reading = asyncio.create_task(Copy().read(await site.post(server, path, "Write a program that says hello.")))
        (waiting,) = await asked(site, server, path)
        assert (waiting["name"], waiting["arguments"]) == ("write_file", HELLO)
        assert not (tmp_path / "hello.py").exists()
        first = await approve(site, server, path, "write_file")
        second = await approve(site, server, path, "execute_command")
        (text,) = (await reading).texts.values()
        lines = text.split("\n")
        assert f'[Approval needed: write_file("hello.py", "print(\'Hello\')") {first}]' in lines
        assert f'[Approval needed: execute_command("python hello.py") {second}]' in lines
        assert "\n".join(line for line in lines if not line.startswith("[Approval")) == PAGE
        assert (tmp_path / "hello.py").read_text() == "print('Hello')"


async def test_a_call_cut_by_kill_9_is_closed_and_the_conversation_goes_on(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    async with coding(tmp_path, "    require_approval: never\n") as site:
        first, second = await site.two()
        path = await site.session(first, "coder")
        line = await site.post(first, path, "Run slow.py.")
        await until(lambda: read_pid(tmp_path))
        first.kill()
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        rest = await Copy().read(await site.get(second, path, turn_id=line.turn_id, last=line.last_id))
        assert list(rest.ends.values()) == ["interrupted"]
        messages = await transcript(site, second, path)
        assert [(each["role"], each["status"]) for each in messages] == [
            ("user", "complete"),
            ("assistant", "complete"),
            ("tool", "interrupted"),
            ("assistant", "interrupted"),
        ]
        (call,) = messages[1]["tool_calls"]
        assert messages[2]["call_id"] == call["call_id"]
        assert "stopped before this call returned" in messages[2]["content"]
        for server in (second, await site.server()):
            status, reply = await site.call(server, "POST", f"{path}/messages", {"message": "What happened?"})
            assert (status, reply["response"]) == (200, "It was stopped.")
        told = requests_of(site)[-1]["messages"]
        assert [each["role"] for each in told].count("tool") == 1


async def read_pid(home: Path) -> bool:
    return (home / "pid").exists() and bool((home / "pid").read_text())


async def test_another_server_goes_on_with_a_call_that_waited_when_its_server_was_killed(tmp_path: Path) -> None:
    async with coding(tmp_path) as site:
        first = await site.server()
        path = await site.session(first, "coder")
        line = await site.post(first, path, "Write a program that says hello.")
        copy = await Copy().read(line, text="Approval needed")
        (before,) = await asked(site, first, path)
        first.kill()
        second = await site.server()
        assert await asked(site, second, path) == [before]
        reading = asyncio.create_task(copy.read(await site.get(second, path, turn_id=line.turn_id, last=copy.last_id)))
        await approve(site, second, path, "write_file")
        await approve(site, second, path, "execute_command")
        await reading
        assert copy.ends == {line.turn_id: "done"}
        shown = [line for line in copy.texts[line.turn_id].split("\n") if not line.startswith("[Approval")]
        assert "\n".join(shown) == PAGE
        assert (tmp_path / "hello.py").read_text() == "print('Hello')"
        assert len(requests_of(site)) == 3


async def test_the_model_is_not_asked_again_for_a_call_that_was_denied_elsewhere(tmp_path: Path) -> None:
    async with coding(tmp_path) as site:
        first, second = await site.two()
        path = await site.session(first, "coder")
        line = await site.post(first, path, "Write a program that says hello.")
        (waiting,) = await asked(site, second, path)
        decide = f"{path}/approvals/{waiting['call_id']}"
        assert (await site.call(second, "POST", decide, {"decision": "deny"}))[0] == 200
        copy = await Copy().read(line, text="Now let me test it...")
        assert "[Tool:" not in copy.texts[line.turn_id]
        assert not (tmp_path / "hello.py").exists()
        status, _ = await site.call(first, "POST", f"{path}/cancel")
        assert status == 200
        results = [each for each in await transcript(site, first, path) if each["role"] == "tool"]
        assert "did not allow" in results[0]["content"]
