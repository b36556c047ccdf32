"""What some provider or other insists on in a request, and what harms none of them."""

import re
from collections.abc import Mapping
from typing import Any

NO_OUTPUT = "(no output)"
"""In place of a tool's empty result."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


def object_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's parameters: `type` and `properties` are there also where the tool has none."""
    return {"type": "object", "properties": {}, **schema}


def tool_name(name: str) -> str:
    """The name of a tool that was called; models make up names that their own providers refuse to see again."""
    return _NOT_IN_NAMES.sub("_", name)[:64] or "unnamed"
