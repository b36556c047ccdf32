"""The OpenAPI document: it is valid, and it is what the server does."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis

from hector_nb import __version__
from hector_nb.transports.handlers import UnknownPath, verbs_of
from hector_nb.transports.routes import ROUTES
from hector_nb.wire.openapi import document
from tests.transports.conftest import Site
from tests.transports.contract import URI, VERBS, operation_of, validator

pytestmark = pytest.mark.anyio
OPERATIONS = [(path, verb) for path, item in document()["paths"].items() for verb in item if verb in VERBS]


def concrete(path: str) -> str:
    return re.sub(r"\{\w+\}|\(\[\^/\]\+\)", "x", path).replace("(import)", "import").replace("\\.", ".")


@pytest.mark.parametrize(("path", "verb"), OPERATIONS)
def test_everything_in_the_document_is_routed(path: str, verb: str) -> None:
    pattern, handler = next(route for route in ROUTES if re.fullmatch(route[0], concrete(path)))
    assert handler is not UnknownPath, pattern
    assert verb.upper() in verbs_of(handler)


@pytest.mark.parametrize(("pattern", "handler"), [route for route in ROUTES if route[1] is not UnknownPath])
def test_every_route_and_verb_is_in_the_document(pattern: str, handler: type[Any]) -> None:
    for verb in verbs_of(handler):
        assert verb == "OPTIONS" or operation_of(verb, concrete(pattern)), (verb, pattern)


def test_the_document_is_valid() -> None:
    schemathesis.openapi.from_dict(document()).validate()
    names = [document()["paths"][path][verb]["operationId"] for path, verb in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(document()["paths"][path][verb]["summary"].endswith(".") for path, verb in OPERATIONS)


def refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key == "$ref")
        for each in value.values():
            yield from refs(each)
    elif isinstance(value, list):
        for each in value:
            yield from refs(each)


def test_what_it_refers_to_is_there_and_nothing_is_left_over() -> None:
    used = set(refs(document()))
    for ref in used:
        assert validator(ref)._resolver.lookup(URI + ref)
    components = document()["components"]
    there = {
        f"#/components/{kind}/{name}" for kind in ("parameters", "responses", "schemas") for name in components[kind]
    }
    assert there - used == {"#/components/schemas/SocketMessage", "#/components/schemas/SocketFrame"}


def test_its_examples_are_valid() -> None:
    schemas = document()["components"]["schemas"]
    examples = [(name, example) for name, each in schemas.items() for example in each.get("examples", [])]
    examples += [(name, each["example"]) for name, each in schemas.items() if "example" in each]
    assert len(examples) > 8
    for name, example in examples:
        validator(f"#/components/schemas/{name}").validate(example)


async def test_it_is_served_to_those_who_may_call(site: Site) -> None:
    status, served = await site.call("GET", "/hector/openapi.json")
    assert status == 200
    assert served["info"]["version"] == __version__
    assert served["servers"] == [{"url": "/hub/user"}]
    assert served["paths"] == document()["paths"]
    assert (await site.call("GET", "/hector/openapi.json", headers={"Authorization": ""}))[0] == 403
