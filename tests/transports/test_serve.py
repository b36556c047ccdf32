"""`hector serve` as a process: its start, its address, its end, and the page's own lines."""

import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CONFIG = """
llms:
  default: {provider: scripted, model: script.yaml}
agents:
  assistant: {llm: default}
server:
  allow_origins: ["https://app.example"]
"""
SCRIPT = """
repeat: true
replies:
  - ["Quantum", " computing", " uses", " quantum", " mechanics..."]
"""
ENVIRONMENT = {"HECTOR_TOKEN": "", "PYTHONWARNINGS": "default"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hector.yaml").write_text(CONFIG)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    return tmp_path


class Served:
    """A running `hector serve`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.said = process.stdout.readline()
        found = re.fullmatch(r"Hector listens at (https?://[^/]+)(/\S*)\n", self.said)
        assert found, self.said + process.communicate(timeout=30)[1]
        self.base = found[1]
        self.path = found[2]

    def get(self, path: str, context: ssl.SSLContext | None = None, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(self.base + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def stop(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """The exit code and what was said on standard error."""
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


def start(folder: Path, settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hector_nb.frontends.cli", "--config", "hector.yaml", "serve", *settings.split()],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT, "HECTOR_HOME": str(folder / "home"), "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(folder: Path, settings: str = "--port 0") -> Iterator[Served]:
    process = start(folder, settings)
    try:
        yield Served(process)
    finally:
        process.kill()
        process.communicate()


def failing(folder: Path, settings: str) -> str:
    """What a server that does not start says."""
    _, errors = (process := start(folder, settings)).communicate(timeout=60)
    assert process.returncode != 0
    return errors


def test_the_printed_address_works_and_the_token_is_needed(folder: Path) -> None:
    with serving(folder) as served:
        assert re.fullmatch(r"/agents\?token=[\w-]{32}", served.path)
        assert served.get(served.path)[0] == 200
        assert served.get("/agents")[0] == 403
        code, errors = served.stop()
        assert (code, errors) == (0, "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_at_once_and_a_running_turn_is_kept(folder: Path, how: signal.Signals) -> None:
    (folder / "script.yaml").write_text('- ["So far", {wait_ms: 60000}]')
    with serving(folder, "--port 0 --no-token") as served:
        host, _, port = served.base.removeprefix("http://").partition(":")
        served.get("/agents")
        with socket.create_connection((host, int(port)), timeout=30) as line:
            for path, body in (
                ("/sessions", '{"session_id": "s"}'),
                ("/sessions/s/messages/stream", '{"message": "Hi"}'),
            ):
                line.sendall(
                    f"POST /agents/assistant{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
                )
                received = b""
                while b'"session_id"' not in received and b"So far" not in received:
                    received += line.recv(65536)
            assert served.stop(how)[0] == 0
            rest = b""
            while piece := line.recv(65536):
                rest += piece
            assert b"event: error" in rest
            assert b"interrupted" in rest
    with serving(folder, "--port 0 --no-token") as served:
        _, page = served.get("/agents/assistant/sessions/s/messages")
        assert [(each["content"], each["status"]) for each in page["messages"]] == [
            ("Hi", "complete"),
            ("So far", "interrupted"),
        ]


def test_a_port_in_use_is_said_clearly(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Cannot listen on 127.0.0.1, port {port}" in failing(folder, f"--port {port}")


def test_a_broken_configuration_does_not_start(folder: Path) -> None:
    (folder / "hector.yaml").write_text("agents:\n  assistant: {llm: nonsense}\n")
    assert "hector.yaml:2" in failing(folder, "--port 0")


def test_settings_of_the_server_block_are_in_effect(folder: Path) -> None:
    subprocess.run(
        shlex.split("openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost "
                    "-addext subjectAltName=IP:127.0.0.1"),
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    server = "  port: 0\n  tokens: {t-of-ada: ada}\n  certfile: cert.pem\n  keyfile: key.pem\n"
    (folder / "hector.yaml").write_text(CONFIG + server)
    with serving(folder, "--base-url /lab") as served:
        assert served.base.startswith("https://")
        assert served.path == "/lab/agents"
        trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))
        assert served.get("/lab/agents", trust)[0] == 403
        assert served.get("/lab/agents", trust, Authorization="Bearer t-of-ada")[0] == 200
        request = urllib.request.Request(
            f"{served.base}/lab/agents", headers={"Origin": "https://app.example"}, method="OPTIONS"
        )
        with urllib.request.urlopen(request, timeout=30, context=trust) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"


def test_it_reads_no_jupyter_configuration_and_leaves_no_jupyter_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config", "runtime", "data"):
        (folder / name).mkdir()
        monkeypatch.setenv(f"JUPYTER_{name.upper()}_DIR", str(folder / name))
    (folder / "config" / "jupyter_server_config.py").write_text("c.ServerApp.base_url = '/elsewhere'\nraise SystemExit")
    with serving(folder) as served:
        assert served.get(served.path)[0] == 200
        assert not list((folder / "runtime").iterdir())


# --- the page's lines, as printed


def run_line(line: str, base: str, folder: Path) -> str:
    """A line of the page in a shell; the port is this test's own where 8080 is taken."""
    found = subprocess.run(
        ["bash", "-c", line.replace("http://localhost:8080", base)],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


CREATE = r"""
curl -X POST http://localhost:8080/agents/assistant/sessions \
  -H "Content-Type: application/json"
"""
SEND = r"""
curl -X POST http://localhost:8080/agents/assistant/sessions/sess_abc123/messages \
  -H "Content-Type: application/json" \
  -d '{
    "message": "Hello, remember me?"
  }'
"""
AGAIN = r"""
curl -X POST http://localhost:8080/agents/assistant/sessions/sess_abc123/messages \
  -H "Content-Type: application/json" \
  -d '{
    "message": "What did we talk about earlier?"
  }'
"""
STREAM = r"""
curl -N http://localhost:8080/agents/assistant/messages/stream \
  -H "Content-Type: application/json" \
  -d '{
    "message": "Explain quantum computing"
  }'
"""
BOTH = r"""
# Create session
SESSION_ID=$(curl -X POST http://localhost:8080/agents/assistant/sessions | jq -r '.session_id')

# Stream messages in session
curl -N http://localhost:8080/agents/assistant/sessions/$SESSION_ID/messages/stream \
  -H "Content-Type: application/json" \
  -d '{"message": "Hello"}'
"""
DEBUG = r"""
curl -N http://localhost:8080/agents/assistant/messages/stream?debug=true \
  -H "Content-Type: application/json" \
  -d '{"message": "Hello"}'
"""
JQ = "jq() { python3 -c 'import json, sys; print(json.load(sys.stdin)[\"session_id\"])'; }\n"
"""Where there is no `jq`, its one use here."""


def test_the_pages_curl_lines_work_as_printed(folder: Path) -> None:
    with serving(folder, f"--port {8080 if _is_free(8080) else 0} --no-token") as served:
        base = served.base.replace("127.0.0.1", "localhost")
        assert json.loads(run_line(CREATE, base, folder))["session_id"].startswith("sess_")
        run_line(CREATE.replace("-H", '-d \'{"session_id": "sess_abc123"}\' -H'), base, folder)
        for line in (SEND, AGAIN):
            assert json.loads(run_line(line, base, folder))["response"] == "Quantum computing uses quantum mechanics..."
        data = [line for line in run_line(STREAM, base, folder).splitlines() if line.startswith("data:")]
        assert data == [
            'data: {"chunk": "Quantum"}',
            'data: {"chunk": " computing"}',
            'data: {"chunk": " uses"}',
            'data: {"chunk": " quantum"}',
            'data: {"chunk": " mechanics..."}',
            "data: [DONE]",
        ]
        assert "data: [DONE]" in run_line(JQ + BOTH, base, folder)
        debug = run_line(DEBUG, base, folder)
        assert re.search(
            r'data: \{"chunk": "\[Session: sess_\w+\]\\n\[Message: 1\]\\n\[Memory: \d+ tokens\]\\n"\}', debug
        )
        assert re.search(r'data: \{"chunk": "\\n\[Response: \d+ tokens, stop\]"\}', debug)
        assert served.get("/agents/assistant/sessions/sess_abc123")[1]["message_count"] == 4


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
