"""What a model writes is displayed and does nothing else, whichever renderer displays it."""

import re
import time

import mistune
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from hector_nb.wire.safe_markdown import SafeMarkdown, neutralise, safe_html
from tests.frontends.hostile_markdown import HOSTILE

HARMLESS_TAG = re.compile(r"</?(?:code|br|sub|sup|span)[ \t]*/?>", re.IGNORECASE)
HARMLESS_LINK = re.compile(r"(?:https?://|mailto:|#|www\.)", re.IGNORECASE)
FRAGMENTS = st.sampled_from(
    [
        *(
            "`",
            "``",
            "```",
            "````",
            "~~~",
            "\n",
            "\n\n",
            " ",
            "    ",
            "\t",
            "- ",
            "1. ",
            "> ",
            "# ",
            "|",
            "\\",
            "$",
            "$$",
        ),
        *("<img src=x onerror=y>", "<", ">", "&", "&lt;", "&#92;", "&#36;", "<br>", "<sub>", "<b>", "<!--", "-->"),
        *("[", "]", "(", ")", "](", "]:", "![", "!", "@@0@@", '"', "'", "a", "é", "\r", "\r\n", "\u2028", "\ud800"),
        *("javascript:x", "https://a.b/c", "https://a.b/$", "www.a.b", "\\href", "\\(", "\\)", "\\[", "\\]", "{", "}"),
        *(
            "[a](javascript:x)",
            "![a](https://a.b)",
            "[a]: javascript:x",
            "```html",
            "| a |\n|---|\n",
            "\u202e",
            "\x1b[1m",
        ),
    ]
)
MARKDOWN = st.lists(FRAGMENTS, max_size=40).map("".join)


def tokens(markdown: str) -> list[Token]:
    """Every token that another renderer makes of it, with HTML and tables on."""
    found = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    return found + [child for token in found for child in token.children or ()]


def assert_harmless(safe: str) -> None:
    for token in tokens(safe):
        if token.type in ("html_block", "html_inline"):
            assert "<" not in re.sub(r"<(?=[\s\d=-])", "", HARMLESS_TAG.sub("", token.content)), token.content
        assert token.type != "image", safe
        if token.type == "link_open":
            assert HARMLESS_LINK.match(str(token.attrs["href"])), safe
    html = str(mistune.create_markdown(escape=False, plugins=["table", "url", "math"])(safe))
    for tag in re.findall(r"<[a-z][^>]*>", html, re.IGNORECASE):
        assert not re.match(r"<(?:img|script|iframe|style|link|object|embed|svg|video|details|b|x)\b", tag), safe
        assert not re.search(r"\son\w+=", re.sub(r'"[^"]*"', "", tag)), safe
        if href := re.search(r'href="([^"]*)"', tag):
            assert HARMLESS_LINK.match(href[1]), safe


@pytest.mark.parametrize("markdown", HOSTILE)
def test_hostile_markdown_is_harmless(markdown: str) -> None:
    assert_harmless(neutralise(markdown))


@pytest.mark.parametrize("markdown", HOSTILE)
def test_hostile_markdown_is_harmless_at_every_moment_of_the_stream(markdown: str) -> None:
    safe = SafeMarkdown()
    for character in markdown:
        safe.feed(character)
        assert_harmless(safe.text())


@given(MARKDOWN)
@settings(deadline=None, max_examples=300)
def test_any_markdown_is_harmless(markdown: str) -> None:
    assert_harmless(neutralise(markdown))


@given(MARKDOWN, st.integers(1, 9))
@settings(deadline=None, max_examples=200)
def test_how_the_text_is_cut_into_pieces_makes_no_difference(markdown: str, size: int) -> None:
    safe = SafeMarkdown()
    for start in range(0, len(markdown), size):
        safe.feed(markdown[start : start + size])
        safe.text()
    assert safe.text() == neutralise(markdown)


@pytest.mark.parametrize(
    "markdown",
    [
        "Plain text, 3 < 5, a <- b, x & y, *emphasis*, **strong**, ~~gone~~ and `code`.",
        "# Heading\n\n- one\n- two\n  - three\n\n1. first\n2. second\n\n> quoted\n\n---",
        "[docs](https://docs.python.org/3/library/re.html#module-re) and [a](https://en.wikipedia.org/wiki/A_(b)?c=d&e=f)",
        "[mail](mailto:ada@example.org) [below](#below) https://example.org/a_b?c=d",
        "[ref][1]\n\n[1]: https://example.org/x",
        "Line<br>break, H<sub>2</sub>O, x<sup>2</sup>",
        "| a | b |\n|---|---|\n| `x` | y |",
        "$a + b$ and $$\\sum_{i=1}^n i$$ and $\\frac{a}{b}$",
        "```python\nprint('<b>', \"$x\", x[0](1))\n```",
        "````markdown\n```python\nx\n```\n````",
        "1. Do this:\n   ```bash\n   pip install x\n   ```\n2. Done",
        "    indented code\n      stays",
        "&lt;b&gt; &amp; &copy; &nbsp; é 日本 👩‍👩‍👧",
        "It costs $5",
    ],
)
def test_ordinary_markdown_stays_as_it_is(markdown: str) -> None:
    assert neutralise(markdown).replace("&#36;", "$") == markdown


@pytest.mark.parametrize(
    ("markdown", "safe"),
    [
        ("<b>x</b>", "&lt;b>x&lt;/b>"),
        ("`List[int]: <b>`", "<code>List&#x5b;int&#x5d;&#x3a; &#x3c;b&#x3e;</code>"),
        ("![a cat](https://example.org/cat.png)", "[a cat](https://example.org/cat.png)"),
        ("![](https://example.org/cat.png)", "[image](https://example.org/cat.png)"),
        ("[a](javascript:x)", "[a]\\(javascript:x)"),
        ("[a](./notes.md)", "[a]\\(./notes.md)"),
        ("[a]: data:x", "[a]\\: data:x"),
        ("<https://example.org>", "[https://example.org](https://example.org)"),
        ("$a<b$ and $x<y>z$", "$a\\lt b$ and $x\\lt y>z$"),
        ("\\(x^2\\) and\n\\[ y \\]", "$x^2$ and\n$$y$$"),
        ("$5 and $10", "<span>&#36;</span>5 and <span>&#36;</span>10"),
        ("$\\href{javascript:x}{y}$", "$href{javascript:x}{y}$"),
        ("```\nopen", "```text\nopen\n```"),
        ("    <b>", "```text\n<b>\n```"),
        ("- a\n  ```html\n  <b>\n  ```\n  more\n- b", "- a\n\n```html\n<b>\n```\n\nmore\n\n- b"),
        ("a\x00b\x1b[31mc\u202ed\r\ne\ud800", "ab[31mcd\ne\ufffd"),
    ],
)
def test_what_could_do_something_is_written_so_that_it_cannot(markdown: str, safe: str) -> None:
    assert neutralise(markdown) == safe


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "`",
            "`` ` ",
            "![",
            "](",
            "]:",
            "$a ",
            "$a$ ",
            "$$ ",
            "\\(",
            "\\[",
            "\\",
            "\\href",
            "<",
            "&#",
            "&a",
            "@@",
            '[a](https://b "',
        ),
        *(
            "https://a",
            "www.$",
            "- ",
            "> ",
            "1. ",
            "```\n",
            "~~~a\n",
            "    <b\n\n",
            "a\n\n",
            "$a://",
            "`a`",
            "![aaaaaaaaaaaaaaaa",
            "\r",
        ),
    ],
)
def test_time_grows_with_length_only(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    started = time.process_time()
    neutralise(text)
    assert time.process_time() - started < 5


def test_html_shows_tex_and_tags_as_text() -> None:
    assert safe_html("<b> $x$ \\(y\\)") == "&lt;b&gt; <span>$</span>x<span>$</span> <span>\\</span>(y<span>\\</span>)"
