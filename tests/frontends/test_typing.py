"""A program that uses the Python API passes the strictest type check, and its mistakes are found."""

from pathlib import Path

import pytest
from mypy import api

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


def _check(path: Path, cache: Path) -> str:
    return api.run(
        [
            "--strict",
            "--config-file=",
            "--ignore-missing-imports",
            "--follow-imports=silent",
            f"--cache-dir={cache}",
            str(path),
        ]
    )[0]


def test_a_program_passes_and_mistakes_are_found(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    cache = pytestconfig.rootpath / ".mypy_cache" / "programs"
    assert _check(PROGRAM, cache).startswith("Success"), _check(PROGRAM, cache)
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    said = _check(wrong, cache)
    assert 'Revealed type is "hector_nb.sessions.Session"' in said
    for line in (
        "7: error: Argument 1",
        '8: error: Argument "limit"',
        "9: error: Argument 1",
        '10: error: "Session" has no attribute "nothing"',
    ):
        assert line in said, said
