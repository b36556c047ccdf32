"""Tool calls as providers give and take them: what one or other of them insists on, and what harms none."""

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from hector_nb.messages import INVALID_ARGUMENTS

NO_OUTPUT = "(no output)"
"""In place of a tool's empty result."""
_DEEPEST = 100
"""Levels of arguments."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


def object_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's parameters: `type` and `properties` are there also where the tool has none."""
    return {"type": "object", "properties": {}, **schema}


def sendable_name(name: str) -> str:
    """The name of a tool that was called; models make up names that their own providers refuse to see again."""
    return _NOT_IN_NAMES.sub("_", name)[:64] or "unnamed"


def read_arguments(written: str, *, cut: bool = False) -> Mapping[str, Any]:
    """The arguments that a model wrote; nothing means none, and what is no JSON object is kept as it is.

    Of a call that was `cut` at the answer's limit, nothing means that they are missing.
    """
    if not written.strip():
        return {INVALID_ARGUMENTS: ""} if cut else {}
    try:
        value = json.loads(written, parse_constant=_refused, parse_float=_finite)
        _check_depth(value)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {INVALID_ARGUMENTS: written}


def _refused(name: str) -> None:
    """`NaN` and the like, which no reader of JSON but Python's takes."""
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def _check_depth(value: Any) -> None:
    """Refuse what could be read but not be written again."""
    level = [value]
    for _ in range(_DEEPEST):
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [each for values in inner for each in values]
        if not level:
            return
    raise RecursionError
