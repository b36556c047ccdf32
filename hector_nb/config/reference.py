"""Every key of `hector.yaml` as a page to read: `hector schema --format markdown`, which is `docs/configuration.md`.

It is made of `schema.py`: types and limits from the JSON Schema, defaults from the values, words from the docstrings; and of `examples.py`.
"""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from hector_nb.config import schema
from hector_nb.config.examples import EXAMPLES
from hector_nb.config.export import export_schema

_HEAD = """# Configuration

Every key of `hector.yaml`. This page is written by `hector schema --format markdown`; `hector schema` prints the same for editors, and
`hector validate` checks a file.

Durations are seconds, as a number or as `500ms`, `30s`, `1h30m`, `7d`. Any value may be `${VAR}`, or `${VAR:-default}`, from the
environment. Unknown keys are errors.
"""
_NAMED = {"llms", "agents", "tools"}


def markdown() -> str:
    """The page."""
    exported = export_schema()
    blocks = {**exported["$defs"], "Config": exported}
    return _HEAD + "".join(_sections("", schema.Config, blocks))


def _sections(path: str, block: type[BaseModel], blocks: dict[str, Any], meaning: str = "") -> Iterator[str]:
    """The keys of a block, then the blocks inside it."""
    exported = blocks[block.__name__]
    inside: list[tuple[str, type[BaseModel], str]] = []
    rows: list[str] = []
    for key, field in block.model_fields.items():
        value = exported["properties"][key]
        place = f"{path}.{key}".lstrip(".")
        if found := _block_of(field.annotation):
            if key in _NAMED and not path:
                inside.append((f"{place}.NAME", found, blocks[found.__name__]["description"]))
            else:
                inside.append((place, found, value["description"]))
            continue
        words = value["description"].replace("|", r"\|").replace("\n", " ")
        rows.append(f"| `{key}` | {_type(value)} | {_default(block, key)} | {words} |")
    if path:
        yield f"\n## {path}\n\n{meaning}\n\n```yaml\n{EXAMPLES[path]}```\n"
    if rows:
        yield "\n| key | value | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    for place, found, words in inside:
        yield from _sections(place, found, blocks, words)


def _block_of(annotation: Any) -> type[BaseModel] | None:
    """The block that a key holds, by name, alone or perhaps."""
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)


def _type(value: dict[str, Any]) -> str:
    """What may stand there, in words."""
    kinds = [kind for kind in value.get("anyOf", [value]) if "$ref" not in kind and kind.get("type") != "null"]
    if any("pattern" in kind and "ms|" in kind["pattern"] for kind in kinds):
        return "duration"
    return " · ".join(dict.fromkeys(_kind(kind) for kind in kinds))


def _kind(kind: dict[str, Any]) -> str:
    if "enum" in kind:
        return " · ".join(f"`{each}`" for each in kind["enum"])
    if "const" in kind:
        return f"`{kind['const']}`"
    types = kind.get("type")
    name = next((each for each in types if each != "null"), None) if isinstance(types, list) else types
    match name:
        case "boolean":
            return "`true` · `false`"
        case "array":
            return "list of texts"
        case "object":
            return "texts by name"
        case "string":
            return "text"
        case "integer" | "number":
            return f"{'whole ' if name == 'integer' else ''}number{_limits(kind)}"
    raise ValueError(f"There is no word for {kind}.")


def _limits(kind: dict[str, Any]) -> str:
    least, above, most = kind.get("minimum"), kind.get("exclusiveMinimum"), kind.get("maximum")
    low = f"{least:g}" if least is not None else f"above {above:g}" if above is not None else ""
    if most is None or most >= 1_000_000:
        return f" from {low}" if low and above is None else f" {low}" if low else ""
    return f", {low} to {most:g}" if low else f", at most {most:g}"


def _default(block: type[BaseModel], key: str) -> str:
    field = block.model_fields[key]
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}, ""):
        return "–"
    if _is_duration(block, key):
        return f"`{_duration(value)}`"
    return f"`{json.dumps(value)}`" if not isinstance(value, str) else f"`{value}`"


def _is_duration(block: type[BaseModel], key: str) -> bool:
    return schema.parse_duration in [getattr(each, "func", None) for each in block.model_fields[key].metadata]


def _duration(seconds: float) -> str:
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds >= length and not seconds % length:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"
