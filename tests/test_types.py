"""The package passes the strictest type check, and so does a program that uses its Python API, whose mistakes are found.

All checks have the same settings, so that those of programs take what they need of the package from the cache of the first.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAM = Path(__file__).parent / "typed_program.py"
WRONG = """
import hector_nb

hector = hector_nb.connect()
session = hector.session()
reveal_type(session.info())
session.rename(3)
session.search_memory("x", limit="3")
session.follow(3)
session.info().nothing
"""


def _said(*paths: Path) -> str:
    command = [sys.executable, "-m", "mypy", *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    return done.stdout + done.stderr


def test_the_types_are_strict() -> None:
    said = _said()
    assert said.startswith("Success"), said


def test_a_program_passes() -> None:
    said = _said(PROGRAM)
    assert said.startswith("Success"), said


def test_mistakes_in_a_program_are_found(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    said = _said(wrong)
    assert 'Revealed type is "hector_nb.sessions.Session"' in said
    for line in (
        "7: error: Argument 1",
        '8: error: Argument "limit"',
        "9: error: Argument 1",
        '10: error: "Session" has no attribute "nothing"',
    ):
        assert line in said, said
