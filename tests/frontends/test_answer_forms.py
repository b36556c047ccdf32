"""Code and JSON in what a model has written."""

import pytest

from hector_nb.errors import InvalidRequest
from hector_nb.frontends.answer_forms import CodeBlock, code_blocks, code_of, json_markdown, json_of


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("Do\n```python\nx = 1\n```\nand\n```py\ny = 2\n```", "x = 1\n\ny = 2"),
        ("```\nx = 1\n```", "x = 1"),
        ("~~~~Python\nprint('```')\n~~~~", "print('```')"),
        ("1. first\n   ```python\n   if x:\n       y\n   ```", "if x:\n    y"),
        ("```bash\nls\n```", "%%bash\nls"),
        ("```bash\npip list\n```\n```python\nx = 1\n```", "x = 1"),
        ("```sql\nSELECT 1\n```", "SELECT 1"),
        ("```python\nx = 1  # cut off", "x = 1  # cut off"),
        ("x = 1\nprint(x)", "x = 1\nprint(x)"),
        ("There is none.", None),
        ("Yes", None),
        ("```python\n\n```", None),
        ("", None),
    ],
)
def test_the_code_of_an_answer(answer: str, code: str | None) -> None:
    assert code_of(answer) == code


def test_code_reads_as_it_runs() -> None:
    assert code_of("```python\nx = 1  # \u202e}\u2066\x1b[31m\n```") == "x = 1  # }[31m"


def test_blocks_know_their_language() -> None:
    assert code_blocks("```JSON title=x\n{}\n```") == [CodeBlock("json", "{}")]


@pytest.mark.parametrize("answer", ['{"a": [1]}', '```json\n{"a": [1]}\n```', 'Here:\n\n```\n{"a": [1]}\n```\nDone.'])
def test_json_is_found_bare_or_in_a_block(answer: str) -> None:
    assert json_of(answer) == {"a": [1]}


@pytest.mark.parametrize("answer", ["", "None", "```python\n1\n```", "{'a': 1}", '{"a": 1} and more'])
def test_what_is_no_json_is_refused(answer: str) -> None:
    with pytest.raises(InvalidRequest, match="not JSON"):
        json_of(answer)


def test_laid_out_json_stays_in_its_block() -> None:
    written = json_markdown({"a": "```\n<b>", "b": "é"})
    assert written.startswith("````json\n")
    assert json_of(written) == {"a": "```\n<b>", "b": "é"}
