"""Cells that run again, in a real kernel that is told their ids as JupyterLab tells them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.frontends.kernel import Cell, Kernel

PATH = "/home/ada/first steps.ipynb"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path_factory.mktemp("kernel"), notebook=PATH)
    assert kernel.run("%load_ext hector_nb").status == "ok"
    kernel.run("from hector_nb.frontends import succession")
    yield kernel
    kernel.close()


@pytest.fixture(autouse=True)
def new_session(kernel: Kernel) -> None:
    kernel.run("%hector new assistant")


def said(kernel: Kernel, session: str = "") -> list[str]:
    """What the person has said in a session."""
    options = f"-s {session}" if session else ""
    kernel.run(f"m = %hector history -n 100 {options}")
    return kernel.run("print('|'.join(x.content for x in m if x.role == 'user'))").stdout.strip().split("|")


def kept(cell: Cell) -> str | None:
    """The session that is named under an answer."""
    texts = [each["data"].get("text/plain", "") for each in cell.of("display_data")]
    return next((text.partition("assistant -s ")[2] for text in texts if "%hector use" in text), None)


def test_a_cell_that_runs_again_replaces_its_turn(kernel: Kernel) -> None:
    for text in ("one", "two", "three"):
        kernel.run(f"%%hector\n{text}", cell="a")
    assert said(kernel) == ["three"]


def test_what_followed_is_kept_as_a_fork_that_is_named_under_the_answer(kernel: Kernel) -> None:
    kernel.run("%%hector\none", cell="a")
    kernel.run("%%hector\ntwo", cell="b")
    kernel.run("%%hector\nthree", cell="c")
    again = kernel.run("%%hector\nTWO", cell="b")
    assert said(kernel) == ["one", "TWO"]
    fork = kept(again)
    assert fork is not None
    assert kernel.run("print(_hector.kept)").stdout.strip() == fork
    assert said(kernel, fork) == ["one", "two", "three"]
    kernel.run("s = [each for each in get_ipython().run_line_magic('hector', 'sessions -n 100')]")
    told = kernel.run(f"print([(x.title[:18], x.metadata) for x in s if x.session_id == {fork!r}])").stdout
    assert "'first steps (kept " in told
    assert f"'kept_from': '{PATH}'" in told
    assert "cells" not in told


def test_nothing_is_kept_where_nothing_followed(kernel: Kernel) -> None:
    kernel.run("%%hector\none", cell="a")
    assert kept(kernel.run("%%hector\none", cell="a")) is None


def test_run_all_repeats_the_conversation(kernel: Kernel) -> None:
    cells = {"a": "one", "b": "two", "c": "three"}
    for _ in range(3):
        for cell, text in cells.items():
            assert kernel.run(f"%%hector\n{text}", cell=cell).status == "ok"
        assert said(kernel) == ["one", "two", "three"]


def run_all(kernel: Kernel, cells: Mapping[str, str]) -> dict[str, Cell]:
    """What a front end does, some time after the cell before: all cells are sent at once."""
    kernel.run("succession.PAUSE = -1")
    kernel.send("succession.PAUSE = 30")  # however slow this machine is
    requests = {cell: kernel.send(f"%%hector\n{text}", cell=cell) for cell, text in cells.items()}
    return {cell: kernel.wait(request) for cell, request in requests.items()}


def forks(kernel: Kernel) -> list[str]:
    """The titles of the forks of this notebook's runs."""
    kernel.run("s = get_ipython().run_line_magic('hector', 'sessions assistant -n 200')")
    return kernel.run("for x in s:\n    if 'kept_from' in x.metadata: print(x.title)").stdout.splitlines()


def test_many_run_alls_leave_one_fork(kernel: Kernel) -> None:
    cells, before = {each: f"{each}?" for each in "abcde"}, len(forks(kernel))
    for _ in range(4):
        ran = run_all(kernel, cells)
        assert said(kernel) == ["a?", "b?", "c?", "d?", "e?"]
    left = kept(ran["a"])
    assert [kept(ran[each]) for each in "bcde"] == [None] * 4
    assert said(kernel, left or "") == ["a?", "b?", "c?", "d?", "e?"]
    titles = forks(kernel)
    assert len(titles) == before + 1
    assert "before “a?” was asked again)" in titles[0]


def test_a_fork_with_other_questions_stays(kernel: Kernel) -> None:
    first = {"a": "one", "b": "two", "c": "three"}
    run_all(kernel, first)
    old = kept(run_all(kernel, first | {"b": "TWO"})["a"])
    new = kept(run_all(kernel, first | {"b": "TWO"})["a"])
    newest = kept(run_all(kernel, first | {"b": "TWO"})["a"])
    assert said(kernel, old or "") == ["one", "two", "three"]
    assert said(kernel, newest or "") == ["one", "TWO", "three"]
    assert kernel.run(f"%hector history -s {new}").status == "error"


def test_a_fork_that_somebody_wants_stays(kernel: Kernel) -> None:
    cells = {"a": "one", "b": "two"}
    run_all(kernel, cells)
    spoken = kept(run_all(kernel, cells)["a"]) or ""
    kernel.run(f"%hector -s {spoken} more")
    named = kept(run_all(kernel, cells)["a"]) or ""
    kernel.run("import hector_nb\nhector = hector_nb.connect()")
    assert kernel.run(f"hector.session(session_id={named!r}).rename('mine')").status == "ok"
    for _ in range(2):
        run_all(kernel, cells)
    assert said(kernel, spoken) == ["one", "two", "more"]
    assert said(kernel, named) == ["one", "two"]


@pytest.mark.parametrize("order", ["cab", "bac", "ncab", "nmabc", "acb", "bca"])
def test_the_second_run_all_has_the_order_of_cells_that_were_moved(kernel: Kernel, order: str) -> None:
    run_all(kernel, {each: each for each in "abc"})
    first = run_all(kernel, {each: each for each in order})
    assert any("Run all cells once more" in str(cell.outputs) for cell in first.values()) == (order != "acb")
    assert "Run all cells once more" not in str(
        [cell.outputs for cell in run_all(kernel, {each: each for each in order}).values()]
    )
    assert said(kernel) == list(order)
    run_all(kernel, {each: each for each in order})
    assert said(kernel) == list(order)


def test_a_cell_that_is_run_by_hand_does_not_count_as_moved(kernel: Kernel) -> None:
    run_all(kernel, {each: each for each in "abc"})
    for cell in ("c", "a"):
        assert "Run all cells" not in str(run_all(kernel, {cell: cell})[cell].outputs)
    run_all(kernel, {"b": "b", "c": "c"})
    assert said(kernel) == ["a", "b", "c"]


def test_a_cell_that_was_queued_out_of_order_finds_its_place_again(kernel: Kernel) -> None:
    run_all(kernel, {each: each for each in "abc"})
    run_all(kernel, {"c": "c", "a": "a"})
    run_all(kernel, {"a": "a", "b": "b", "c": "c"})
    assert said(kernel) == ["a", "b", "c"]


def test_append_keeps_both(kernel: Kernel) -> None:
    kernel.run("%%hector\none", cell="a")
    kernel.run("%%hector --append\nagain", cell="a")
    assert said(kernel) == ["one", "again"]
    kernel.run("%%hector\nlast", cell="a")
    assert said(kernel) == ["one", "last"]


def test_the_turns_of_one_run_stay_together(kernel: Kernel) -> None:
    code = "for text in ('one', 'two'):\n    get_ipython().run_line_magic('hector', text)"
    for _ in range(2):
        kernel.run(code, cell="a")
        assert said(kernel) == ["one", "two"]
    kernel.run("%%hector\nthree", cell="b")
    again = kernel.run(code, cell="a")
    assert said(kernel) == ["one", "two"]
    assert said(kernel, kept(again) or "") == ["one", "two", "three"]


def test_without_an_id_a_cell_appends(kernel: Kernel) -> None:
    kernel.run("%%hector\none")
    kernel.run("%%hector\none")
    assert said(kernel) == ["one", "one"]


def test_turns_that_failed_or_were_refused_are_replaced_too(kernel: Kernel) -> None:
    assert kernel.run("%%hector broken\none", cell="a").status == "error"
    assert kernel.run("%%hector broken\ntwo", cell="a").status == "error"
    assert kernel.run("%%hector nobody\ntwo", cell="a").status == "error"
    kernel.run("%hector use broken")
    assert said(kernel) == ["two"]


def test_a_session_that_is_named_is_rewound_as_well(kernel: Kernel) -> None:
    for text in ("one", "two"):
        kernel.run(f"%%hector -s mine\n{text}", cell="a")
    assert said(kernel, "mine") == ["two"]


def test_what_was_taken_back_otherwise_is_not_missed(kernel: Kernel) -> None:
    kernel.run("%%hector\none", cell="a")
    kernel.run("%%hector\ntwo", cell="b")
    assert "Taken back: 1 turn (2 messages)" in str(kernel.run("%hector rewind").of("execute_result"))
    assert kernel.run("%%hector\ntwo again", cell="b").status == "ok"
    assert said(kernel) == ["one", "two again"]


def test_a_later_kernel_goes_on_in_the_notebooks_session(tmp_path: Path) -> None:
    first = Kernel(tmp_path, notebook=PATH)
    try:
        first.run("%load_ext hector_nb\n%hector one", cell="a")
        first.run("%hector two", cell="b")
    finally:
        first.close()
    other = Kernel(tmp_path, notebook="/home/ada/other.ipynb")
    try:
        other.run("%load_ext hector_nb")
        assert "none yet" in str(other.run("%hector").of("execute_result"))
    finally:
        other.close()
    later = Kernel(tmp_path, notebook=PATH)
    try:
        later.run("%load_ext hector_nb")
        assert "4 messages" in str(later.run("%hector").of("execute_result"))
        cell = later.run("%hector three", cell="c")
        assert "Goes on with this notebook's session of " in str(cell.outputs[-1])
        assert said(later) == ["one", "two", "three"]
        again = later.run("%hector ONE", cell="a")
        assert kept(again) is not None
        assert said(later) == ["ONE"]
        later.run("%hector new")
        later.run("%hector fresh", cell="a")
        assert said(later) == ["fresh"]
    finally:
        later.close()
