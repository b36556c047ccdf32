"""Fixtures and rules that every room's tests share."""

import os
import shutil

import pytest
from hypothesis import settings

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = (
    "0"  # tests that fork share their process with those of gRPC, which reads this at import
)
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")

_PROGRAMS = {"browser": "chromium", "nginx": "nginx"}
"""What tests of a mark drive that pip does not bring."""


def pytest_configure() -> None:
    """No key of this machine's user sways a test, or is spent by one; no test fails for a slow machine."""
    settings.register_profile("any machine", deadline=None)
    settings.load_profile("any machine")
    for name in list(os.environ):
        if name in _KEYS or name.startswith("HECTOR_"):
            del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a program that tests of a mark drive, these are skipped and say so; in CI that is an error."""
    for mark, program in _PROGRAMS.items():
        if shutil.which(program, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin"):
            continue
        wanting = [item for item in items if item.get_closest_marker(mark)]
        if wanting and os.environ.get("CI"):
            raise pytest.UsageError(f"The {mark} tests need `{program}` on the PATH.")
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason=f"there is no `{program}` on the PATH"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """All asynchronous tests run on asyncio."""
    return "asyncio"
