"""The house is in order: who may import whom, style, and what importing costs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_import_contracts_hold() -> None:
    _run(
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))",
    )


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")], ids=" ".join)
def test_the_style_is_kept(arguments: tuple[str, ...]) -> None:
    _run(sys.executable, "-m", "ruff", *arguments, "hector_nb", "tests")


def _loaded(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after a statement."""
    program = f"{statement}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_no_framework() -> None:
    heavy = {"tornado", "jupyter_server", "numpy", "pydantic", "aiohttp", "apsw", "IPython", "asyncio", "tiktoken"}
    assert _loaded("import hector_nb") & heavy == set()


def test_the_vocabulary_loads_no_framework() -> None:
    heavy = {"tornado", "jupyter_server", "numpy", "aiohttp", "apsw", "IPython", "tiktoken", "typer", "rich"}
    assert _loaded("import hector_nb.service, hector_nb.stores.base, hector_nb.models.base") & heavy == set()


def test_no_file_says_where_it_was_made() -> None:
    found = subprocess.run(
        [
            "git",
            "grep",
            "-nIE",
            r"\.\./shared|/work/|pypi\.org|pythonhosted|/root/",
            "--",
            ".",
            ":!tests/test_house.py",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
