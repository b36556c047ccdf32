"""What bash calls words, when a line is completed."""

import pytest

from hector_nb.frontends.cli.completion import join_words


@pytest.mark.parametrize(
    ("words", "cursor", "joined", "joined_cursor"),
    [
        (
            "hector --server http : //127.0.0.1 : 8080 sessions show ",
            "9",
            "hector --server http://127.0.0.1:8080 sessions show ",
            "5",
        ),
        (
            "hector call --server https : //hub.example/hector a",
            "6",
            "hector call --server https://hub.example/hector a",
            "4",
        ),
        ("hector sessions show se", "3", "hector sessions show se", "3"),
    ],
)
def test_an_address_is_one_word(words: str, cursor: str, joined: str, joined_cursor: str) -> None:
    assert join_words({"COMP_WORDS": words, "COMP_CWORD": cursor}) == {
        "COMP_WORDS": joined,
        "COMP_CWORD": joined_cursor,
    }


def test_a_cursor_that_is_no_number_is_left_alone() -> None:
    assert join_words({"COMP_WORDS": "hector"}) == {}
