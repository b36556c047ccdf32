"""The magics in a real kernel: what only shows there."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.frontends.hostile_markdown import HOSTILE
from tests.frontends.kernel import AT_ONCE, Kernel
from tests.frontends.scripts import SCRIPTS
from tests.frontends.test_safe_markdown import assert_harmless


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    assert kernel.run("%load_ext hector_nb").status == "ok"
    yield kernel
    kernel.close()


def test_the_extension_loads_next_to_nothing(tmp_path: Path) -> None:
    fresh = Kernel(tmp_path)
    try:
        cell = fresh.run(
            "import sys, asyncio, time\nbefore = set(sys.modules)\nstarted = time.perf_counter()\n%load_ext hector_nb\n"
            "seconds = time.perf_counter() - started\n"
            "heavy = {'pydantic', 'aiohttp', 'apsw', 'numpy', 'tiktoken', 'jupyter_server', 'nest_asyncio', 'xllamacpp', 'rich'}\n"
            "print(sorted(heavy & (set(sys.modules) - before)), hasattr(asyncio, '_nest_patched'), seconds < 3)"
        )
        assert cell.stdout == "[] False True\n"
    finally:
        fresh.close()


def test_a_cell_streams_into_one_output(kernel: Kernel) -> None:
    cell = kernel.run("%%hector\nHi")
    shown = cell.of("display_data")[0]
    last = cell.of("update_display_data")[-1]
    assert last["transient"]["display_id"] == shown["transient"]["display_id"]
    assert last["data"] == {"text/markdown": "Hello **there**.", "text/plain": "Hello **there**."}
    assert last["metadata"]["hector"]["agent"] == "assistant"
    assert cell.of("execute_result") == []
    assert cell.stderr == ""


def test_five_cells_sent_at_once_get_five_replies(kernel: Kernel) -> None:
    requests = [kernel.send(f"%%hector counter\n{number}") for number in range(5)]
    cells = [kernel.wait(request) for request in requests]
    assert [cell.status for cell in cells] == ["ok"] * 5
    assert [cell.markdown[-1] for cell in cells] == ["1", "2", "3", "4", "5"]


def _interrupt_when(kernel: Kernel, shown: str) -> Any:
    seen: list[str] = []

    def look(message: dict[str, Any]) -> None:
        if shown in str(message["content"].get("data", {})) and not seen:
            seen.append(shown)
            kernel.interrupt()

    return look


def test_an_interrupt_before_the_first_token_stops_the_cell_and_the_kernel_goes_on(kernel: Kernel) -> None:
    started: list[float] = []

    def look(message: dict[str, Any]) -> None:
        if "Waiting for" in str(message["content"]) and not started:
            started.append(time.monotonic())
            kernel.interrupt()

    cell = kernel.run("%%hector silent\nHi", on_output=look)
    assert time.monotonic() - started[0] < AT_ONCE
    assert cell.status == "error"
    assert cell.of("error")[0]["ename"] == "KeyboardInterrupt"
    assert cell.markdown[-1] == "*■ stopped*"
    assert kernel.run("%%hector\nHi").markdown[-1] == "Hello **there**."


def test_an_interrupt_in_the_middle_keeps_what_was_said(kernel: Kernel) -> None:
    cell = kernel.run("%%hector halting --out half\nHi", on_output=_interrupt_when(kernel, "Half of it"))
    assert cell.status == "error"
    assert cell.markdown[-1] == "Half of it\n\n*■ stopped*"
    assert len(cell.traceback.splitlines()) == 1
    assert kernel.run("print(half, half.finish_reason)").stdout == "Half of it cancelled\n"


def test_an_interrupt_stops_the_cells_that_wait(kernel: Kernel) -> None:
    first, second = kernel.send("%%hector silent\nHi"), kernel.send("print('never')")
    assert kernel.wait(first, on_output=_interrupt_when(kernel, "Waiting for")).status == "error"
    assert kernel.wait(second).status == "aborted"


def test_an_error_is_short_and_fails_the_cell(kernel: Kernel) -> None:
    cell = kernel.run("%%hector broken\nHi")
    assert cell.status == "error"
    assert cell.traceback == "ModelTimeout: Nothing came."
    assert cell.markdown[-1] == "Half"
    unknown = kernel.run("%%hector nobody\nHi")
    assert unknown.traceback.splitlines()[0] == "AgentNotFound: There is no agent 'nobody'."
    usage = kernel.run("%hector --bogus Hi")
    assert usage.status == "error"
    assert usage.stderr.startswith("UsageError: There is no option '--bogus'")


@pytest.mark.parametrize(
    "prompt",
    [
        "what is this?",
        "what's up",
        "smile :(",
        'say """hi',
        "cost: $x and ${HOME} and !ls and {unknown} {1: 2}",
        "{{x}} f'{x!r}' %time",
        "one \\n two",
    ],
)
def test_a_prompt_arrives_as_typed(kernel: Kernel, prompt: str) -> None:
    kernel.run("x = 1")
    assert kernel.run(f"r = %hector --new {prompt}").status == "ok"
    assert kernel.run("m = %hector history\nprint(m[0].content)").stdout == f"{prompt}\n"
    assert kernel.run(f"%%hector --new\n{prompt}\n").status == "ok"
    assert kernel.run("m = %hector history\nprint(m[0].content)").stdout == f"{prompt}\n"


def test_variables_are_filled_in(kernel: Kernel) -> None:
    kernel.run("name = 'Ada'; items = [1, 2]")
    kernel.run("%hector --new Hello {name}, {items[1]} {Out} {exit}")
    shown = kernel.run("m = %hector history\nprint(m[0].content)").stdout
    assert shown.startswith("Hello Ada, 2 {")
    assert shown.endswith("{exit}\n")


def test_hostile_markdown_is_neutralised_in_every_frame(kernel: Kernel) -> None:
    cell = kernel.run(f"for _ in range({len(SCRIPTS['hostile'])}):\n    %hector -a hostile go\n")
    assert cell.status == "ok"
    assert len(cell.markdown) >= len(HOSTILE)
    for markdown in cell.markdown:
        assert_harmless(markdown)


def test_a_recorded_cell_has_exactly_one_output(kernel: Kernel) -> None:
    kernel.run("import os; os.environ['PYTEST_VERSION'] = '9'")
    cell = kernel.run("%%hector\nHi")
    kernel.run("del os.environ['PYTEST_VERSION']")
    [output] = cell.outputs
    assert output["msg_type"] == "display_data"
    assert output["content"]["data"]["text/markdown"] == "Hello **there**."


def test_a_reply_is_shown_once_in_its_cell_and_again_where_it_is_asked_for(kernel: Kernel) -> None:
    cell = kernel.run("%hector Hi")
    assert cell.of("execute_result") == []
    assert len([each for each in cell.of("display_data") if "text/markdown" in each["data"]]) == 1
    again = kernel.run("_hector")
    assert again.markdown == ["Hello **there**."]


def test_a_long_answer_stays_in_proportion(kernel: Kernel) -> None:
    cell = kernel.run("%%hector slow\nHi")
    answer = len(cell.markdown[-1].encode())
    assert sum(len(markdown.encode()) for markdown in cell.markdown) <= 30 * answer
    assert len(cell.markdown) > 10


def test_help_is_the_magics_own(kernel: Kernel) -> None:
    reply = kernel.run("%hector help")
    assert "%%hector [AGENT]" in reply.of("execute_result")[0]["data"]["text/plain"]


def test_the_status_says_who_gets_the_text_and_where_it_is_kept(kernel: Kernel) -> None:
    text = kernel.run("%hector").of("execute_result")[0]["data"]["text/plain"]
    for word in ("assistant", "in this process", "sessions.db", "hector.yaml", "sess_"):
        assert word in text


def test_unloading_takes_everything_back(kernel: Kernel) -> None:
    assert kernel.run("%unload_ext hector_nb").status == "ok"
    gone = kernel.run("%hector version")
    assert "not found" in gone.stderr
    left = kernel.run("print([t for t in get_ipython().input_transformers_cleanup if 'Hector' in type(t).__name__])")
    assert left.stdout == "[]\n"
    assert kernel.run("%load_ext hector_nb").status == "ok"
    assert kernel.run("%%hector\nHi").markdown[-1] == "Hello **there**."


def test_plain_calls_work_where_a_loop_is_running(kernel: Kernel) -> None:
    kernel.run("import hector_nb; hector = hector_nb.connect(); session = hector.session('assistant')")
    cell = kernel.run("import asyncio; asyncio.get_running_loop()\nsession.send('Hi')")
    assert cell.of("execute_result")[0]["data"]["text/markdown"] == "Hello **there**."
    assert "what scripted assistant.json saw" in str(kernel.run("session.send('Hi').context").of("execute_result"))
    assert "would see now" in str(kernel.run("session.memory").of("execute_result"))
    assert kernel.run("for text in session.stream('Hi'): print(text, end='')").stdout == "Hello **there**."


def test_asynchronous_calls_run_on_the_kernels_loop(kernel: Kernel) -> None:
    cell = kernel.run(
        "async with hector_nb.aconnect() as a:\n"
        "    s = await a.session('assistant')\n"
        "    async for text in await s.stream('Hi'): print(text, end='')\n"
        "    print((await s.memory()).tokens > 0)"
    )
    assert cell.stdout == "Hello **there**.True\n", cell.traceback


def test_an_interrupt_stops_a_plain_call_and_its_turn(kernel: Kernel) -> None:
    def interrupt(message: dict[str, Any]) -> None:
        if "asked" in str(message["content"].get("text")):
            kernel.interrupt()

    kernel.run("halting = hector.session('halting')")
    cell = kernel.run("print('asked', flush=True); halting.send('Hi')", on_output=interrupt)
    assert cell.of("error")[0]["ename"] == "KeyboardInterrupt"
    assert kernel.run("print(halting.info().running_turn)").stdout == "None\n"
    assert kernel.run("print(session.send('Hi'))").stdout == "Hello **there**.\n"
