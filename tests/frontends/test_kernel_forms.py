"""Code, JSON, errors, completion, help and the conversation's commands, in a real kernel."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frontends.kernel import NO_HURRY, Kernel


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernel")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    kernel = Kernel(folder)
    assert kernel.run(f"%load_ext hector_nb\n{NO_HURRY}").status == "ok"
    yield kernel
    kernel.close()


def last_prompt(kernel: Kernel) -> str:
    kernel.run("m = %hector history -n 2")
    return kernel.run("print(m[0].content)").stdout


def test_the_code_of_an_answer_goes_into_a_new_cell_and_is_not_run(kernel: Kernel) -> None:
    cell = kernel.run("%%hector coder -f code\nHow?")
    assert cell.next_input == "x = 41\n\nprint(x + 1)"
    assert cell.markdown[-1].startswith("Do this:")
    assert kernel.run("print('x' in globals(), _hector.code == 'x = 41\\n\\nprint(x + 1)')").stdout == "False True\n"


def test_an_answer_without_code_says_so(kernel: Kernel) -> None:
    cell = kernel.run("%%hector talker -f code\nHow?")
    assert cell.status == "ok"
    assert cell.next_input is None
    assert "There is no code in this answer" in str(cell.outputs[-1])
    assert "&lt;img" in cell.markdown[-1]


def test_json_is_checked_and_laid_out_and_kept_as_a_value(kernel: Kernel) -> None:
    cell = kernel.run("%%hector lister -f json --out found\nWhich?")
    assert cell.markdown[-1].startswith('```json\n{\n  "cities": [\n')
    assert kernel.run("print(found['cities'], _hector.json == found)").stdout == "['Lyon', '`Oslo`'] True\n"


def test_what_is_not_json_fails_the_cell_and_stays_readable(kernel: Kernel) -> None:
    cell = kernel.run("%%hector talker -f json --out nothing\nWhich?")
    assert cell.traceback.startswith("InvalidRequest: The answer is not JSON")
    assert "no cry" in cell.markdown[-1]
    assert kernel.run("print('no cry' in _hector.text)").stdout == "True\n"


def test_the_last_error_goes_with_the_prompt(kernel: Kernel) -> None:
    kernel.run("%hector new assistant")
    kernel.run("def half(x):\n    return 1 / x\n\nhalf(0)")
    kernel.run("%hector -s nowhere! x")  # what the magics refuse is no error of the notebook
    kernel.run("%%hector --err\nWhat is wrong?")
    prompt = last_prompt(kernel)
    assert prompt.startswith("What is wrong?\n\nThe last error of the notebook, in In [")
    assert "```python\ndef half(x):\n    return 1 / x\n\nhalf(0)\n```" in prompt
    assert "line 4, in <module>\n    half(0)\n" in prompt
    assert "line 2, in half\n    return 1 / x\n" in prompt
    assert "ZeroDivisionError: division by zero" in prompt
    assert "IPython" not in prompt
    assert "/tmp" not in prompt


def test_the_error_alone_is_a_prompt(kernel: Kernel) -> None:
    kernel.run("%hector new assistant")
    kernel.run("for")
    assert kernel.run("%hector --err").status == "ok"
    prompt = last_prompt(kernel)
    assert prompt.startswith("Explain this error")
    assert "SyntaxError" in prompt
    kernel.run("import json\njson.loads('{' * 50)")
    assert kernel.run("%%hector --err\n\n").status == "ok"
    assert "json/decoder.py, line" in last_prompt(kernel)
    assert "/python3" not in last_prompt(kernel)


def test_a_cell_that_does_not_parse_is_named_as_people_know_it(kernel: Kernel) -> None:
    kernel.run("%hector new assistant")
    kernel.run("def f(:")
    kernel.run("%hector --err")
    assert "```text\nCell In[" in last_prompt(kernel)
    assert "SyntaxError: invalid syntax" in last_prompt(kernel)
    assert "/tmp" not in last_prompt(kernel)


def test_a_magic_that_is_used_wrong_is_an_error_of_the_notebook_but_hector_itself_is_not(kernel: Kernel) -> None:
    kernel.run("%hector new assistant")
    kernel.run("1 / 0")
    kernel.run("%nosuchmagic")
    kernel.run("%hector use")
    kernel.run("%hector --err")
    assert "%nosuchmagic` not found" in last_prompt(kernel)


def test_a_long_error_is_cut(kernel: Kernel) -> None:
    kernel.run("%hector new assistant")
    kernel.run(
        "def deep(n):\n    return deep(n - 1)\n\n" + "# padding\n" * 1000 + "try:\n    deep(1)\nfinally:\n    1 / 0"
    )
    kernel.run("%hector --err")
    prompt = last_prompt(kernel)
    assert len(prompt) < 9000
    assert "ZeroDivisionError" in prompt
    assert "It came of: RecursionError" in prompt
    assert "left out" in prompt


def test_without_an_error_there_is_nothing_to_send(tmp_path: Path) -> None:
    fresh = Kernel(tmp_path)
    try:
        fresh.run("1 / 0")
        fresh.run("%load_ext hector_nb")
        cell = fresh.run("%hector --err")
        assert cell.traceback.startswith("InvalidRequest: No cell has failed")
    finally:
        fresh.close()


@pytest.mark.parametrize("command", ["why", "fork", "rewind", "export", "export -f json"])
def test_where_nothing_was_said_there_is_nothing_to_do_and_no_session_is_made(kernel: Kernel, command: str) -> None:
    kernel.run("%hector new assistant")
    before = kernel.run("s = %hector sessions -n 1000\nprint(len(s))")
    assert kernel.run(f"%hector {command}").traceback.startswith("InvalidRequest: Nothing was said in this session yet")
    assert kernel.run("s = %hector sessions -n 1000\nprint(len(s))").stdout == before.stdout


def test_a_command_with_two_percent_signs_is_told_to_have_one(kernel: Kernel) -> None:
    assert "Commands have one %: %hector memory" in kernel.run("%%hector memory\nhi").stderr


def test_forking_goes_another_way_and_leaves_the_first(kernel: Kernel) -> None:
    kernel.run("%hector new assistant\n%hector one\n%hector two")
    kernel.run("first = _hector.session_id\nm = %hector history\nturn = m[0].turn_id")
    told = str(kernel.run("%hector fork {turn}").of("execute_result"))
    assert "with 2 messages" in told
    kernel.run("%hector three")
    kernel.run("m = %hector history")
    assert kernel.run("print([x.content for x in m if x.role == 'user'])").stdout == "['one', 'three']\n"
    kernel.run("m = %hector history -s {first}")
    assert kernel.run("print([x.content for x in m if x.role == 'user'])").stdout == "['one', 'two']\n"
    assert kernel.run("print(_hector.session_id != first)").stdout == "True\n"
    assert kernel.run("%hector fork turn_nothing").of("error")[0]["ename"] == "TurnNotFound"


def test_rewinding_takes_back_a_turn_and_what_follows(kernel: Kernel) -> None:
    kernel.run("%hector new assistant\n%hector one\n%hector two\n%hector three")
    kernel.run("m = %hector history\nturn = m[2].turn_id")
    assert "2 turns (4 messages)" in str(kernel.run("%hector rewind {turn}").of("execute_result"))
    assert "has 0 messages now" in str(kernel.run("%hector rewind").of("execute_result"))
    assert kernel.run("%hector rewind").of("error")[0]["ename"] == "InvalidRequest"


def test_exporting_writes_a_file_and_never_over_another(kernel: Kernel, folder: Path) -> None:
    kernel.run("%hector new talker\n%hector one")
    assert "talk.md" in str(kernel.run("%hector export talk.md").of("execute_result"))
    assert "&lt;img" in (folder / "talk.md").read_text()
    assert kernel.run("%hector export talk.md").traceback.startswith("Conflict: talk.md is there already.")
    assert kernel.run("%hector export talk.md --overwrite").status == "ok"
    kernel.run("%hector export talk.ipynb")
    assert json.loads((folder / "talk.ipynb").read_text())["nbformat"] == 4
    kernel.run("%hector export -f json")
    assert [path.name for path in folder.glob("*one*.json")] != [] or list(folder.glob("sess_*.json")) != []
    assert kernel.run("%hector export nowhere/talk.md").of("error")[0]["ename"] == "InvalidRequest"
    assert "%hector -- export" in kernel.run("%hector export the data to a file").stderr


def test_variables_are_offered_inside_braces(kernel: Kernel) -> None:
    kernel.run("rainfall, raincoat, _rainy = [1], 2, 3")
    for line in ("%hector about {rain", "%%hector\nSum up {rain", "r = %hector {rain"):
        assert kernel.complete_with_types(line) == [("raincoat", "int"), ("rainfall", "list")]
    assert ("raincoat", "int") not in kernel.complete_with_types("%%hector\nrain {{rain")


def test_sessions_are_offered_with_their_titles(kernel: Kernel) -> None:
    kernel.run("%hector new assistant\n%hector Where does Clara live?")
    found = dict(kernel.complete_with_types("%hector use assistant -s "))
    assert any(about.endswith("Where\u00a0does\u00a0Clara\u00a0live?") for about in found.values())
    assert dict(kernel.complete_with_types("%hector use "))["assistant"] == "scripted\u00a0assistant.json"
    assert "ipynb" in kernel.complete("%hector export -f ")
    assert set(kernel.complete("%%hector -f ")) == {"markdown", "text", "code", "json"}
    assert kernel.complete("x = rainf") == ["rainfall"]


def test_help_is_there_for_both_kinds_of_magic(kernel: Kernel) -> None:
    for code in ("%hector?", "%%hector?"):
        cell = kernel.run(code)
        assert cell.status == "ok"
    assert "%hector rewind [TURN]" in kernel.inspect("%hector")
    assert "--append" in kernel.inspect("%%hector")
