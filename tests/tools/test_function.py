"""Functions as tools: what they get, what the model hears, and where they run."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from hector_nb.config.schema import ToolConfig
from hector_nb.errors import ToolUnavailable
from hector_nb.tools.base import ToolError
from hector_nb.tools.function import FunctionTools
from hector_nb.tools.result_text import result_text
from tests.tools.calls import CONTEXT, answer, made

pytestmark = pytest.mark.anyio


@dataclass
class Found:
    name: str
    when: date


class Thing:
    def __repr__(self) -> str:
        return "<a thing>"


LOOP: dict[str, Any] = {}
LOOP["itself"] = LOOP


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (None, "Done."),
        (True, "true"),
        (3, "3"),
        ({"a": [1, 2.5, None]}, '{"a": [1, 2.5, null]}'),
        (["ä"], '["ä"]'),
        (Found("ada", date(2026, 1, 2)), '{"name": "ada", "when": "2026-01-02"}'),
        (date(2026, 1, 2), "2026-01-02"),
        ({"n": numpy.int64(3), "t": Thing()}, '{"n": 3, "t": "<a thing>"}'),
        (Thing(), "<a thing>"),
        (numpy.array([1, 2]), "array([1, 2])"),
        (b"\xff", "b'\\xff'"),
        (LOOP, "{'itself': {...}}"),
        (float("nan"), "NaN"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_result_becomes_text(value: object, text: str) -> None:
    assert result_text(value) == text


def test_a_table_is_shown_as_one_and_its_middle_is_left_out() -> None:
    small = result_text(pandas.DataFrame({"name": ["ada"], "age": [36]}))
    assert small.splitlines()[:2] == ["  name  age", "0  ada   36"]
    large = result_text(pandas.DataFrame({"n": range(100_000)}))
    assert len(large.splitlines()) < 60
    assert "[100000 rows x 1 columns]" in large
    assert "36" in result_text(pandas.Series([36], name="age"))


async def test_a_sync_function_runs_in_a_thread_with_the_callers_context() -> None:
    asked = contextvars.ContextVar("asked", default="nobody")

    def who() -> list[Any]:
        return [asked.get(), threading.current_thread() is threading.main_thread()]

    asked.set("ada")
    assert await answer(made(who)) == '["ada", false]'


async def test_a_slow_function_does_not_hold_up_the_loop() -> None:
    go_on = threading.Event()
    call = asyncio.create_task(answer(made(lambda: go_on.wait(30), name="wait")))
    await asyncio.sleep(0)
    go_on.set()
    assert await call == "true"


async def test_an_async_function_runs_on_the_loop_and_is_cancelled_with_the_call() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    call = asyncio.create_task(answer(made(wait)))
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert cancelled.is_set()


async def test_a_call_that_is_stopped_does_not_wait_for_its_thread() -> None:
    started, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hang() -> None:
        loop.call_soon_threadsafe(started.set)
        go_on.wait(30)

    call = asyncio.create_task(answer(made(hang)))
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    go_on.set()


async def test_a_sync_function_that_gives_something_to_await_is_awaited() -> None:
    async def later() -> int:
        await asyncio.sleep(0)
        return 42

    assert await answer(made(lambda: later(), name="later")) == "42"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no such city"), "ValueError: no such city"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (ToolError("Ask for a city."), "Ask for a city."),
        (StopIteration("odd"), "StopIteration: odd"),
        (SystemExit(3), "SystemExit: 3"),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_an_error_is_told_with_its_type(error: BaseException, text: str) -> None:
    def fail() -> None:
        raise error

    async def fail_later() -> None:
        await asyncio.sleep(0)
        raise error

    functions: list[Any] = [fail, fail_later]
    if isinstance(error, StopIteration):
        functions.remove(fail_later)  # Python itself forbids it
    for function in functions:
        with pytest.raises(ToolError) as told:
            await answer(made(function))
        assert str(told.value) == text


async def test_arguments_are_made_what_the_hints_say() -> None:
    def add(days: int, to: date) -> str:
        return f"{type(to).__name__} {days + 1}"

    assert await answer(made(add), days="2", to="2026-01-01") == "date 3"
    with pytest.raises(ToolError, match="to: Input should be a valid date"):
        await answer(made(add), days=2, to="tomorrow")


MODULE = '''
"""Functions of a user."""
import hector_nb
from neighbour import double

def twice(number: int) -> int:
    """Double a number."""
    return double(number)

@hector_nb.tool(name="other", description="Careful.", require_approval="always", timeout=5)
def careful() -> None:
    """Not told."""

class Kit:
    def ask(self, what: str) -> str:
        """Ask the kit."""
        import late_neighbour
        return late_neighbour.NAME + what

kit = Kit()
number = 3

def odd(connection: __import__("sqlite3").Connection): ...
'''


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a user's modules, and a Python that forgets them afterwards."""
    import sys

    (tmp_path / "own_functions.py").write_text(MODULE)
    (tmp_path / "neighbour.py").write_text("def double(number): return 2 * number")
    (tmp_path / "late_neighbour.py").write_text("NAME = 'late '")
    (tmp_path / "broken_functions.py").write_text("raise ValueError('not today')")
    (tmp_path / "needy_functions.py").write_text("import there_is_no_such_module")
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def source(folder: Path, path: str, **settings: Any) -> FunctionTools:
    config = ToolConfig.model_validate({"type": "function", "function": path, **settings})
    return FunctionTools.from_config("mine", config, folder=folder)


async def test_a_configured_function_is_found_beside_the_configuration(folder: Path) -> None:
    tools = source(folder, "own_functions:twice")
    [tool] = await tools.tools()
    assert (tool.schema.name, tool.schema.description) == ("mine", "Double a number.")
    assert await tool.call({"number": 21}, CONTEXT) == "42"
    assert (tool.require_approval, tool.timeout, tool.permits({})) == ("never", 60.0, False)
    assert (await tools.tools())[0] is tool
    await tools.aclose()


async def test_what_a_module_imports_later_is_still_found(folder: Path) -> None:
    [tool] = await source(folder, "own_functions:kit.ask").tools()
    assert await tool.call({"what": "night"}, CONTEXT) == "late night"


async def test_the_configuration_wins_over_the_decorator(folder: Path) -> None:
    [tool] = await source(folder, "own_functions:careful").tools()
    assert (tool.schema.name, tool.schema.description) == ("mine", "Careful.")
    assert (tool.require_approval, tool.timeout, tool.approval_timeout) == ("always", 5, 300)
    settings = {"require_approval": "never", "timeout": "1s", "max_output": 100, "approval_timeout": "10s"}
    [tool] = await source(folder, "own_functions:careful", **settings).tools()
    assert (tool.require_approval, tool.timeout, tool.max_output, tool.approval_timeout) == ("never", 1, 100, 10)


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("nowhere_to_be_found:it", "There is no module 'nowhere_to_be_found'", "It is looked for in"),
        ("own_functions.deeper:it", "There is no module 'own_functions.deeper'", "It is looked for in"),
        ("own_functions:twize", "own_functions has no 'twize'; did you mean 'twice'?", "The module is "),
        ("own_functions:number", "own_functions:number is no function but int", "Name a function"),
        ("own_functions:Kit", "own_functions:Kit is no function but type", "Name a function"),
        ("own_functions:odd", "no JSON value is a sqlite3.Connection", "Change the function"),
        ("broken_functions:it", "could not be imported: ValueError: not today", "Correct the module"),
        ("needy_functions:it", "needs a module that is not there", "pip install there_is_no_such_module"),
    ],
)
async def test_a_function_that_is_not_there_says_what_to_do(folder: Path, path: str, message: str, hint: str) -> None:
    with pytest.raises(ToolUnavailable) as failed:
        await source(folder, path).tools()
    assert failed.value.message.startswith("tools.mine: ")
    assert message in failed.value.message
    assert hint in (failed.value.hint or "")


async def test_a_corrected_module_is_found_without_a_restart(folder: Path) -> None:
    tools = source(folder, "broken_functions:it")
    with pytest.raises(ToolUnavailable):
        await tools.tools()
    (folder / "broken_functions.py").write_text("def it():\n    return 'well again'\n")
    [tool] = await tools.tools()
    assert await tool.call({}, CONTEXT) == "well again"
