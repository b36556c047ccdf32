"""Every snippet of the README does what the README says."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Route, sync_playwright

from hector_nb.config.loader import load_config
from tests.notebook_home import use_home

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
HECTOR = [sys.executable, "-m", "hector_nb.frontends.cli"]
CONFIG = "llms: {default: {provider: scripted, model: script.yaml}}\nagents: {assistant: {}}\n"
SCRIPT = 'replies: [["Quantum", " computing", "."]]\nrepeat: true\n'


def blocks(language: str, containing: str = "") -> list[str]:
    """The README's code blocks in a language."""
    found = [text for kind, text in BLOCKS if kind == language and containing in text]
    assert found, f"the README has no {language} block with {containing!r}"
    return found


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which `assistant` plays a script."""
    (tmp_path / "hector.yaml").write_text(CONFIG)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    environ = {**os.environ, "HECTOR_CONFIG": str(tmp_path / "hector.yaml"), "PYTHONPATH": str(ROOT)}
    return {**environ, "HECTOR_HOME": str(tmp_path / "home")}


@pytest.fixture
def served(environ: dict[str, str]) -> Iterator[str]:
    """The address at which the README's `hector serve` listens, at a free port."""
    (command,) = blocks("sh", "hector serve")
    arguments = [*HECTOR, *command.split()[1:], "--port", "0"]
    server = subprocess.Popen(arguments, env=environ, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
    assert address is not None
    yield address[0]
    server.terminate()
    server.wait(30)
    server.stdout.close()


@pytest.mark.embedded
def test_the_first_command_streams_a_real_answer(tmp_path: Path) -> None:
    (command,) = blocks("sh", ".venv/bin/hector call")
    *_, run = command.strip().split(" && ")
    environ = dict(os.environ)
    use_home(tmp_path / "home", environ)
    environ["OPENAI_API_KEY"] = "must not be used"
    program = run.replace(".venv/bin/hector", f"{sys.executable} -m hector_nb.frontends.cli")
    done = subprocess.run(
        program, shell=True, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in README


def test_the_terminal_lines_answer(environ: dict[str, str]) -> None:
    call, chat = blocks("sh", "hector chat")[0].strip().splitlines()
    for line, typed in ((call, None), (chat, "Hello\n")):
        arguments = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)][1:]
        done = subprocess.run(
            [*HECTOR, *arguments], env=environ, input=typed, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Quantum computing." in done.stdout


def test_the_curl_lines_answer(served: str) -> None:
    (lines,) = blocks("sh", "curl -N")
    names, *calls = lines.replace("http://localhost:8080", served).splitlines()
    created, sent, streamed = (
        subprocess.run(
            ["bash", "-c", f"{names}\n{line}"], capture_output=True, text=True, timeout=300, check=True
        ).stdout
        for line in calls
    )
    assert '"session_id": "sess_abc123"' in created
    assert '"response": "Quantum computing."' in sent
    frames = re.sub(r"turn_\w+", "turn_", streamed).strip().split("\n")
    printed = re.sub(
        r"turn_\w+", "turn_", README.partition("in the words of the model,\n")[2].partition("\n\nA line")[0]
    )
    assert frames[:3] == ["retry: 2000", "id: turn_:2", 'data: {"chunk": "Quantum"}']
    assert frames[-1] == "data: [DONE]"
    shape = [line.strip().split(" ")[0] for line in printed.strip().split("\n")]
    assert set(shape) == {line.split(" ")[0] for line in frames}


# The page is made by the test, so the browser does not know that it comes from this machine.
_FLAGS = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]


def _answer(html: str, route: Route) -> None:
    route.fulfill(body=html, content_type="text/html")


@pytest.mark.browser
def test_the_pages_lines_show_the_answer_in_a_browser(served: str) -> None:
    session = json.dumps({"session_id": "sess_abc123"})
    create = [
        "curl",
        "-sS",
        f"{served}/agents/assistant/sessions",
        "-d",
        session,
        "-H",
        "Content-Type: application/json",
    ]
    subprocess.run(create, check=True, capture_output=True, timeout=30)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        for script in blocks("js"):
            page = browser.new_page()
            page.route(f"{served}/page", partial(_answer, f"<!doctype html><body><script>{script}</script>"))
            page.goto(f"{served}/page")
            page.wait_for_function("document.body.innerText.includes('Quantum computing.')", timeout=30_000)
        browser.close()


def test_the_python_lines_stream_the_answer_and_show_the_memory(environ: dict[str, str]) -> None:
    (program,) = blocks("python", "hector_nb.connect")
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Quantum computing.")
    assert "of 4,000 tokens" in done.stdout


def test_the_grpc_lines_stream_the_answer(environ: dict[str, str]) -> None:
    (program,) = blocks("python", "import grpc")
    arguments = [*HECTOR, "serve", "--no-token", "--port", "0", "--grpc-port", "0"]
    with subprocess.Popen(arguments, env=environ, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        server.stdout.readline()
        address = server.stdout.readline().removeprefix("gRPC: ").strip()
        program = program.replace("localhost:50051", address)
        done = subprocess.run(
            [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=300, check=False
        )
        server.terminate()
    assert (done.returncode, done.stdout) == (0, "Quantum computing."), done.stderr


def test_the_notebook_lines_answer(environ: dict[str, str]) -> None:
    load, cell, *_ = blocks("python")
    program = (
        "from IPython.testing.globalipapp import start_ipython\n"
        "shell = start_ipython()\n"
        f"for cell in {[load.strip(), cell]!r}: shell.run_cell(cell).raise_error()\n"
        "assert shell.user_ns['_hector'].text == 'Quantum computing.'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_file_loads(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    (tmp_path / "hector.yaml").write_text(text)
    config = load_config(tmp_path / "hector.yaml", environ={"OPENAI_API_KEY": "key"}).config
    assert list(config.agents) == ["assistant", "coder"]
    assert config.sessions.timeout == 1800


def test_it_fits_on_a_page_and_its_links_lead_somewhere() -> None:
    assert len(README.splitlines()) <= 160
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target
