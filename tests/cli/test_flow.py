"""An answer that comes in pieces looks the same as one that comes at once."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hector_nb.frontends.cli.console import THEME
from hector_nb.frontends.cli.flow import MarkdownFlow, ThinkingFlow

ANSWER = """\
# Title

Some *text* with `code`, <b>html</b>, a [link](http://x.example/y)
and ![a picture](http://x.example/p.png).

9. one
2. two that is long enough to wrap around because it goes on and on
   - nested

     deeper
3. three

---

```python
def f():
    '''doc
    string'''

    return 1


print(f())
```

| name | number |
|------|-------:|
| a    |      1 |

> quote
> more
- x

- y

      code in an item
* z

    indented code

    more of it

Last [words]

[words]: http://x.example/words
"""
BITS = st.sampled_from(
    [
        *(
            "# h",
            "text",
            "*em*",
            "`c`",
            "**b",
            "```",
            "```py",
            "~~~",
            "- a",
            "* b",
            "1. c",
            "7) d",
            "  - e",
            "> q",
            "| a | b |",
            "|---|--:|",
        ),
        *(
            "---",
            "===",
            "    code",
            "\t",
            " ",
            "<div>",
            "[a](b)",
            "[r]: http://x",
            "![i](j)",
            "\\",
            "&amp;",
            "é漢👩‍👧",
            "\n",
            "\n",
            "\n\n",
        ),
    ]
)


def draw(pieces, flow=None, width=60):
    flow = flow or MarkdownFlow()
    console = Console(
        file=io.StringIO(), width=width, theme=THEME, color_system=None, highlight=False, markup=False, emoji=False
    )
    for piece in pieces:
        flow.feed(piece)
        for part in flow.settle():
            console.print(part)
        Console(file=io.StringIO(), width=width, theme=THEME).print(flow.tail())
    for part in flow.settle(final=True):
        console.print(part)
    return console.file.getvalue()


def without_references(text):
    return text.replace("[words]: http://x.example/words\n", "")


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_pieces_of_any_size_give_the_same_as_the_whole(size):
    answer = without_references(ANSWER)
    assert draw([answer[i : i + size] for i in range(0, len(answer), size)]) == draw([answer])


def test_every_block_is_drawn_as_people_expect():
    drawn = draw([ANSWER])
    assert (
        "Title\n\nSome text with code, <b>html</b>, a link\n(http://x.example/y) and a picture (http://x.example/p.png).\n"
        in drawn
    )
    assert " 9. one\n10. two that is long" in drawn
    assert "  def f():\n      '''doc\n      string'''\n\n      return 1\n\n\n  print(f())\n\n" in drawn
    assert " • x\n • y\n" in drawn
    assert "Last words (http://x.example/words)" in drawn


def test_lines_do_not_end_in_spaces():
    assert not [line for line in draw([ANSWER]).splitlines() if line != line.rstrip()]


def test_list_items_and_lines_of_code_settle_before_their_block_ends():
    flow = MarkdownFlow()
    flow.feed("1. one\n2. two\n3. three\n")
    assert len(list(flow.settle())) == 1
    assert draw(["4. four"], flow) == " 3. three\n 4. four\n"
    flow = MarkdownFlow()
    flow.feed("```\none\ntwo\nth")
    assert len(list(flow.settle())) == 1
    assert draw(["ree\n```"], flow) == "  three\n"


@given(st.lists(BITS, max_size=25))
def test_no_markdown_breaks_the_drawing_and_no_cut_changes_it(bits):
    assert draw(bits) == draw(["".join(bits)])


@given(st.text())
def test_no_text_breaks_the_drawing(text):
    draw([text])


def test_a_link_whose_target_came_before_is_resolved():
    assert draw(["[r]: http://x", ".example\n\nA", "\n\n[r]", "\n"]) == "A\n\nr (http://x.example)\n"


def test_reasoning_settles_by_lines():
    flow = ThinkingFlow()
    assert draw(["first ", "line\nsec", "ond\n\n", "third\n"], flow) == "first line\nsecond\n\nthird\n"
