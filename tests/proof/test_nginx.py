"""`docs/nginx.conf` in a real nginx, before a real `hector serve`: events one by one, WebSocket, resuming, large bodies."""

import asyncio
import io
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from tests.transports.test_serve import serving

pytestmark = [pytest.mark.anyio, pytest.mark.nginx]
SITE = Path(__file__).parents[2] / "docs" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
TOKEN = "the-token"
CONFIG = """
llms:
  halting: {provider: scripted, model: halting.yaml}
  slow: {provider: scripted, model: slow.yaml}
  silent: {provider: scripted, model: silent.yaml}
agents:
  halting: {llm: halting, streaming: {resume_grace: 30s}}
  slow: {llm: slow, streaming: {resume_grace: 30s}}
  silent: {llm: silent, streaming: {heartbeat: 100ms}}
"""
SCRIPTS = {
    "halting": '["One", {wait_ms: 60000}, " two"]',
    "slow": '["One", {wait_ms: 300}, " two", {wait_ms: 300}, " three"]',
    "silent": "[{wait_ms: 60000}]",
}
MAIN = """
daemon off;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@contextmanager
def nginx(folder: Path, upstream: str) -> Iterator[str]:
    """The page's site with other ports; gives its address."""
    assert NGINX
    listening = socket.create_server(("127.0.0.1", 0))  # nginx inherits it, so that no other program takes the port
    port = listening.getsockname()[1]
    site, changed = re.subn(r"server 127\.0\.0\.1:8080;", f"server {upstream};", SITE.read_text())
    site, listens = re.subn(r"listen 8000;", f"listen 127.0.0.1:{port};", site)
    assert (changed, listens) == (1, 1)
    (folder / "site.conf").write_text(site)
    (folder / "main.conf").write_text(MAIN.format(folder=folder))
    command = [NGINX, "-p", str(folder), "-e", str(folder / "errors.log"), "-c", str(folder / "main.conf")]
    number = listening.fileno()
    process = subprocess.Popen(command, env={**os.environ, "NGINX": f"{number};"}, pass_fds=[number])
    listening.close()
    try:
        answer = b""
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as line:
            line.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = line.recv(1)
        assert answer, (folder / "errors.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "hector.yaml").write_text(CONFIG)
    for name, reply in SCRIPTS.items():
        (folder / f"{name}.yaml").write_text(f"repeat: true\nreplies:\n  - {reply}\n")
    with (
        serving(folder, f"--port 0 --token {TOKEN}") as served,
        nginx(folder, served.base.removeprefix("http://")) as url,
    ):
        yield url


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://chat.example"}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=60)) as client:
        yield client


async def new_session(http: aiohttp.ClientSession, url: str, agent: str) -> str:
    async with http.post(f"{url}/agents/{agent}/sessions") as response:
        assert response.status == 201
        return f"{url}/agents/{agent}/sessions/{(await response.json())['session_id']}"


async def until(response: aiohttp.ClientResponse, text: bytes) -> bytes:
    """What comes up to some text, which comes long before the rest."""
    received = b""
    async with asyncio.timeout(30):
        while text not in received:
            received += await response.content.readany()
    return received


async def test_each_event_comes_when_it_is_sent(proxied: str, http: aiohttp.ClientSession) -> None:
    session = await new_session(http, proxied, "halting")
    async with http.post(f"{session}/messages/stream", json={"message": "Count"}) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert b"[DONE]" not in await until(response, b'{"chunk": "One"}')
        async with http.post(f"{session}/cancel") as cancelled:
            assert (await cancelled.json())["cancelled"] is True
        await until(response, b"[DONE]")


async def test_silence_is_broken_by_heartbeats(proxied: str, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{proxied}/agents/silent/messages/stream", json={"message": "Hm"}) as response:
        assert await until(response, b": ping") == b"retry: 2000\n: ping\n\n"


async def test_a_cut_stream_goes_on_where_it_was(proxied: str, http: aiohttp.ClientSession) -> None:
    session = await new_session(http, proxied, "slow")
    async with http.post(f"{session}/messages/stream", json={"message": "Count"}) as response:
        last = re.findall(rb"id: (\S+)", await until(response, b'"One"'))[-1].decode()
        response.close()
    headers = {"Last-Event-ID": last}
    async with http.get(f"{session}/messages/stream?turn_id={last.split(':')[0]}", headers=headers) as response:
        rest = await response.text()
    assert re.findall(r'"chunk": "(.*?)"', rest) == [" two", " three"]
    assert rest.endswith("data: [DONE]\n\n")


async def test_a_websocket_holds_several_turns(proxied: str, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect(f"{proxied}/agents/slow/stream") as line:
        assert (await line.receive_json(timeout=30))["event"] == "session"
        for _ in range(2):
            await line.send_json({"message": "Count"})
            said = []
            while "done" not in (frame := await line.receive_json(timeout=30)):
                said.append(frame["chunk"])
            assert said == ["One", " two", " three"]


async def test_an_import_may_be_as_large_as_the_server_takes(proxied: str, http: aiohttp.ClientSession) -> None:
    session = await new_session(http, proxied, "slow")
    async with http.get(f"{session}/export?format=json") as response:
        exported = await response.json()
    exported["messages"] = [{"role": "user", "content": "x" * 1_000_000}, {"role": "assistant", "content": "y"}] * 3
    body = io.BytesIO(json.dumps(exported).encode())
    headers = {"Content-Type": "application/json"}
    async with http.post(f"{proxied}/agents/slow/sessions/import", data=body, headers=headers) as response:
        assert response.status == 201, await response.text()


async def test_errors_carry_the_id_that_nginx_gave_the_request(proxied: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{proxied}/agents/nobody/sessions") as response:
        assert response.status == 404
        assert re.fullmatch(r"[0-9a-f]{32}", response.headers["Hector-Request-Id"])
        assert json.loads(await response.text())["error"]["code"] == "agent_not_found"


async def test_health_and_metrics_pass(proxied: str, http: aiohttp.ClientSession) -> None:
    async with aiohttp.ClientSession() as anyone, anyone.get(f"{proxied}/hector/health") as response:
        assert response.status == 200
    async with http.get(f"{proxied}/hector/metrics") as response:
        assert response.status == 200
        assert "hector_streams" in await response.text()
