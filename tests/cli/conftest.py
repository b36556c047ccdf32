"""A home for `hector` with a scripted model, and ways to run the real program in it."""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from hector_nb.frontends.cli import main

PROGRAM = [sys.executable, "-m", "hector_nb.frontends.cli"]
ROOT = Path(__file__).parents[2]
CONFIG = """\
llms:
  default: {provider: scripted, model: script.yaml}
agents:
  assistant: {description: Answers questions}
"""


class Home:
    """A folder with `hector.yaml`, `script.yaml` and a store, and the program that uses them."""

    def __init__(self, folder):
        self.folder = folder
        self.env = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("HECTOR", "OPENAI", "ANTHROPIC", "GEMINI", "GOOGLE", "OLLAMA", "JUPYTERHUB"))
            },
            "HECTOR_HOME": str(folder / "home"),
            "HECTOR_CONFIG": str(folder / "hector.yaml"),
            "OLLAMA_HOST": "127.0.0.1:1",
            "PYTHONPATH": str(ROOT),
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "TERM": "xterm",
            "COLUMNS": "80",
            "LINES": "24",
        }
        self.config(CONFIG)
        self.script(["Hello"])

    def config(self, text):
        (self.folder / "hector.yaml").write_text(text, encoding="utf-8")

    def script(self, *replies):
        """What the model says, one list of steps for each request, again and again."""
        script = {"replies": list(replies), "repeat": True}
        (self.folder / "script.yaml").write_text(json.dumps(script, ensure_ascii=False), encoding="utf-8")

    def run(self, *arguments, stdin=b"", **env):
        """Run to the end; standard streams are pipes."""
        return subprocess.run(
            [*PROGRAM, *arguments],
            input=stdin,
            capture_output=True,
            timeout=60,
            cwd=self.folder,
            env={**self.env, **env},
        )

    def run_here(self, *arguments):
        """The same inside this process, which is faster."""
        out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
        code = 0
        with (
            mock.patch.dict(os.environ, self.env, clear=True),
            mock.patch.multiple(sys, argv=["hector", *arguments], stdin=io.StringIO(), stdout=out, stderr=err),
            contextlib.chdir(self.folder),
        ):
            try:
                main()
            except SystemExit as ended:
                code = ended.code or 0
            for stream in (out, err):
                stream.flush()
        return subprocess.CompletedProcess(arguments, code, out.buffer.getvalue(), err.buffer.getvalue())

    def start(self, *arguments, **settings):
        """Start, with a pipe for standard output."""
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self.env,
            **settings,
        )

    def json(self, *arguments):
        """What a command answers in JSON."""
        done = self.run_here(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def patient_memory(monkeypatch):
    """In this process, what is being remembered is waited for as long as it takes."""
    monkeypatch.setattr("hector_nb.runtime.runtime._REMEMBER_WITHIN", 60.0)
    monkeypatch.setattr("hector_nb.runtime.remembering._WAIT_FOR_OTHERS", 60.0)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def start(home):
    """Starts `hector` in a terminal of 80 × 24 and ends it after the test."""
    pexpect = pytest.importorskip("pexpect", reason="pseudo-terminals need a Unix")
    started = []

    def begin(*arguments, **env):
        child = pexpect.spawn(
            PROGRAM[0],
            [*PROGRAM[1:], *arguments],
            cwd=home.folder,
            env={**home.env, **env},
            dimensions=(24, 80),
            encoding="utf-8",
            timeout=30,
        )
        started.append(child)
        return child

    yield begin
    for child in started:
        child.close(force=True)
