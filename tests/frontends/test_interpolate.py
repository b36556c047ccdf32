"""Variables of the notebook are filled into prompts, and nothing else is."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hector_nb.errors import InvalidRequest
from hector_nb.frontends.interpolate import MAX_VALUE, as_text, interpolate

VARIABLES: dict[str, Any] = {
    "name": "Ada",
    "n": 3,
    "items": ["a", "b"],
    "table": {"key": "value", "a b": 2},
    "thing": SimpleNamespace(size=7, inner=SimpleNamespace(deep=[1, 2])),
}


@pytest.mark.parametrize(
    ("prompt", "filled"),
    [
        ("Hello {name}", "Hello Ada"),
        ("{n}{n}", "33"),
        ("{items[0]} {items[-1]}", "a b"),
        ("{table['key']} {table[\"a b\"]}", "value 2"),
        ("{thing.size} {thing.inner.deep[1]}", "7 2"),
        ("{items}", "['a', 'b']"),
    ],
)
def test_variables_are_filled_in(prompt: str, filled: str) -> None:
    assert interpolate(prompt, VARIABLES) == filled


@pytest.mark.parametrize(
    "prompt",
    [
        "{unknown} {} { name } {name",
        '{"name": 1, "n": {"a": 2}}',
        "{n for n in x} {n + 1} {n()} {name!r} {name:>10} {n,}",
        "{{name}} ${name} \\{name}",
        "function f() { return name; }",
        "{thing.__class__} {thing._private} {__import__('os')}",
        "{items[n]} {items[0:1]}",
        "f'{x.y}' {0} {1.real}",
    ],
)
def test_all_other_braces_arrive_as_typed(prompt: str) -> None:
    assert interpolate(prompt, VARIABLES) == prompt


@given(st.text(alphabet="{}[]().abc\"'0 $\\\n", max_size=60))
def test_text_without_known_variables_never_changes(prompt: str) -> None:
    assert interpolate(prompt, {}) == prompt


@given(st.recursive(st.integers() | st.text(max_size=5), lambda inner: st.dictionaries(st.text(max_size=5), inner)))
def test_json_never_changes(value: object) -> None:
    assert interpolate(json.dumps({"name": value}), VARIABLES) == json.dumps({"name": value})


@pytest.mark.parametrize("prompt", ["{thing.sise}", "{items[9]}", "{table['no']}", "{n.real.imag[0]}"])
def test_what_is_not_there_is_an_error(prompt: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be filled in") as caught:
        interpolate(prompt, VARIABLES)
    assert "--raw" in str(caught.value.hint)


@pytest.mark.parametrize(
    "prompt",
    [
        "{api_key}",
        "{API_KEY}",
        "{password}",
        "{thing.secret}",
        "{table['auth_token']}",
        "{openaiApiKey}",
        "{os.environ}",
    ],
)
def test_secrets_are_refused(prompt: str) -> None:
    variables = dict.fromkeys(["api_key", "API_KEY", "password", "thing", "table", "openaiApiKey", "os"], object())
    with pytest.raises(InvalidRequest, match="secret"):
        interpolate(prompt, variables)


def test_names_that_only_sound_like_secrets_are_not_refused() -> None:
    variables = {"tokens": 1, "max_tokens": 2, "sort_key": 3, "keyboard": 4, "monkey": 5, "key": 6}
    assert interpolate("{tokens}{max_tokens}{sort_key}{keyboard}{monkey}{key}", variables) == "123456"


def test_long_values_are_cut_and_say_so() -> None:
    filled = interpolate("{text}", {"text": "x" * 100_000})
    assert len(filled) < MAX_VALUE + 50
    assert "100,000 characters" in filled


def test_values_of_several_lines_are_fenced() -> None:
    class Lines:
        def __repr__(self) -> str:
            return "a\n```\nb"

    assert interpolate("See {lines}.", {"lines": Lines()}) == "See \n````\na\n```\nb\n````\n."


def test_an_object_may_say_how_models_see_it() -> None:
    class Known:
        def _repr_llm_(self) -> str:
            return "known"

    class Draft:
        def _ai_repr_(self) -> str:
            return "draft"

    class Anything:
        def __getattr__(self, name: str) -> Any:
            return lambda: "wrong"

        def __repr__(self) -> str:
            return "anything"

    assert interpolate("{a} {b} {c}", {"a": Known(), "b": Draft(), "c": Anything()}) == "known draft anything"


class Frame:
    """Quacks like a data frame."""

    def __init__(self, rows: int, columns: int = 2) -> None:
        self.shape = (rows, columns)
        self.columns = [f"column{i}" for i in range(columns)]
        self.dtypes = ["int64"] * columns

    def head(self, count: int) -> "Frame":
        return Frame(min(count, self.shape[0]), self.shape[1])

    def to_string(self) -> str:
        return "\n".join("0 1" for _ in range(self.shape[0]))

    def __repr__(self) -> str:
        raise AssertionError("the whole frame is never shown")


def test_a_data_frame_is_its_shape_its_columns_and_its_first_rows() -> None:
    filled = interpolate("{df}", {"df": Frame(1_000_000)})
    assert "Frame, 1,000,000 × 2" in filled
    assert "column0 (int64), column1 (int64)" in filled
    assert filled.count("0 1") == 5


def test_a_wide_data_frame_stays_within_the_budget() -> None:
    assert len(interpolate("{df}", {"df": Frame(10, 5000)})) < MAX_VALUE + 100


class Described:
    def __init__(self, **methods: object) -> None:
        self.methods = methods

    def _repr_markdown_(self) -> object:
        return self.methods["markdown"]

    def __repr__(self) -> str:
        return "plain"


def test_what_describes_itself_as_markdown_is_sent_so() -> None:
    assert as_text(Described(markdown="**rich**")) == "**rich**"
    assert as_text(Described(markdown=("**rich**", {}))) == "**rich**"
    assert as_text(Described(markdown=None)) == "plain"


def test_a_description_that_fails_is_not_missed() -> None:
    assert as_text(Described()) == "plain"


def test_what_is_meant_for_models_comes_before_all_else() -> None:
    class ForModels(Described):
        def _ai_repr_(self) -> str:
            return "for models"

    assert as_text(ForModels(markdown="**rich**")) == "for models"


def test_long_lists_and_dictionaries_are_cut_before_they_are_written() -> None:
    text = as_text({number: list(range(10)) for number in range(1_000_000)})
    assert len(text) < 5000
    assert "0: [0, 1, 2" in text
    assert as_text([1, 2]) == "[1, 2]"
