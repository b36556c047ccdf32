"""The magics in IPython without a notebook."""

import subprocess
import sys
from pathlib import Path

import pytest

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


_ASKING = """
%load_ext hector_nb
%hector -a writer Write
%hector why
y
print("next")
"""


def test_where_nobody_types_a_tool_call_is_denied_and_no_line_is_taken_for_an_answer(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--simple-prompt", "--no-confirm-exit", "--colors=NoColor"],
        input=_ASKING,
        env={**environment(tmp_path), "PYTHONUTF8": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Denied: nobody to ask" in done.stdout
    assert "content: hi \\u202e there" in done.stdout
    assert "It is done." in done.stdout
    assert "name 'y' is not defined" in done.stdout
    assert "next" in done.stdout
    assert not (tmp_path / "a.txt").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_the_person_at_a_terminal_is_asked(tmp_path: Path) -> None:
    import pexpect

    child = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--no-banner", "--simple-prompt", "--no-confirm-exit", "--colors=NoColor"],
        env={**environment(tmp_path), "PYTHONUTF8": "1", "TERM": "dumb"},
        cwd=str(tmp_path),
        encoding="utf-8",
        timeout=30,
        echo=False,
    )
    with child:
        child.expect_exact("In [1]: ")
        child.sendline("%load_ext hector_nb")
        child.expect_exact("In [2]: ")
        child.sendline("%hector -a writer Write")
        child.expect_exact("Write this file?")
        child.expect_exact("y/n/a/e: ")
        child.sendline("y")
        child.expect_exact("Approved")
        child.expect_exact("It is done.")
        child.expect_exact("In [3]: ")
        child.sendline("exit")
        child.expect(pexpect.EOF)
    assert (tmp_path / "a.txt").exists()
