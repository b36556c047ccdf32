"""A function's signature, hints and docstring become what a model is told of it."""

import enum
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from hector_nb.tools.base import ToolError
from hector_nb.tools.signature import Signature


class Point(BaseModel):
    x: int
    neighbours: "list[Point]" = []


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Options(TypedDict, total=False):
    bold: bool


@dataclass
class Size:
    width: float
    height: float


def properties(function: Any) -> dict[str, Any]:
    return dict(Signature(function).parameters["properties"])


def test_types_become_a_schema() -> None:
    def plot(title: str, points: int, scale: float = 1.0, style: Literal["dots", "lines"] = "dots") -> None: ...

    assert Signature(plot).parameters == {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "points": {"type": "integer"},
            "scale": {"type": "number", "default": 1.0},
            "style": {"type": "string", "enum": ["dots", "lines"], "default": "dots"},
        },
        "required": ["title", "points"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "docstring",
    [
        "Find it.\n\nSlowly.\n\nArgs:\n    what: The thing.\n\nReturns:\n    str: Its place.",
        "Find it.\n\nSlowly.\n\nParameters\n----------\nwhat : str\n    The thing.\n\nReturns\n-------\nstr\n    Its place.",
        "Find it.\n\nSlowly.\n\n:param what: The thing.\n:returns: Its place.",
    ],
    ids=["google", "numpy", "sphinx"],
)
def test_the_docstring_tells_what_it_does_and_what_the_parameters_mean(docstring: str) -> None:
    def find(what: str) -> str:
        return what

    find.__doc__ = docstring
    signature = Signature(find)
    assert signature.description == "Find it.\n\nSlowly."
    assert signature.parameters["properties"]["what"]["description"] == "The thing."


def test_a_function_without_hints_or_docstring_takes_any_json() -> None:
    def free(one, two=None): ...  # type: ignore[no-untyped-def]

    signature = Signature(free)
    assert signature.description == ""
    assert signature.parameters["properties"] == {"one": {}, "two": {"default": None}}
    assert signature.bind({"one": {"a": [1]}}).args == ({"a": [1]},)


def test_a_description_in_the_hint_wins() -> None:
    def take(count: Annotated[int, Field(ge=1, description="How many.")]) -> None:
        """Take.

        Args:
            count: Something else.
        """

    assert properties(take) == {"count": {"type": "integer", "minimum": 1, "description": "How many."}}


def test_models_dataclasses_and_enums_arrive_as_themselves() -> None:
    def draw(at: Point, size: Size, colour: Colour, options: Options, day: date, file: Path) -> None: ...

    bound = Signature(draw).bind(
        {
            "at": {"x": 1, "neighbours": [{"x": 2}]},
            "size": {"width": 1, "height": 2},
            "colour": "blue",
            "options": {"bold": True},
            "day": "2026-01-31",
            "file": "a/b.txt",
        }
    )
    assert bound.args == (
        Point(x=1, neighbours=[Point(x=2)]),
        Size(1.0, 2.0),
        Colour.BLUE,
        {"bold": True},
        date(2026, 1, 31),
        Path("a/b.txt"),
    )


def test_nested_types_of_two_parameters_do_not_mix() -> None:
    def draw(start: Point, end: Point) -> None: ...

    schema = Signature(draw).parameters
    assert schema["properties"]["start"]["$ref"] == "#/$defs/start_Point"
    assert set(schema["$defs"]) == {"start_Point", "end_Point"}


def test_names_that_libraries_like_to_keep_for_themselves_are_fine() -> None:
    def take(schema: int, model_config: str, _hidden: bool = False, self: int = 0) -> None: ...

    assert list(properties(take)) == ["schema", "model_config", "_hidden", "self"]
    assert Signature(take).bind({"schema": 1, "model_config": "a", "_hidden": True}).arguments == {
        "schema": 1,
        "model_config": "a",
        "_hidden": True,
    }


def test_positional_and_keyword_only_parameters_are_called_as_they_must_be() -> None:
    def call(first: int, second: int = 2, /, third: int = 3, *, fourth: int = 4) -> tuple[int, ...]:
        return first, second, third, fourth

    signature = Signature(call)
    assert call(*signature.bind({"first": 1, "third": 30}).args) == (1, 2, 30, 4)
    bound = signature.bind({"first": 1, "fourth": 40})
    assert call(*bound.args, **bound.kwargs) == (1, 2, 3, 40)
    with pytest.raises(ToolError, match="first: this argument is missing"):
        signature.bind({"second": 1})


def test_gathering_parameters_are_left_out() -> None:
    def gather(one: int, *rest: int, **more: int) -> None: ...

    assert list(properties(gather)) == ["one"]


def test_a_type_without_a_json_form_needs_a_default() -> None:
    def ask(connection: sqlite3.Connection) -> None: ...

    def ask_or_not(what: str, connection: sqlite3.Connection | None = None) -> None: ...

    with pytest.raises(TypeError, match=r"no JSON value is a sqlite3.Connection \(parameter 'connection'\)"):
        Signature(ask)
    assert list(properties(ask_or_not)) == ["what"]


def test_a_default_that_is_no_json_is_not_told() -> None:
    def take(what: Any = object()) -> None: ...  # noqa: B008

    assert Signature(take).parameters == {"type": "object", "properties": {"what": {}}, "additionalProperties": False}


def test_none_is_accepted_where_it_is_the_default() -> None:
    def take(count: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013 -- many write it so

    assert Signature(take).bind({"count": None}).arguments == {"count": None}


def test_an_unknown_hint_is_named() -> None:
    def take(what: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(TypeError, match="type hint of take is not known: name 'Nowhere'"):
        Signature(take)


def test_a_generator_is_no_tool() -> None:
    def count() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="returns them, for example as a list"):
        Signature(count)


def test_every_misfit_is_told_at_once() -> None:
    def take(count: int, points: list[Point]) -> None: ...

    with pytest.raises(ToolError) as failed:
        Signature(take).bind({"count": "many", "points": [{"x": "here"}], "colour": "red"})
    text = str(failed.value)
    assert "count: Input should be a valid integer" in text
    assert "points.0.x: Input should be a valid integer" in text
    assert "colour: there is no such parameter" in text
