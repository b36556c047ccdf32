"""Fixtures and rules that every room's tests share."""

import os
import shutil
import sys
from itertools import zip_longest
from pathlib import Path

import pytest
from hypothesis import settings

from hector_nb.memory import longterm
from tests.fakes import unhurried

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = (
    "0"  # tests that fork share their process with those of gRPC, which reads this at import
)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each of the hundreds of processes that tests start would compile anew
sys.dont_write_bytecode = False
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")

_HERE = Path(__file__).parent
_PROGRAMS = {"browser": "chromium", "nginx": "nginx"}
"""What tests of a mark drive that pip does not bring."""

_LONG = (
    "test_types.py",
    "test_",
    "proof/",
    "frontends/",
    "nodes/",
    "cli/",
    "stores/test_twins.py",
    "stores/test_postgres_server.py",
    "runtime/test_killed.py",
    "runtime/test_ledgers.py",
    "transports/test_serve.py",
    "models/test_local.py",
    "tools/test_mcp.py",
)
"""The rooms and files whose tests take seconds, because they start processes or calculate."""


def pytest_configure() -> None:
    """No key of this machine's user sways a test, or is spent by one; no test fails for a slow machine."""
    settings.register_profile("any machine", deadline=None)
    settings.load_profile("any machine")
    longterm.RECALL_SECONDS = unhurried.SECONDS
    for name in list(os.environ):
        if name in _KEYS or name.startswith("HECTOR_"):
            del os.environ[name]


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors, for much of the time is waited for others."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first, so that no process works alone in the end.

    Without a program that tests of a mark drive, these are skipped and say so; in CI that is an error.
    """
    places = {path: place for place, path in enumerate(_long_first(items))}
    items.sort(key=lambda item: places[item.path])
    for mark, program in _PROGRAMS.items():
        if shutil.which(program, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin"):
            continue
        wanting = [item for item in items if item.get_closest_marker(mark)]
        if wanting and os.environ.get("CI"):
            raise pytest.UsageError(f"The {mark} tests need `{program}` on the PATH.")
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason=f"there is no `{program}` on the PATH"))


def _long_first(items: list[pytest.Item]) -> list[Path]:
    """The files, those that take long first, every second one with a browser: not all processes shall drive one at once."""
    paths = dict.fromkeys(item.path for item in items)
    driving = dict.fromkeys(item.path for item in items if item.get_closest_marker("browser"))
    long = [path for part in _LONG for path in paths if path.is_relative_to(_HERE) and _name(path).startswith(part)]
    long += [path for path in paths if path.suffix == ".ipynb"]
    others = [path for path in dict.fromkeys(long) if path not in driving]
    mixed = [path for pair in zip_longest(others, driving) for path in pair if path]
    return [*mixed, *(path for path in paths if path not in set(mixed))]


def _name(path: Path) -> str:
    return path.relative_to(_HERE).as_posix()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """All asynchronous tests run on asyncio."""
    return "asyncio"
