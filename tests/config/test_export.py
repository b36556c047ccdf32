"""The JSON Schema."""

import json
import re

import jsonschema
import pytest
import yaml

from hector_nb.config.schema import Config, json_schema
from tests.config.test_page_examples import BLOCKS

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def accepts(text):
    return VALIDATOR.is_valid(yaml.safe_load(text))


def test_it_is_a_schema_and_says_which_kind():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "hector.yaml"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_every_block_and_every_key_says_what_it_means():
    blocks = {"Config": SCHEMA, **SCHEMA["$defs"]}
    variable = blocks.pop("Variable")
    assert variable["description"]
    for name, block in blocks.items():
        assert block["description"], name
        for key, value in block["properties"].items():
            assert re.search(r"\w", value.get("description", "")), f"{name}.{key}"


def test_it_holds_every_key_of_the_schema():
    def keys(model):
        return set(model.model_fields)

    assert set(SCHEMA["properties"]) == keys(Config)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.name for block in BLOCKS])
def test_every_block_of_the_page_is_valid(block):
    VALIDATOR.validate(block.merged())


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "agents: {a: {streaming: {heartbeat: 5, resume_grace: 1h30m}}}",
        "server: {port: '${PORT}', token: '${TOKEN}'}",
        "agents: {a: {streaming: {heartbeat: '${BEAT:-5s}'}, reasoning: {show_thinking: '${SHOW}'}}}",
        "agents: {a: , b: {tools: , memory: }}",
        "llms: {a: {provider: '${PROVIDER}', thinking: low}}",
    ],
)
def test_what_the_loader_takes_is_valid(text):
    assert accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "agent: {}",
        "agents: {a: {memry: {}}}",
        "agents: {a b: {}}",
        "agents: {a: {streaming: {heartbeat: 5x}}}",
        "agents: {a: {streaming: {heartbeat: 0}}}",
        "agents: {a: {memory: {working: {strategy: sumary_buffer}}}}",
        "llms: {a: {model: x}}",
        "server: {port: eighty}",
        "server: {port: 70000}",
        "server: {port: 'x${PORT}'}",
    ],
)
def test_what_the_loader_refuses_is_not(text):
    assert not accepts(text)
