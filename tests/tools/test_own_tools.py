"""A configuration with tools of one's own becomes a toolbox."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import hector_nb
from hector_nb.bootstrap.tools import make_sources, make_toolbox
from hector_nb.config.schema import Config
from hector_nb.errors import ToolUnavailable
from hector_nb.tools.toolbox import CheckedCall, Toolbox, ToolOutcome
from tests.tools.calling import call, context

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent.parent
SERVER = {
    "type": "mcp",
    "command": [sys.executable, "-m", "tests.fakes.mcp_server", "stdio"],
    "env": {"PYTHONPATH": str(ROOT)},
}


@pytest.fixture
async def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Toolbox]]:
    """Makes the toolbox of an agent with these tools, and closes it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "weather_of_test.py").write_text(
        "import threading\nGO_ON = threading.Event()\n"
        "def nap(): GO_ON.wait(10)\n"
        "def forecast(city: str, days: int = 1) -> dict:\n"
        "    'The weather to come.'\n"
        "    if city == 'Atlantis': raise LookupError('no such city')\n"
        "    return {city: 'rain'} | {'days': days}\n"
    )
    made: list[Toolbox] = []

    def make(**tools: Any) -> Toolbox:
        config = Config.model_validate({"agents": {"a": {"tools": list(tools)}}, "tools": tools})
        made.append(make_toolbox(config.agents["a"], make_sources(config, tmp_path), budget=4000))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()
    sys.modules.pop("weather_of_test", None)


async def outcome(toolbox: Toolbox, name: str, **arguments: Any) -> ToolOutcome:
    checked = await toolbox.check(call(name, **arguments))
    return await toolbox.run(checked, context()) if isinstance(checked, CheckedCall) else checked


async def test_functions_and_servers_stand_side_by_side(box: Callable[..., Toolbox]) -> None:
    toolbox = box(forecast={"type": "function", "function": "weather_of_test:forecast"}, mine=SERVER)
    names = [schema.name for schema in await toolbox.schemas()]
    assert names[:2] == ["forecast", "add"]
    assert (await outcome(toolbox, "forecast", city="Bonn")).text == '{"Bonn": "rain", "days": 1}'
    assert (await outcome(toolbox, "add", one=40, two=2)).text == "42"


async def test_what_goes_wrong_is_for_the_model(box: Callable[..., Toolbox]) -> None:
    toolbox = box(forecast={"type": "function", "function": "weather_of_test:forecast"})
    failed = await outcome(toolbox, "forecast", city="Atlantis")
    assert (failed.is_error, failed.text) == (True, "LookupError: no such city")
    assert "'city' is a required property" in (await outcome(toolbox, "forecast", days=1)).text
    wrong = await outcome(toolbox, "forecast", city=["Bonn"])
    assert wrong.is_error
    assert "city" in wrong.text


async def test_a_function_that_takes_too_long_is_given_up(box: Callable[..., Toolbox]) -> None:
    toolbox = box(nap={"type": "function", "function": "weather_of_test:nap", "timeout": "50ms"})
    slept = await outcome(toolbox, "nap")
    assert (slept.is_error, slept.text) == (True, "The tool took longer than 0.05 s and was stopped.")
    sys.modules["weather_of_test"].GO_ON.set()


async def test_two_tools_of_one_name_are_an_error_that_says_how_to_rename_them(box: Callable[..., Toolbox]) -> None:
    toolbox = box(add={"type": "function", "function": "operator:add"}, mine=SERVER)
    with pytest.raises(ToolUnavailable, match="called 'add'") as failed:
        await toolbox.schemas()
    assert "`prefix`" in (failed.value.hint or "")
    renamed = box(add={"type": "function", "function": "operator:add"}, mine={**SERVER, "prefix": "my_"})
    assert [schema.name for schema in await renamed.schemas()][:2] == ["add", "my_add"]


async def test_a_function_of_the_notebook_is_offered_to_an_agent_that_names_no_tools(
    box: Callable[..., Toolbox],
) -> None:
    notebook: dict[str, Any] = {"__name__": "__main__", "hector_nb": hector_nb}
    toolbox = box()
    assert await toolbox.schemas() == []
    exec("@hector_nb.tool\ndef look(at: str): 'Look.'", notebook)
    assert [schema.name for schema in await toolbox.schemas()] == ["look"]
    notebook.clear()
    assert await toolbox.schemas() == []
