"""`@hector_nb.tool`: what is offered to agents, and for how long."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import hector_nb
from hector_nb.tools.decorator import ToolMark, mark_of, offered
from hector_nb.tools.notebook import NotebookTools
from tests.tools.calls import answer

pytestmark = pytest.mark.anyio


class Notebook(dict[str, Any]):
    """The variables of a notebook, and its cells."""

    def run(self, cell: str) -> None:
        exec(cell, self)


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    assert offered() == []
    namespace = Notebook(__name__="__main__", hector_nb=hector_nb)
    yield namespace
    namespace.clear()
    assert offered() == []


async def names() -> list[str]:
    return [tool.schema.name for tool in await NotebookTools().tools()]


def test_a_decorated_function_stays_what_it_is() -> None:
    @hector_nb.tool(name="adder", description="Adds.", require_approval="always", timeout=5)
    def add(one: int, two: int) -> int:
        return one + two

    assert add(1, 2) == 3
    assert mark_of(add) == ToolMark("adder", "Adds.", "always", 5)
    assert mark_of(len) is None


async def test_a_function_of_a_notebook_is_offered_until_it_is_gone(notebook: Notebook) -> None:
    notebook.run("@hector_nb.tool\ndef look(): 'Look.'\n@hector_nb.tool(name='leap')\ndef jump(): ...")
    assert await names() == ["look", "leap"]
    notebook.run("del look")
    assert await names() == ["leap"]


async def test_running_the_cell_again_replaces_it(notebook: Notebook) -> None:
    tools = NotebookTools()
    notebook.run("@hector_nb.tool\ndef look(): 'Look here.'")
    [first] = await tools.tools()
    assert first.schema.description == "Look here."
    notebook.run("@hector_nb.tool(require_approval='always', timeout=2)\ndef look(at: str): 'Look there.'")
    [second] = await tools.tools()
    assert second.schema.description == "Look there."
    assert list(second.schema.parameters["properties"]) == ["at"]
    assert (second.require_approval, second.timeout) == ("always", 2)


async def test_a_function_of_a_module_is_offered_only_when_the_notebook_says_so(notebook: Notebook) -> None:
    module: dict[str, Any] = {"__name__": "their_module", "hector_nb": hector_nb}
    exec("@hector_nb.tool\ndef theirs(): ...", module)
    assert await names() == []
    notebook["theirs"] = module["theirs"]
    notebook.run("hector_nb.tool(theirs)")
    assert await names() == ["theirs"]
    module.clear()


async def test_an_agent_whose_model_cannot_call_tools_is_not_offered_any(notebook: Notebook) -> None:
    notebook.run("@hector_nb.tool\ndef look(): ...")
    assert await NotebookTools(wanted=lambda: False).tools() == ()


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_where_the_engine_itself_runs_on_the_main_thread_a_function_just_runs(
    notebook: Notebook, kind: str
) -> None:
    notebook.run(f"import threading\n@hector_nb.tool\n{kind} where(): return threading.current_thread().name")
    [tool] = await NotebookTools().tools()
    assert await answer(tool) == "MainThread"
    del tool


@pytest.mark.parametrize(
    ("cell", "error", "text"),
    [
        ("hector_nb.tool(print)", TypeError, "A tool is a function"),
        ("@hector_nb.tool\nclass Kit: ...", TypeError, "A tool is a function"),
        ("@hector_nb.tool(name='look at')\ndef look(): ...", ValueError, "A tool's name has letters"),
        ("@hector_nb.tool\ndef größe(): ...", ValueError, "A tool's name has letters"),
        ("@hector_nb.tool(require_approval='maybe')\ndef look(): ...", ValueError, "'always', 'never' or 'rules'"),
        ("@hector_nb.tool(timeout='1m')\ndef look(): ...", ValueError, "a number of seconds"),
        ("@hector_nb.tool(timeout=0)\ndef look(): ...", ValueError, "a number of seconds"),
        ("@hector_nb.tool\ndef look(at: slice): ...", TypeError, "no JSON value is a slice"),
    ],
)
async def test_what_cannot_be_a_tool_is_told_where_it_is_written(
    notebook: Notebook, cell: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        notebook.run(cell)
    notebook.pop("look", None)
    assert await names() == []


def test_no_other_process_is_offered_anything() -> None:
    program = "from hector_nb.tools.decorator import offered; print(offered())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
