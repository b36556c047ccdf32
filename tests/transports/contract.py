"""Whether what the server answers is what the OpenAPI document says."""

import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from hector_nb.wire.openapi import document

URI = "urn:hector"
REGISTRY: Registry[Any] = Registry().with_resource(URI, DRAFT202012.create_resource(document()))
VERBS = ("get", "post", "put", "patch", "delete")
TEMPLATES = [
    (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path)
    for path in sorted(document()["paths"], key=lambda path: path.count("{"))
]


def operation_of(verb: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """The documented operation that a request is for, and where it stands in the document."""
    for pattern, template in TEMPLATES:
        operation = document()["paths"][template].get(verb.lower())
        if operation is not None and pattern.fullmatch(path):
            return f"#/paths/{template.replace('~', '~0').replace('/', '~1')}/{verb.lower()}", operation
    return None


@cache
def validator(pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": URI + pointer}, registry=REGISTRY, format_checker=FormatChecker())


def check(verb: str, path: str, status: int, content_type: str | None, body: Any) -> None:
    """Compare an answer with the document; nothing is said of paths that it does not have."""
    found = operation_of(verb, path)
    if found is None or status == 405:
        return
    pointer, operation = found
    key = str(status) if str(status) in operation["responses"] else f"{status // 100}XX"
    assert key in operation["responses"], f"{verb} {path} answered {status}, which is not documented"
    response = operation["responses"][key]
    pointer = f"{pointer}/responses/{key}"
    if "$ref" in response:
        pointer = response["$ref"]
        response = document()["components"]["responses"][pointer.rsplit("/", 1)[1]]
    kind = (content_type or "").partition(";")[0]
    if body is None:
        assert status == 204 or "content" not in response
        return
    assert kind in response["content"], f"{verb} {path} answered {kind}, which is not documented"
    if kind == "application/json":
        validator(f"{pointer}/content/{kind.replace('/', '~1')}/schema").validate(body)
