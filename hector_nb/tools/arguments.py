"""The arguments of a call, held against the tool's JSON Schema."""

from collections.abc import Mapping
from typing import Any

import referencing
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import validator_for

from hector_nb.config.wording import did_you_mean

_AT_MOST = 5
_LONGEST = 300


def problems(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    """What is wrong with the arguments, in words; at most five problems. References to other documents are never fetched.

    Raises:
        Exception: the schema itself is broken; the validator has many ways to say so.
    """
    validator = validator_for(schema, default=Draft202012Validator)(schema, registry=referencing.Registry())
    found = sorted(validator.iter_errors(dict(arguments)), key=lambda error: list(map(str, error.absolute_path)))
    return [_shown(error) for error in found[:_AT_MOST]]


def _shown(error: ValidationError) -> str:
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "enum" and isinstance(error.instance, str):
        known = [each for each in error.validator_value if isinstance(each, str)]
        near = did_you_mean(error.instance[:_LONGEST], known, what="values")
        return f"{place}: {error.instance[:_LONGEST]!r} is not one of those that there are{near}"
    message = error.message if len(error.message) <= _LONGEST else error.message[:_LONGEST] + "…"
    return f"{place}: {message}" if place else message
