"""The magics in IPython without a notebook."""

import subprocess
import sys
from pathlib import Path

from tests.frontends.scripts import environment

_LINES = """
%load_ext hector_nb
reply = %hector what's up?
print(len(reply.text))
%hector -a broken Hi
print("next")
"""


def test_answers_are_written_as_they_come(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--simple-prompt", "--no-confirm-exit", "--colors=NoColor"],
        input=_LINES,
        env={**environment(tmp_path), "PYTHONUTF8": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Hello **there**.\n" in done.stdout
    assert done.stdout.count("Hello") == 1
    assert "16" in done.stdout
    assert "Half\nModelTimeout: Nothing came." in done.stdout
    assert "next" in done.stdout
