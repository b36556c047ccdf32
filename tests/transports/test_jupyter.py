"""The extension on a real Jupyter server: its identity, its rules, its start and its end."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.transports.test_serve import CONFIG, SCRIPT

pytestmark = pytest.mark.anyio
TOKEN = "jupyter-token"


@contextmanager
def jupyter(folder: Path, *settings: str) -> Iterator[str]:
    """A Jupyter server with the extension, and without anybody's own configuration; gives its address."""
    (folder / "script.yaml").write_text(SCRIPT)
    places = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    command = [
        "--allow-root", "--no-browser", "--ServerApp.port=0", "--ServerApp.base_url=/user/ada/",
        f"--IdentityProvider.token={TOKEN}", "--ServerApp.jpserver_extensions={'hector_nb': True}",
        f"--HectorExtension.config_path={folder / 'hector.yaml'}", *settings,
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *command],
            cwd=folder.parent,
            env={**os.environ, **places, "PYTHONPATH": str(Path.cwd()), "HECTOR_HOME": str(folder / "home"),
                 "JUPYTER_PREFER_ENV_PATH": "0"},
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield address_of(process, folder)
    finally:
        process.terminate()
        process.wait(timeout=30)


def address_of(process: subprocess.Popen[Any], folder: Path) -> str:
    """Where the server is, which chooses a free port itself."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        for file in (folder / "RUNTIME").glob("jpserver-*.json"):
            with suppress(ValueError):  # it is being written
                return str(json.loads(file.read_text())["url"]).rstrip("/").replace("localhost", "127.0.0.1")
        time.sleep(0.05)
    raise TimeoutError((folder / "log").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("jupyter")
    (made / "hector.yaml").write_text(CONFIG)
    return made


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    with jupyter(folder, "--ServerApp.allow_unauthenticated_access=False") as address:
        yield address


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A script that shows the token."""
    async with aiohttp.ClientSession(
        headers={"Authorization": f"token {TOKEN}"}, cookie_jar=aiohttp.DummyCookieJar()
    ) as client:
        yield client


async def test_scripts_own_their_sessions_although_jupyter_names_them_anew_each_time(
    base: str, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{base}/agents/assistant/sessions") as response:
        assert response.status == 201
        session = await response.json()
    assert session["user"] == "local"
    for _ in range(2):
        async with http.get(f"{base}/agents/assistant/sessions/{session['session_id']}") as response:
            assert response.status == 200
    path = f"{base}/agents/assistant/sessions/{session['session_id']}/messages/stream"
    async with http.post(path, json={"message": "Hi"}) as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        body = await response.text()
    assert '{"chunk": "Quantum"}' in body
    assert body.endswith("data: [DONE]\n\n")
    async with http.ws_connect(f"{base}/agents/assistant/stream?session_id={session['session_id']}") as socket:
        assert (await socket.receive_json(timeout=30))["session_id"] == session["session_id"]
        await socket.send_json({"message": "Hi"})
        assert (await socket.receive_json(timeout=30))["chunk"] == "Quantum"


async def test_strangers_are_refused_everywhere_but_at_health(base: str) -> None:
    async with aiohttp.ClientSession() as anyone:
        for path in (
            "/agents",
            "/agents/assistant/sessions",
            "/agents/assistant/messages/stream?message=Hi",
            "/agents/x/y/z",
        ):
            async with anyone.get(base + path, allow_redirects=False) as response:
                assert response.status == 403
                assert (await response.json())["error"]["code"] in {"forbidden", "unauthenticated"}
        async with anyone.get(f"{base}/hector/health") as response:
            assert response.status == 200
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await anyone.ws_connect(f"{base}/agents/assistant/stream")
        assert caught.value.status == 403


async def test_a_browser_with_a_cookie_is_let_in_from_this_servers_pages_only(base: str) -> None:
    origin = re.sub(r"/user.*", "", base)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as browser:
        await (await browser.get(f"{base}/tree?token={TOKEN}")).read()
        same = {"Sec-Fetch-Site": "same-origin"}
        stream = f"{base}/agents/assistant/messages/stream?message=Hi"
        async with browser.get(f"{base}/agents", headers=same) as response:
            assert response.status == 200
        async with browser.get(stream, headers=same) as response:
            assert response.status == 200
            assert (await response.text()).endswith("data: [DONE]\n\n")
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "none"},
            {"Origin": "http://evil.example"},
        ):
            async with browser.get(stream, headers=headers) as response:
                assert response.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await browser.ws_connect(f"{base}/agents/assistant/stream", headers={"Origin": "http://evil.example"})
        assert caught.value.status == 403
        async with browser.post(f"{base}/agents/assistant/sessions", headers={"Origin": origin}) as response:
            assert response.status == 403
            assert "_xsrf" in (await response.json())["error"]["message"]
        xsrf = {cookie.key: cookie.value for cookie in jar}["_xsrf"]
        async with browser.post(
            f"{base}/agents/assistant/sessions", headers={"Origin": origin, "X-XSRFToken": xsrf}
        ) as response:
            assert response.status == 201
            assert (await response.json())["user"] == "local"
        async with browser.post(
            f"{base}/agents/assistant/sessions", headers={"Origin": "http://evil.example", "X-XSRFToken": xsrf}
        ) as response:
            assert response.status == 403


async def test_jupyter_itself_works_beside_it(base: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{base}/api/status") as response:
        assert response.status == 200
    async with http.get(f"{base}/api/kernels") as response:
        assert await response.json() == []


async def test_a_broken_configuration_never_stops_the_server_and_is_told_until_it_is_mended(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    config = tmp_path / "hector.yaml"
    config.write_text(CONFIG.replace("llm: default", "lm: default"))
    with jupyter(tmp_path) as base:
        async with http.get(f"{base}/api/status") as response:
            assert response.status == 200
        for path in ("/agents", "/agents/assistant/sessions"):
            async with http.get(base + path) as response:
                assert response.status == 503
                error = (await response.json())["error"]
                assert error["code"] == "config_error"
                assert "hector.yaml:5" in error["details"]["problems"][0]
                assert "llm" in error["details"]["problems"][0]
        async with http.get(f"{base}/hector/health") as response:
            assert (response.status, await response.json()) == (503, {"status": "unavailable"})
        async with http.get(f"{base}/hector/health/live") as response:
            assert (response.status, await response.json()) == (200, {"status": "ok"})
        config.write_text(CONFIG)
        until = time.monotonic() + 30
        while True:
            async with http.get(f"{base}/agents") as response:
                if response.status == 200:
                    break
            assert time.monotonic() < until


async def test_jupyters_own_metrics_have_ours(base: str, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{base}/agents/assistant/messages", json={"message": "Hi"}) as response:
        assert response.status == 200
    for path in ("/metrics", "/hector/metrics"):
        async with http.get(base + path) as response:
            assert response.status == 200
            text = await response.text()
        assert 'hector_turns_total{agent="assistant",outcome="complete"}' in text
        assert "http_request_duration_seconds" in text
