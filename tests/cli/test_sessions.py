"""`hector sessions` fork, export, end and delete; and what the shell completes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import PROGRAM, Home


@pytest.fixture
def talked(home: Home) -> Home:
    """There is a session `abc`."""
    home.script(["**Hi**"])
    assert home.run_here("call", "-s", "abc", "Hello").returncode == 0
    return home


def test_a_fork_has_the_history_and_its_id_is_all_that_is_printed(talked):
    done = talked.run_here("sessions", "fork", "abc")
    new = done.stdout.decode().strip()
    assert (done.returncode, done.stderr) == (0, b"")
    assert new.startswith("sess_")
    assert [each["content"] for each in talked.json("sessions", "show", new)["messages"]] == ["Hello", "**Hi**"]


def test_a_fork_ends_after_the_message_that_is_named(talked):
    first = talked.json("sessions", "show", "abc")["messages"][0]["message_id"]
    new = talked.json("sessions", "fork", "abc", "--after", first)
    assert new["message_count"] == 1
    assert talked.run_here("sessions", "fork", "abc", "--after", "msg_nope").returncode == 4


def test_an_ended_session_is_readable_and_takes_no_more_messages(talked):
    done = talked.run_here("sessions", "end", "abc")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"Ended abc.\n")
    assert talked.json("sessions", "show", "abc")["status"] == "ended"
    refused = talked.run_here("call", "-s", "abc", "more")
    assert (refused.returncode, b"ended" in refused.stderr) == (1, True)
    assert talked.json("sessions", "end", "abc")["status"] == "ended"


def test_several_sessions_are_ended_only_if_all_are_there(talked):
    assert talked.run_here("sessions", "end", "abc", "nope").returncode == 4
    assert talked.json("sessions", "show", "abc")["status"] == "active"


@pytest.mark.parametrize(
    ("name", "options", "start"),
    [
        ("a.json", [], '{"format": "hector_nb.session"'),
        ("a.md", [], "# Hello"),
        ("a.ipynb", [], "{"),
        ("a.txt", [], '{"format": "hector_nb.session"'),
        ("a.txt", ["--format", "markdown"], "# Hello"),
    ],
)
def test_an_export_is_what_the_files_name_or_the_option_says(talked, name, options, start):
    assert talked.run_here("sessions", "export", "abc", "-o", name, *options).returncode == 0
    text = (talked.folder / name).read_text(encoding="utf-8")
    assert text.startswith(start)
    assert "Hi" in text


def test_an_export_to_standard_output_is_the_file_alone(talked):
    done = talked.run_here("sessions", "export", "abc")
    exported = json.loads(done.stdout)
    assert [each["content"] for each in exported["messages"]] == ["Hello", "**Hi**"]
    assert done.stderr == b""


def test_an_export_writes_over_nothing_unless_it_is_told_to(talked):
    (talked.folder / "a.md").write_text("mine")
    refused = talked.run_here("sessions", "export", "abc", "-o", "a.md")
    assert (refused.returncode, b"--force" in refused.stderr) == (2, True)
    assert (talked.folder / "a.md").read_text() == "mine"
    assert talked.run_here("sessions", "export", "abc", "-o", "a.md", "--force").returncode == 0
    assert talked.run_here("sessions", "export", "abc", "-o", "no/such/folder.md").returncode == 1
    assert talked.run_here("sessions", "export", "nope", "-o", "b.md").returncode == 4
    assert not (talked.folder / "b.md").exists()


def test_deleting_may_forget_what_was_given_to_other_sessions(talked):
    talked.config(
        "llms: {default: {provider: scripted, model: script.yaml}}\n"
        "agents: {assistant: {memory: {longterm: {storage_scope: conversational}}}}\n"
    )
    for name in ("one", "two"):
        assert talked.run_here("call", "-s", name, f"My boat {name} is called Marigold").returncode == 0
    talked.run_here("call", "-s", "reader", "Hello")

    def known():
        found = talked.json("memory", "search", "Marigold boat", "--session", "reader")["memories"]
        return {name for name in ("one", "two") for each in found if f"boat {name}" in each["text"]}

    assert known() == {"one", "two"}
    assert talked.run_here("sessions", "delete", "one", "--yes").returncode == 0
    assert known() == {"one", "two"}
    assert talked.run_here("sessions", "delete", "two", "--yes", "--forget").returncode == 0
    assert known() == {"one"}


def test_validate_as_json_tells_all_problems(home):
    assert home.json("validate") == {
        "valid": True,
        "file": str(home.folder / "hector.yaml"),
        "agents": ["assistant"],
        "problems": [],
        "warnings": [],
    }
    home.config("agents: {assistant: {lm: x, tols: []}}\n")
    done = home.run_here("validate", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["valid"], len(said["problems"])) == (1, False, 2)
    assert done.stderr == b""


# exit codes


def test_each_exit_code_is_what_the_help_says(home):
    home.script(["Hi"])
    assert home.run_here("call", "hi").returncode == 0
    (home.folder / "script.yaml").write_text("replies: [[{error: model_unavailable, message: gone}]]\nrepeat: true\n")
    assert home.run_here("call", "hi").returncode == 1
    assert home.run_here("call", "--nonsense").returncode == 2
    assert home.run_here("call", " ").returncode == 2
    assert home.run_here("call", "nobody", "hi").returncode == 4
    home.config("agents: 5")
    assert home.run_here("call", "hi").returncode == 3


def test_an_interrupted_answer_has_its_own_code(home):
    home.script(["Hi", {"wait_ms": 60000}])
    running = home.start("call", "hi")
    assert os.read(running.stdout.fileno(), 10) == b"Hi"
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 130


# completion


def complete(home, line, word="", **env):
    """What bash offers for the last word of a line."""
    words = [*line.split(), word]
    return subprocess.run(
        PROGRAM,
        capture_output=True,
        text=True,
        cwd=home.folder,
        timeout=60,
        check=False,
        env={
            **home.env,
            "_HECTOR_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
            **env,
        },
    ).stdout.split()


def test_the_shell_completes_agents_and_sessions(talked):
    assert complete(talked, "hector chat") == ["assistant"]
    assert complete(talked, "hector call", "as") == ["assistant"]
    for line in ("hector sessions show", "hector sessions end", "hector sessions export", "hector chat --session"):
        assert complete(talked, line) == ["abc"], line
    assert complete(talked, "hector memory show -s", "x") == []
    assert "sessions" in complete(talked, "hector", "se")


def test_completion_is_silent_where_nothing_can_be_known_and_makes_no_store(home):
    assert complete(home, "hector sessions show") == []
    assert not (home.folder / "home" / "sessions.db").exists()
    home.config("agents: 5")
    assert complete(home, "hector chat") == []
    assert complete(home, "hector --server http://127.0.0.1:9 sessions show") == []


def test_completion_opens_no_engine(talked):
    code = (
        "import sys\nfrom hector_nb.frontends.cli.completion import session_ids\n"
        "class Ctx:\n    params = {}\n    def find_root(self): return self\n"
        "assert session_ids(Ctx(), '') == [('abc', 'Hello')]\n"
        "print(*sys.modules)"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=talked.env, cwd=talked.folder
    )
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & {"tornado", "aiohttp", "xllamacpp", "IPython", "rich.console", "tokenizers"}
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_for_a_shell(home, shell):
    env = {**home.env, "HOME": str(home.folder), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(
        [*PROGRAM, "--install-completion", shell], capture_output=True, text=True, env=env, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert f"{shell} completion installed" in done.stdout
    written = [
        each
        for each in home.folder.rglob("*")
        if each.is_file() and "_HECTOR_COMPLETE" in each.read_text(errors="replace")
    ]
    assert written
