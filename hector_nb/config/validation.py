"""A document against the schema and against `checks.py`, so that every problem of a file is found in one go.

What is wrong is taken out, and the rest is validated again: one bad value does not hide the others.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hector_nb.config.checks import check
from hector_nb.config.document import Document, Finding
from hector_nb.config.outline import KeyPath, empty_at, value_at
from hector_nb.config.schema import Config
from hector_nb.config.syntax import plain_value
from hector_nb.config.wording import explain

ENOUGH = 100
"""Findings after which the rest of the file need not be looked at."""


def validate(document: Document) -> tuple[Config, list[Finding]]:
    """The configuration, and what is wrong with it; only without findings is it the whole file."""
    _fill_empty(document)
    names = {key: _names(document.data, key) for key in ("llms", "tools")}
    failed = set(document.broken)
    findings = list(document.findings)
    while errors := _errors(document.data):
        if _retyped(errors, document):
            continue
        findings += _taken_out(errors, document, failed)
        if len(findings) > ENOUGH:
            return Config(), findings
    config = Config.model_validate(document.data)
    for finding in islice(check(config, document, llms=names["llms"], tools=names["tools"]), ENOUGH + 1):
        if not any(
            path[:length] in failed for path in (finding.path, *finding.unless) for length in range(len(path) + 1)
        ):
            findings.append(finding)
    return config, findings


def _errors(data: Any) -> list[ErrorDetails]:
    try:
        Config.model_validate(data)
    except ValidationError as error:
        return error.errors(include_url=False, include_input=False)
    return []


def _fill_empty(document: Document) -> None:
    """`memory:` with nothing after it is an empty block, `tools:` an empty list."""
    for path, place in document.places.items():
        if place.empty and (empty := empty_at(path)) is not None:
            _put(document.data, path, empty)


def _retyped(errors: list[ErrorDetails], document: Document) -> bool:
    """Give variables that stand alone the type that the schema wants: `port: ${PORT}`. Whether there were any."""
    found = False
    for path in {_path(error, document.data) for error in errors}:
        place, value = document.places.get(path), value_at(document.data, path)
        if place and place.plain and isinstance(value, str):
            typed = plain_value(value)
            if not isinstance(typed, str):
                _put(document.data, path, typed)
                found = True
    return found


def _taken_out(errors: list[ErrorDetails], document: Document, failed: set[KeyPath]) -> list[Finding]:
    """The findings of one validation; their values are removed from the data and added to `failed`."""
    found: dict[KeyPath, Finding] = {}
    for error in errors[: ENOUGH + 1]:
        path = _path(error, document.data)
        if path not in failed and path not in found:
            on_key = error["type"] == "extra_forbidden" or error["loc"][-1] == "[key]"
            found[path] = Finding(path=path, message=explain(error, path, document), on_key=on_key)
    for path, missing in {(_path(error, document.data), error["type"] == "missing") for error in errors}:
        _remove(document.data, path[:-1] if missing else path)
    failed.update(found)
    return list(found.values())


def _path(error: ErrorDetails, data: Any) -> KeyPath:
    """The key path of an error, without the parts that pydantic adds for keys and unions."""
    path: KeyPath = ()
    for step in error["loc"]:
        if (isinstance(data, Mapping) and step in data) or (isinstance(data, list) and isinstance(step, int)):
            path, data = (*path, step), value_at(data, (step,))
        elif error["type"] == "missing":
            return (*path, step)
        else:
            break
    return path


def _put(data: Any, path: KeyPath, value: Any) -> None:
    holder: Any = value_at(data, path[:-1])
    if holder is not None:
        holder[path[-1]] = value


def _remove(data: Any, path: KeyPath) -> None:
    """Items of lists are emptied, so that those after them keep their places."""
    holder = value_at(data, path[:-1])
    if isinstance(holder, dict):
        holder.pop(path[-1], None)
    else:
        _put(data, path, "")


def _names(data: Any, key: str) -> list[str]:
    block = value_at(data, (key,))
    return list(block) if isinstance(block, dict) else []
