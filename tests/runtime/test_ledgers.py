"""The account of what a model saw is what it was sent: within the budget, part by part, in a session of three hundred messages."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from hector_nb.errors import MessageTooLarge
from hector_nb.events import TurnStarted
from hector_nb.memory.base import TokenCounter
from hector_nb.memory.counting import count_message
from hector_nb.messages import Message, ToolCall
from hector_nb.models.base import ModelRequest
from hector_nb.models.scripted import Step
from tests.runtime.fake_tools import FakeTool, call
from tests.runtime.world import opened, text_of

pytestmark = pytest.mark.anyio
BUDGET = 800
WORDS = [
    "tide",
    "lantern",
    "naïve",
    "copper",
    "Kyōto",
    "harbour",
    "4711",
    "🐝",
    "quietly",
    "whose,",
    "ledger;",
    "seven-fold",
    "möglich",
    "under",
    "(almost)",
    "all",
]
JOINTS = 4
"""Tokens that may be lost where two texts that were counted alone become one."""


def text(rng: random.Random, most: int = 60) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(1, most))) + "."


def script(rng: random.Random, turns: int) -> list[Sequence[Step]]:
    """Answers; every fifth turn calls tools, once or twice, before."""
    replies: list[Sequence[Step]] = []
    for number in range(turns):
        calling = number % 5 // 4 * rng.randint(1, 2)
        replies += [[text(rng, 8), *(call(text(rng, 20)) for _ in range(rng.randint(1, 2)))] for _ in range(calling)]
        replies.append([text(rng)])
    return replies


async def received(counter: TokenCounter, request: ModelRequest) -> int:
    """The tokens of a request, counted anew."""
    messages = [await count_message(counter, message) for message in request.messages]
    return await counter.count(request.system) + sum(message.tokens for message in messages)


def whole_pairs(messages: Sequence[Message]) -> bool:
    """Whether each call has its result in the request, and each result its call."""
    calls: list[ToolCall] = [each for message in messages for each in message.tool_calls]
    return [each.call_id for each in calls] == [message.call_id for message in messages if message.role == "tool"]


STRATEGIES = ["summary_buffer", "buffer_window", "token_window"]
WAYS = ["sqlite", "over_http", "over_grpc", "postgres"]
"""These keep and carry what the strategies make: they are given a session with parts of all kinds."""


@pytest.mark.parametrize(
    ("new_store", "strategy", "longterm"),
    [("in_memory", strategy, longterm) for strategy in STRATEGIES for longterm in (False, True)]
    + [(way, "summary_buffer", True) for way in WAYS],
    indirect=["new_store"],
)
async def test_every_ledger_is_what_its_model_received(strategy: str, longterm: bool) -> None:
    rng = random.Random(7)
    memory: dict[str, Any] = {"working": {"strategy": strategy, "budget": BUDGET}}
    if longterm:
        memory["longterm"] = {"storage_scope": "session", "min_score": 0.0}
    turns = 130
    replies = script(rng, turns)
    summaries: list[Sequence[Step]] = []
    async with opened(replies, tools=[FakeTool()], memory=memory, within=60) as world:
        agent = world.runtime.agents["assistant"]
        if agent.summarizer:
            write_summaries(agent.summarizer, rng, summaries)
        session = await world.session()
        seen: set[str] = set()
        for _ in range(turns):
            stream = await world.send(text(rng, 90), session)
            started: TurnStarted | None = None
            async with stream:
                async for logged in stream:
                    if isinstance(logged.event, TurnStarted):
                        started = logged.event
            ledger = await world.service.get_context("assistant", stream.turn_id)
            request = world.model.requests[-1]
            told = sum(part.tokens for part in ledger.parts if part.kind != "tools")
            assert ledger.tokens == told <= ledger.budget == BUDGET
            assert 0 <= told - await received(agent.counter, request) <= JOINTS
            assert whole_pairs(request.messages)
            assert started
            assert started.context
            assert started.context["tokens"] <= BUDGET
            if ledger.requests == 1:
                assert started.context["tokens"] == told
            seen |= {part.kind for part in ledger.parts}
        assert len(await world.messages(session)) > 300
        assert seen == {"system", "tools", "message"} | ({"summary"} if summaries else set()) | (
            {"memory"} if longterm else set()
        )
        assert bool(summaries) is (strategy == "summary_buffer")
    world.model.assert_finished()


def write_summaries(summarizer: Any, rng: random.Random, written: list[Sequence[Step]]) -> None:
    """Have this summarizer write something of its own, of at most its length."""

    async def summarize(previous: object, messages: Sequence[Message]) -> str:
        written.append([text(rng, 40)])
        return str(written[-1][0])

    summarizer.summarize = summarize


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_message_larger_than_the_budget_is_sent_alone_and_the_next_turn_fits_again(strategy: str) -> None:
    rng = random.Random(7)
    memory = {"working": {"strategy": strategy, "budget": BUDGET}, "longterm": {"storage_scope": "session"}}
    async with opened([[text(rng)] for _ in range(4)], memory=memory, within=60) as world:
        agent = world.runtime.agents["assistant"]
        if agent.summarizer:
            write_summaries(agent.summarizer, rng, [])
        session = await world.session()
        await text_of(await world.send("Hello.", session))
        large = await world.send(" ".join(text(rng) for _ in range(100)), session)
        await text_of(large)
        ledger = await world.service.get_context("assistant", large.turn_id)
        assert [part.kind for part in ledger.parts if part.kind in {"message", "memory"}] == ["message"]
        assert ledger.tokens > ledger.budget
        for word in ("And?", "🐝🐝🐝"):
            stream = await world.send(word, session)
            await text_of(stream)
            ledger = await world.service.get_context("assistant", stream.turn_id)
            assert ledger.tokens <= ledger.budget
            assert world.model.requests[-1].messages[-1].content.endswith(word)


@pytest.mark.parametrize(
    "message", ["a" * 2**20, "🐝" * 2**18, " " * (2**20 - 1) + "x"], ids=["letters", "bees", "space"]
)
async def test_the_largest_message_is_counted_in_time_and_does_not_last(message: str) -> None:
    memory = {"longterm": {"storage_scope": "session"}}
    async with opened([["I see."], ["Fine."]], memory=memory, within=60) as world:
        agent = world.runtime.agents["assistant"]
        if agent.summarizer:
            write_summaries(agent.summarizer, random.Random(7), [])
        session = await world.session()
        assert await text_of(await world.send(message, session)) == "I see."
        stream = await world.send("And now?", session)
        assert await text_of(stream) == "Fine."
        ledger = await world.service.get_context("assistant", stream.turn_id)
        assert ledger.tokens <= ledger.budget


async def test_a_message_that_the_model_cannot_read_is_refused_before_it_is_stored() -> None:
    async with opened([["Yes."]], window=2000) as world:
        session = await world.session()
        with pytest.raises(MessageTooLarge, match=r"30\d\d tokens, and `scripted` can read 19\d\d") as refused:
            await world.send("word " * 3000, session)
        assert "context_window" in str(refused.value)
        assert await world.messages(session) == []
        assert await text_of(await world.send("Still there?", session)) == "Yes."
