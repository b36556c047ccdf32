"""Functions of a notebook in a real kernel: they run where the notebook's objects live."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.frontends.kernel import AT_ONCE, Kernel

CALL = '''
import asyncio, sqlite3, threading, time
import hector_nb
from hector_nb.frontends.connect import LoopThread
from hector_nb.tools.notebook import NotebookTools

def call(name, **arguments):
    """What an agent does, while this cell waits for it."""
    async def run():
        [tool] = [each for each in await NotebookTools().tools() if each.schema.name == name]
        return await tool.call(arguments, None)
    return LoopThread.shared().run(run())

@hector_nb.tool
def where():
    print("hello from the tool")
    return threading.current_thread() is threading.main_thread()

connection = sqlite3.connect(":memory:")
@hector_nb.tool
def query(sql: str):
    return connection.execute(sql).fetchall()

@hector_nb.tool
def sleep(seconds: float):
    print("asleep", flush=True)
    time.sleep(seconds)

queue = asyncio.Queue()
loop = asyncio.get_running_loop()
@hector_nb.tool
async def take(wait: float = 0):
    await asyncio.sleep(wait)
    assert asyncio.get_running_loop() is loop
    return await asyncio.wait_for(queue.get(), 30)

@hector_nb.tool
async def never():
    print("asleep", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("awake")
'''


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    assert kernel.run("%load_ext hector_nb").status == "ok"
    assert kernel.run("%hector use actor").status == "ok"
    assert kernel.run(CALL).status == "ok"
    yield kernel
    kernel.close()


def _interrupt_when_asleep(kernel: Kernel) -> Any:
    def look(message: dict[str, Any]) -> None:
        if "asleep" in str(message["content"].get("text")):
            kernel.interrupt()

    return look


def test_a_function_runs_on_the_main_thread_and_prints_into_its_cell(kernel: Kernel) -> None:
    assert kernel.run("print(call('where'))").stdout == "hello from the tool\ntrue\n"


def test_a_connection_made_in_the_notebook_works(kernel: Kernel) -> None:
    assert kernel.run("print(call('query', sql='select 40 + 2'))").stdout == "[[42]]\n"


def test_a_figure_is_shown_in_the_cell(kernel: Kernel) -> None:
    kernel.run(
        "import matplotlib.pyplot as plt\n%matplotlib inline\n"
        "@hector_nb.tool\ndef plot(points: list[float]):\n    plt.plot(points)"
    )
    cell = kernel.run("call('plot', points=[1, 3, 2])")
    assert ["image/png" in each["data"] for each in cell.of("display_data")] == [True]


def test_nothing_is_patched_before_an_async_function_is_called(kernel: Kernel) -> None:
    patched = "print(hasattr(asyncio, '_nest_patched'))"
    assert kernel.run(patched).stdout == "False\n"


def test_an_async_function_runs_on_the_kernels_own_loop(kernel: Kernel) -> None:
    assert kernel.run("await queue.put(1); print(call('take'))").stdout == "1\n"


def test_five_cells_that_call_async_functions_get_five_replies(kernel: Kernel) -> None:
    kernel.run("for number in range(5): queue.put_nowait(number)")
    requests = [kernel.send(f"print({number}, call('take', wait=0.2))") for number in range(5)]
    cells = [kernel.wait(request) for request in requests]
    assert [cell.stdout for cell in cells] == [f"{number} {number}\n" for number in range(5)]
    awaiting = [kernel.send(f"await asyncio.sleep(0); print({number})") for number in range(5)]
    assert [kernel.wait(request).stdout for request in awaiting] == [f"{number}\n" for number in range(5)]


@pytest.mark.parametrize("function", ["'sleep', seconds=60", "'never'"], ids=["sync", "async"])
def test_an_interrupt_stops_the_function(kernel: Kernel, function: str) -> None:
    started = time.monotonic()
    cell = kernel.run(f"call({function})", on_output=_interrupt_when_asleep(kernel))
    assert cell.of("error")[0]["ename"] == "KeyboardInterrupt"
    assert time.monotonic() - started < AT_ONCE
    assert kernel.run("print(call('where'))").stdout.endswith("true\n")


def test_where_no_cell_waits_the_model_is_told_so(kernel: Kernel) -> None:
    cell = kernel.run(
        "from hector_nb.tools.main_thread import MainThread\n"
        "tools = await NotebookTools(MainThread(patience=0.1)).tools()\n"
        "[tool] = [each for each in tools if each.schema.name == 'where']\n"
        "future = LoopThread.shared().submit(tool.call({}, None))\n"
        "try:\n    future.result(timeout=30)\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    assert cell.stdout.startswith("ToolError This function belongs to a notebook, and no cell of it waits")


ACT = "@hector_nb.tool\ndef act(what: str):\n    "


def test_an_agent_calls_a_function_of_the_notebook_into_its_cell(kernel: Kernel) -> None:
    kernel.run(ACT + "seen.append((what, threading.current_thread() is threading.main_thread())); print('acting')")
    kernel.run("seen = []")
    cell = kernel.run("%%hector --new\nDo it")
    assert (cell.status, cell.markdown[-1]) == ("ok", "It is done.")
    assert "acting\n" in cell.stdout
    assert kernel.run("print(seen)").stdout == "[('it', True)]\n"


def test_the_functions_are_listed_with_the_agents_tools(kernel: Kernel) -> None:
    kernel.run("@hector_nb.tool\ndef act(what: str):\n    'Act now.\\n\\nAt once.'")
    listed = kernel.run("%hector tools").of("execute_result")[0]["data"]["text/plain"]
    assert "act    no          this notebook  Act now" in listed
    assert "At once" not in listed


def test_code_that_awaits_its_answer_calls_functions_too(kernel: Kernel) -> None:
    kernel.run("from hector_nb.frontends.asynchronous import AsyncHector")
    kernel.run(
        "@hector_nb.tool\nasync def act(what: str):\n    assert asyncio.get_running_loop() is loop; print('acted')"
    )
    cell = kernel.run(
        "async with AsyncHector() as hector:\n    print(await (await hector.session('actor')).send('Do it'))"
    )
    assert cell.stdout == "acted\nIt is done.\n"


def test_running_the_cell_again_replaces_the_function(kernel: Kernel) -> None:
    kernel.run(ACT + "print('first')")
    kernel.run(ACT + "print('second')")
    assert "second" in kernel.run("%%hector --new\nDo it").stdout


def test_an_interrupted_function_stops_the_turn_and_the_next_message_works(kernel: Kernel) -> None:
    kernel.run(ACT + "print('asleep', flush=True); time.sleep(60)")
    started = time.monotonic()
    cell = kernel.run("%%hector --new\nDo it", on_output=_interrupt_when_asleep(kernel))
    assert cell.of("error")[0]["ename"] == "KeyboardInterrupt"
    assert cell.markdown[-1] == "*■ stopped*"
    assert time.monotonic() - started < AT_ONCE
    history = kernel.run("m = %hector history\nprint([(each.role, each.status) for each in m][-1])").stdout
    assert "cancelled" in history
    assert kernel.run("%%hector\nGo on").markdown[-1] == "It is done."


def test_five_queued_cells_whose_agents_call_async_functions_get_five_replies(kernel: Kernel) -> None:
    kernel.run("@hector_nb.tool\nasync def act(what: str):\n    await asyncio.sleep(0.1); print('acted')")
    requests = [kernel.send("%%hector --new\nDo it") for _ in range(5)]
    cells = [kernel.wait(request) for request in requests]
    assert [(cell.status, cell.markdown[-1], cell.stdout.count("acted")) for cell in cells] == [
        ("ok", "It is done.", 1)
    ] * 5


def test_a_function_that_is_gone_is_offered_no_more(kernel: Kernel) -> None:
    kernel.run("del act")
    cell = kernel.run("%%hector --new\nDo it")
    assert (cell.status, cell.markdown[-1]) == ("ok", "It is done.")
    told = kernel.run("m = %hector history\nprint([each.content for each in m if each.role == 'tool'])").stdout
    assert "There is no tool 'act'" in told
