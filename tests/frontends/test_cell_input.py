"""`%hector` lines reach the magic as they were typed."""

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from hector_nb.frontends.cell_input import PlainHectorLines


@pytest.fixture
def transform() -> TransformerManager:
    manager = TransformerManager()
    manager.cleanup_transforms.append(PlainHectorLines())
    return manager


def call(prompt: str) -> str:
    return f"get_ipython().run_line_magic('hector', {prompt!r})\n"


@pytest.mark.parametrize(
    "prompt",
    [
        "what is this?",
        "really??",
        "what's up",
        "what's up?",
        'say "hello',
        "smile :(",
        'a """ b',
        "{x} costs $5 and ${HOME}",
        "# not a comment",
        "-- agents?",
        "?? why",
        "what is df.head()?",
    ],
)
def test_the_prompt_arrives_as_typed(transform: TransformerManager, prompt: str) -> None:
    assert transform.transform_cell(f"%hector {prompt}") == call(prompt)
    assert transform.transform_cell(f"reply = %hector {prompt}\nx = 1") == f"reply = {call(prompt)}x = 1\n"


def test_an_indented_line_keeps_its_place(transform: TransformerManager) -> None:
    assert transform.transform_cell("if x:\n    %hector why?\n") == f"if x:\n    {call('why?')}"


@pytest.mark.parametrize("line", ["%hector?", "%hector??", "?%hector"])
def test_help_stays_help(transform: TransformerManager, line: str) -> None:
    assert "pinfo" in transform.transform_cell(line)


@pytest.mark.parametrize(
    "cell",
    [
        "%%hector\n%hector what?\n",
        "%%writefile x.txt\n%hector what?\n",
        'text = """\n%hector what?\n"""\n',
        "text = '''a\n%hector what?\n'''\n",
        "text = 'a\\\n%hector what?'\n",
    ],
)
def test_other_cells_and_open_strings_are_left_alone(cell: str) -> None:
    lines = cell.splitlines(keepends=True)
    assert PlainHectorLines()(lines) == lines


def test_strings_that_are_closed_do_not_hide_a_line(transform: TransformerManager) -> None:
    cell = "a = \"it's\"  # don't\nb = '''x'''\nc = 'a\\'b'\n%hector what?"
    assert transform.transform_cell(cell).endswith(call("what?"))


def test_a_line_that_is_the_whole_cell_is_complete(transform: TransformerManager) -> None:
    assert transform.check_complete("%hector smile :(")[0] == "complete"
