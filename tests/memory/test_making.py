"""An agent's memory as its configuration wants it."""

from pathlib import Path

import pytest

from hector_nb.bootstrap.agents import check_budget, make_agent, make_agents
from hector_nb.config.loader import LoadedConfig
from hector_nb.config.schema import Config, LLMConfig
from hector_nb.errors import ConfigError
from hector_nb.memory.excerpts import Excerpts
from hector_nb.memory.summarizer import ModelSummarizer
from hector_nb.models.scripted import ScriptedModel
from hector_nb.runtime.agents import Agent

pytestmark = pytest.mark.anyio
SCRIPTED = LLMConfig(provider="scripted")


def made(llm: LLMConfig = SCRIPTED, model: ScriptedModel | None = None, **agent: object) -> Agent:
    config = Config.model_validate({"agents": {"a": agent}})
    return make_agent("a", config.agents["a"], config, llm, model or ScriptedModel([]))


@pytest.mark.parametrize("strategy", ["summary_buffer", "buffer_window", "token_window"])
async def test_the_strategy_is_the_configured_one(strategy: str) -> None:
    agent = made(memory={"working": {"strategy": strategy}})
    assert agent.memory.strategy == strategy
    assert (agent.summarizer is not None) == (strategy == "summary_buffer")


async def test_the_window_has_the_configured_size() -> None:
    agent = made(memory={"working": {"strategy": "buffer_window", "window_size": 7}})
    assert agent.memory.window(agent.budget).max_messages == 6


@pytest.mark.parametrize(("budget", "summary"), [(None, 600), (1000, 150), (300, 64)])
async def test_a_summary_takes_a_seventh_of_the_budget(budget: int | None, summary: int) -> None:
    agent = made(memory={"working": {"budget": budget}})
    assert isinstance(agent.summarizer, ModelSummarizer)
    assert (agent.summarizer.model, agent.summarizer.max_tokens) == ("scripted", summary)


async def test_for_the_embedded_model_sentences_are_kept_and_digits_count() -> None:
    agent = made(LLMConfig(provider="local"))
    assert isinstance(agent.summarizer, Excerpts)
    assert agent.summarizer.max_tokens == 225
    assert await agent.counter.count("1" * 30) >= 30
    assert isinstance(made(LLMConfig(provider="local", model="x.gguf")).summarizer, ModelSummarizer)


async def test_summaries_are_written_by_the_model_that_is_named(tmp_path: Path) -> None:
    for name in ("mine", "writer"):
        (tmp_path / f"{name}.yaml").write_text("[]")
    config = Config.model_validate(
        {
            "llms": {name: {"provider": "scripted", "model": f"{name}.yaml"} for name in ("mine", "writer")},
            "agents": {
                "a": {"llm": "mine", "memory": {"working": {"summarizer": "writer"}}},
                "b": {"llm": "mine"},
                "c": {"llm": "writer"},
            },
        }
    )
    loaded = LoadedConfig(config=config, path=None, named=False, folder=tmp_path)
    agents = await make_agents(loaded, {})
    assert [each.summarizer and each.summarizer.model for each in agents.values()] == [
        "scripted writer.yaml",
        "scripted mine.yaml",
        "scripted writer.yaml",
    ]
    assert agents["a"].model is agents["b"].model


@pytest.mark.parametrize(
    ("model", "budget", "problem"),
    [
        (ScriptedModel([]), 50, r"(?m)has 101 tokens, and the budget is 50$"),
        (
            ScriptedModel([], context_window=100, max_tokens=20),
            4000,
            r"(?m)the budget is 80: the model's context window leaves no more \(100 - 20 tokens\)$",
        ),
        (ScriptedModel([], context_window=100), None, r"the budget is -924: the model's"),
    ],
)
async def test_a_budget_smaller_than_the_system_prompt_is_an_error(
    tmp_path: Path, model: ScriptedModel, budget: int | None, problem: str
) -> None:
    agent = made(model=model, instruction="word " * 100, memory={"working": {"budget": budget}})
    loaded = LoadedConfig(config=Config(), path=tmp_path / "hector.yaml", named=True, folder=tmp_path)
    with pytest.raises(ConfigError, match=problem) as caught:
        await check_budget(agent, loaded)
    assert caught.value.problems[0].startswith(f"{tmp_path}/hector.yaml: agents.a.memory.working.budget: the system")


async def test_a_budget_that_leaves_room_is_none(tmp_path: Path) -> None:
    loaded = LoadedConfig(config=Config(), path=None, named=True, folder=tmp_path)
    await check_budget(made(instruction="word " * 100, memory={"working": {"budget": 150}}), loaded)
    await check_budget(made(instruction=""), loaded)
