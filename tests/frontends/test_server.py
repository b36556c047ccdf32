"""People's ways in over a running `hector serve`: Python, the terminal, the notebook, in other processes than the server's."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hector_nb
from hector_nb.errors import AgentNotFound, InvalidRequest, ModelTimeout, SessionNotFound, Unauthenticated, Unavailable
from hector_nb.frontends import magics_completion
from hector_nb.frontends.notebook import Notebook
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.plain import Hector
from tests.frontends.scripts import ROOT

TOKEN = "the-token"
PATIENCE = 60.0
"""The longest wait for anything, in seconds."""
WRITE = {"tool_call": {"name": "write_file", "arguments": {"path": "a.txt", "content": "hi"}}}
SCRIPTS: dict[str, list[Any]] = {
    "assistant": [["Hello ", "there."]],
    "broken": [["Half", {"error": "model_timeout", "message": "Nothing came."}]],
    "writer": [[WRITE], ["It is done."]],
    "halting": [["Half", {"wait_ms": 600_000}]],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a home of its own."""
    folder = tmp_path_factory.mktemp("server")
    llms: dict[str, Any] = {}
    agents: dict[str, Any] = {}
    for name, replies in SCRIPTS.items():
        (folder / f"{name}.json").write_text(json.dumps({"repeat": True, "replies": replies}))
        llms[name] = {"provider": "scripted", "model": f"{name}.json"}
        agents[name] = {"llm": name, "memory": {"longterm": {"storage_scope": "conversational"}}}
    agents["writer"]["tools"] = ["write_file"]
    (folder / "hector.yaml").write_text(json.dumps({"llms": llms, "agents": agents}))
    env = {**os.environ, "HECTOR_HOME": str(folder / "home"), "HECTOR_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "hector_nb.frontends.cli", "serve", "--port", "0", "-c", "hector.yaml"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder, env=env)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().decode().split()[-1]
    finally:
        process.terminate()
        process.stdout.close()
        process.wait(PATIENCE)


@pytest.fixture
def hector(server: str) -> Iterator[Hector]:
    with hector_nb.connect(server, token=TOKEN) as hector:
        yield hector


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has nothing of its own: what it finds is the server's."""
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("HECTOR_CONFIG", str(tmp_path / "none.yaml"))
    monkeypatch.chdir(tmp_path)


def test_a_conversation_goes_as_in_process(hector: Hector) -> None:
    session = hector.session("assistant", "talk", title="A talk")
    assert str(session.send("Hi")) == "Hello there."
    assert "".join(session.stream("Again")) == "Hello there."
    assert [each.content for each in session.messages()] == ["Hi", "Hello there.", "Again", "Hello there."]
    assert session.info().title == "A talk"
    assert [each.session_id for each in hector.sessions(query="Again")] == ["talk"]
    assert session.context(session.send("More")).turn_id
    until = time.monotonic() + PATIENCE
    while not session.memory.memories:
        assert time.monotonic() < until
    assert hector.ask("Once").context.parts
    fork = session.fork()
    fork.delete()
    with pytest.raises(SessionNotFound):
        fork.info()


def test_errors_are_those_of_the_engine(hector: Hector) -> None:
    with pytest.raises(AgentNotFound, match="'nobody'"):
        hector.session("nobody")
    with pytest.raises(ModelTimeout, match="Nothing came"):
        hector.session("broken").send("Hi")
    with pytest.raises(InvalidRequest):
        hector.session("assistant").send(" ")


def test_the_word_on_a_tool_call_is_given_from_here(server: str) -> None:
    asked = []

    def approve(approval: Any) -> bool:
        asked.append(approval.name)
        return False

    with hector_nb.connect(server, token=TOKEN, approve=approve) as hector:
        assert str(hector.session("writer").send("Write")) == "It is done."
    assert asked == ["write_file"]


def test_stopping_a_stream_stops_the_turn_on_the_server(hector: Hector) -> None:
    session = hector.session("halting")
    stream = session.stream("Go")
    texts = iter(stream)
    assert next(texts) == "Half"
    assert stream.cancel()
    assert list(texts) == []
    assert stream.answer.finish_reason == "cancelled"


@pytest.mark.anyio
async def test_asynchronous_code_connects_too(server: str) -> None:
    async with hector_nb.aconnect(server, token=TOKEN) as hector:
        session = await hector.session("assistant")
        assert [text async for text in await session.stream("Hi")]
        assert str(await session.send("Hi")) == "Hello there."


def test_what_does_not_go_together_is_refused(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidRequest, match="knows its users"):
        hector_nb.connect(server, "ada", token=TOKEN)
    with pytest.raises(InvalidRequest, match="for a server"):
        hector_nb.connect(token=TOKEN)
    with pytest.raises(Unauthenticated):
        hector_nb.connect(server)
    monkeypatch.setenv("HECTOR_TOKEN", TOKEN)
    hector_nb.connect(server).close()
    with pytest.raises(Unavailable):
        hector_nb.connect("http://127.0.0.1:1")


_CLI = ("-m", "hector_nb.frontends.cli")
_CLI_WITHOUT_HURRY = """
from hector_nb.frontends.cli import completion, main
completion._PATIENCE = 60
main()"""


def run(*arguments: str, cli: tuple[str, str] = _CLI, stdin: str = "", **env: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, *cli, *arguments],
        input=stdin.encode(),
        capture_output=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_the_terminals_commands_use_the_server(server: str) -> None:
    there = ("--server", server, "--token", TOKEN)
    assert run("call", "assistant", "Hi", "--session", "cli", *there)[:2] == (0, "Hello there.\n")
    assert run(*there, "chat", "assistant", "-s", "cli", stdin="one\ntwo\n")[1].count("Hello there.") == 2
    listed = json.loads(run("sessions", "list", "--json", *there)[1])
    assert "cli" in [each["session_id"] for each in listed["sessions"]]
    assert "Hello there." in run("sessions", "show", "cli", "--server", server, HECTOR_TOKEN=TOKEN)[1]
    assert run("memory", "show", "assistant", "-s", "cli", *there)[0] == 0
    assert "assistant" in run("agents", *there)[1]
    assert run("approvals", *there)[0] == 0
    assert run("sessions", "delete", "cli", "--yes", *there)[0] == 0
    assert run("sessions", "show", "cli", *there)[0] == 4


def test_the_terminal_says_what_is_wrong_with_a_server(server: str) -> None:
    code, _, told = run("agents", "--server", server)
    assert (code, "does not let us in" in told) == (1, True)
    assert run("agents", "--server", "nonsense")[0] == 2
    assert run("agents", "--token", TOKEN)[0] == 2
    assert run("agents", "--server", server, "--config", "x.yaml")[0] == 2
    assert run("--server", server, "validate")[0] == 2
    assert run("agents", "--server", "http://127.0.0.1:1")[0] == 1


def test_the_shell_completes_the_agents_of_a_server(server: str) -> None:
    def offered(line: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        return run(cli=("-c", _CLI_WITHOUT_HURRY), _HECTOR_COMPLETE="complete_bash", **words)[1].split()

    assert offered(f"hector chat --server {server} --token {TOKEN} w") == ["writer"]
    assert offered(f"hector --server {server} --token {TOKEN} call bro") == ["broken"]
    assert offered(f"hector chat --server {server} w") == []
    assert offered("hector chat --server http://127.0.0.1:1 w") == []


def test_the_tab_key_offers_what_the_connected_server_has(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(magics_completion, "_PATIENCE", PATIENCE)
    shell = SimpleNamespace(user_ns={}, user_ns_hidden={}, execution_count=1)
    notebook = Notebook(shell, NotebookService())

    def offered(line: str) -> list[str]:
        return [name for name, _ in notebook.complete(line, line)]

    try:
        notebook.line(f"connect {server} --token {TOKEN}")
        assert set(SCRIPTS) <= set(offered("%hector use "))
        notebook.line("use assistant --session by-tab")
        notebook.line("Hi")
        assert "by-tab" in offered("%hector use assistant -s ")
    finally:
        notebook.close()


def test_a_notebook_goes_to_a_server_and_back(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HECTOR_CONFIG", str(tmp_path / "own.yaml"))
    (tmp_path / "own.json").write_text(json.dumps({"repeat": True, "replies": [["Mine."]]}))
    own = {"llms": {"own": {"provider": "scripted", "model": "own.json"}}, "agents": {"own": {"llm": "own"}}}
    (tmp_path / "own.yaml").write_text(json.dumps(own))
    shell = SimpleNamespace(user_ns={"secret": TOKEN}, user_ns_hidden={}, execution_count=1)
    notebook = Notebook(shell, NotebookService())
    try:
        assert dict(notebook.line(f"connect {server} --token {{secret}}"))["server"] == server.removesuffix("/agents")
        assert notebook.line("Hi").text == "Hello there."
        assert [each.name for each in notebook.line("agents")] == list(SCRIPTS)
        with pytest.raises(Unavailable):
            notebook.line("connect http://127.0.0.1:1")
        assert notebook.line("Hi").text == "Hello there."
        assert dict(notebook.line("connect"))["agent"] == "own"
        assert notebook.line("Hi").text == "Mine."
    finally:
        notebook.close()
