"""The JSON Schema of `hector.yaml`, for editors and other programs. `schema.json_schema()` is the way in.

Pydantic derives it from `schema.py`. Added here: what each key means (its docstring), that any value may be `${VAR}`, and that a
block or list may be left empty.
"""

import ast
import inspect
from typing import Any

from hector_nb.config import schema

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {
    "type": "string",
    "title": "Variable",
    "description": "Taken from the environment: `${NAME}`, or `${NAME:-default}`.",
    "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}$",
}


def export_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    exported = schema.Config.model_json_schema()
    blocks: dict[str, Any] = exported.pop("$defs")
    meanings = _meanings()
    for name, block in {**blocks, "Config": exported}.items():
        if not block.get("required"):
            block["type"] = ["object", "null"]
        block["properties"] = {
            key: {"description": meanings[name, key], **_with_variable(_plain(value))}
            for key, value in block["properties"].items()
        }
    return {
        "$schema": _DIALECT,
        **exported,
        "title": "hector.yaml",
        "description": "Agents, their models, tools and memory, and how they are served.",
        "$defs": {**blocks, "Variable": _VARIABLE},
    }


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """Without titles that only repeat the key; a named thing refuses names that do not fit."""
    value = {key: part for key, part in value.items() if key != "title"}
    if "patternProperties" in value:
        value["additionalProperties"] = False
    if value.get("type") in {"object", "array"}:
        value["type"] = [value["type"], "null"]
    return value


def _with_variable(value: dict[str, Any]) -> dict[str, Any]:
    """Where a number, a truth value or a known word is wanted, `${VAR}` may stand instead."""
    kinds = value.get("anyOf", [value])
    typed = ("integer", "number", "boolean")
    if not any(kind.keys() & {"enum", "pattern"} or kind.get("type") in typed for kind in kinds):
        return value
    said = {key: part for key, part in value.items() if key in {"default", "description"}}
    kinds = [{key: part for key, part in kind.items() if key not in said} for kind in kinds]
    return {**said, "anyOf": [*kinds, {"$ref": "#/$defs/Variable"}]}


def _meanings() -> dict[tuple[str, str], str]:
    """The docstring of each key, by block and key."""
    found: dict[tuple[str, str], str] = {}
    for block in ast.parse(inspect.getsource(schema)).body:
        if isinstance(block, ast.ClassDef):
            for key, text in zip(block.body, block.body[1:], strict=False):
                if isinstance(key, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(key.target, ast.Name):
                    found[block.name, key.target.id] = inspect.cleandoc(ast.literal_eval(text.value))
    return found
