"""What a turn costs as a session grows to 2,000 messages, and whether its context stays in the budget: `python -m tests.benchmarks.working_memory`.

Everything is the engine's own: store on disk, tokens counted, ledgers kept. Model and summarizer answer at once. On a busy machine the
time on the clock grows with what others do; the time on the processor does not.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hector_nb.bootstrap.agents import make_agent
from hector_nb.config.schema import AgentConfig, Config, LLMConfig
from hector_nb.memories import Summary
from hector_nb.messages import Message
from hector_nb.models.scripted import ScriptedModel
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.runtime import Runtime
from hector_nb.service import SendMessage, collect
from hector_nb.stores.sqlite import SQLiteStore

BUDGET = 4000
TURNS = 1000
AT = (10, 500, 2000)
"""Messages at which a turn is timed: the median of the turns around."""
AROUND = 10
WORDS = [
    "the",
    "tide",
    "turned",
    "over",
    "a",
    "lantern",
    "of",
    "copper",
    "while",
    "seven",
    "harbours",
    "quietly",
    "filled",
    "with",
    "letters",
]


class Notes:
    """A summarizer that needs no time."""

    model = "notes"
    max_tokens = 600
    asked = 0

    async def summarize(self, previous: Summary | None, messages: Sequence[Message]) -> str:
        self.asked += len(messages)
        return " ".join(message.content for message in messages)[:2000]

    async def aclose(self) -> None:
        """Nothing is held."""


def text(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(5, 90)))


def agent_of(strategy: str, rng: random.Random, notes: Notes) -> Agent:
    working: dict[str, Any] = {"strategy": strategy, "budget": BUDGET}
    config = Config(agents={"assistant": AgentConfig.model_validate({"memory": {"working": working}})})
    model = ScriptedModel([[text(rng)] for _ in range(TURNS)])
    agent = make_agent("assistant", config.agents["assistant"], config, LLMConfig(provider="scripted"), model)
    return replace(agent, summarizer=notes) if agent.summarizer else agent


async def measure(strategy: str, folder: Path) -> None:
    rng, notes = random.Random(7), Notes()
    store = SQLiteStore(folder / f"{strategy}.db")
    runtime = Runtime(store=store, agents={"assistant": agent_of(strategy, rng, notes)})
    await runtime.aopen()
    service = runtime.for_user("ada")
    session = (await service.create_session("assistant"))[0].session_id
    times: list[float] = []
    busy: list[float] = []
    folding: list[float] = []
    largest = left_out = 0
    for _ in range(TURNS):
        request = SendMessage(message=text(rng), session_id=session)
        started, before = time.perf_counter(), time.process_time()
        reply = await collect(await service.stream_message("assistant", request))
        ended = time.perf_counter()
        busy.append(time.process_time() - before)
        while tasks := runtime.remembering._folds.under_way():
            await asyncio.wait(tasks)
        folding.append(time.perf_counter() - ended)
        times.append(ended - started)
        ledger = await service.get_context("assistant", reply.turn_id)
        largest = max(largest, ledger.tokens)
        left_out = ledger.left_out
    await runtime.aclose()
    assert largest <= BUDGET, largest
    figures = "  ".join(f"{median(each, message):8.2f}" for each in (times, busy) for message in AT)
    print(f"{strategy:<16}{figures}  {largest:14}  {left_out:9}  {notes.asked:10}  {median(folding, AT[-1]):10.2f}")


def median(seconds: Sequence[float], message: int) -> float:
    """Milliseconds of the turns around this message."""
    turn = min(message // 2, len(seconds) - AROUND)
    return 1000 * statistics.median(seconds[max(0, turn - AROUND) : turn + AROUND])


async def main() -> None:
    at = "  ".join(f"{each:8}" for each in AT)
    print(
        f"{'':16}{'ms on the clock at message':30}{'on the processor':30}largest context   left out  summarized  ms to fold"
    )
    print(f"{'':16}{at}  {at}")
    with tempfile.TemporaryDirectory() as folder:
        for strategy in ("summary_buffer", "buffer_window", "token_window"):
            await measure(strategy, Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
