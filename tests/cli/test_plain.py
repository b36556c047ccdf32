"""Model text is made safe for terminals, however it is cut into pieces."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hector_nb.frontends.render import PlainText, plain, plain_line

FRAGMENTS = st.one_of(
    st.text(max_size=8),
    st.text(alphabet="\x1b\x9b\x9d\x07\x9c\\[]P0;m\n a", max_size=12),
    st.sampled_from(
        ["\x1b[31m", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x1b[2J", "\u202e", "\x1b", "\r\n", "\ud800"]
    ),
)
HOSTILE = st.lists(FRAGMENTS, max_size=12)


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;c2VjcmV0\x07clipboard", "clipboard"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1bPdevice\x1b\\control", "control"),
        ("\x1b(0charset\x1bc", "charset"),
        ("over\rwritten\b\b\x7f", "overwritten"),
        ("one\r\ntwo\tthree\n", "one\ntwo\tthree\n"),
        ("user\u202etxt.exe\u2066", "usertxt.exe"),
        ("half a \ud83d surrogate", "half a \ufffd surrogate"),
        ("👩‍👩‍👧 é שלום", "👩‍👩‍👧 é שלום"),
    ],
)
def test_what_controls_a_terminal_is_taken_out_and_the_rest_stays(hostile, safe):
    assert plain(hostile) == safe


def test_a_sequence_without_its_end_hides_no_more_than_its_line_start():
    assert plain("\x1b]0;never ended\nthe answer") == "0;never ended\nthe answer"
    assert plain("\x1b]" + "x" * 5000).endswith("x" * 5000)


@given(HOSTILE)
def test_pieces_give_the_same_as_the_whole(pieces):
    stream = PlainText()
    shown = "".join([*map(stream.feed, pieces), stream.close()])
    assert shown == plain("".join(pieces))


@given(HOSTILE)
def test_no_control_character_is_left(pieces):
    left = {c for c in plain("".join(pieces)) if unicodedata.category(c) in {"Cc", "Cs"}}
    assert left <= {"\n", "\t"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Cf"])))
def test_harmless_text_is_not_touched(text):
    assert plain(text) == text
    stream = PlainText()
    assert stream.feed(text) == text


def test_a_title_is_one_line():
    assert plain_line("a\n\tb\x1b[1m  c") == "a b c"
