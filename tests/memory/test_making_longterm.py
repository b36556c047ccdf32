"""A configuration becomes a long-term memory, or none."""

import pytest

from hector_nb.bootstrap.memory import make_longterm
from hector_nb.config.schema import Config
from hector_nb.errors import ConfigError
from hector_nb.memory.embedders import WordllamaEmbedder
from hector_nb.memory.tokens import TiktokenCounter
from hector_nb.models.openai_embedder import OpenAICompatibleEmbedder
from hector_nb.models.scripted import ScriptedModel

pytestmark = pytest.mark.anyio
LLMS = {"main": {"provider": "scripted"}, "words": {"provider": "openai"}, "nameless": {"provider": "ollama"}}


def made(longterm):
    memory = {} if longterm is None else {"longterm": longterm}
    config = Config.model_validate({"llms": LLMS, "agents": {"a": {"memory": memory}}})
    return make_longterm(
        "a",
        config.agents["a"],
        config,
        counter=TiktokenCounter(),
        budget=1000,
        writer=(config.llms["main"], ScriptedModel([])),
        environ={},
    )


@pytest.mark.parametrize("longterm", [None, {"enabled": False}])
def test_without_its_block_nothing_is_remembered(longterm):
    assert made(longterm) is None


async def test_the_block_alone_remembers_the_session_with_the_embedder_that_is_built_in():
    memory = made({})
    assert (memory.agent, memory.scope, memory.allowance) == ("a", "session", 250)
    assert isinstance(memory.embedder, WordllamaEmbedder)
    await memory.aclose()


async def test_another_embedder_is_taken_from_the_llms():
    memory = made({"storage_scope": "summaries_only", "embedder": "words"})
    assert isinstance(memory.embedder, OpenAICompatibleEmbedder)
    assert memory.embedder.name == "text-embedding-3-small/?"
    await memory.aclose()


def test_an_embedder_without_a_model_is_an_error():
    with pytest.raises(ConfigError, match="needs `model`"):
        made({"embedder": "nameless"})
