"""What telling of turns costs: CPU time of the engine with every adapter beside that with none, in turns, in one run.

    python -m tests.benchmarks.telemetry [--turns 40]

Turns of 64 tokens from a script over a store in memory; log, metrics, and spans that nobody collects, as a server has them by default.
"""

import argparse
import asyncio
import logging
from statistics import median
from time import process_time

from hector_nb.bootstrap.engine import make_telemetry
from hector_nb.telemetry.base import ARRIVAL, Arrival, Telemetry
from tests.runtime.world import World, opened, text_of

_TOKENS = [f" token{number}" for number in range(64)]
_ROUNDS = 12


async def measure(turns: int) -> tuple[list[float], list[float]]:
    """Milliseconds of CPU a turn, round by round: without and with."""
    silent, told = Telemetry(), make_telemetry(metrics=True)
    without: list[float] = []
    with_all: list[float] = []
    ARRIVAL.set(Arrival(transport="sse"))
    async with opened([_TOKENS] * (turns * (_ROUNDS + 1) * 2), within=600) as world:
        for number in range(_ROUNDS + 1):
            for telemetry, into in ((silent, without), (told, with_all)):
                world.runtime.telemetry = telemetry
                took = await _round(world, turns)
                if number:
                    into.append(took)
    return without, with_all


async def _round(world: World, turns: int) -> float:
    telemetry = world.runtime.telemetry
    began = process_time()
    for _ in range(turns):
        stream = await world.send("Hello")
        with telemetry.reading("sse"):
            await text_of(stream)
            telemetry.delivered(stream.turn_id, "sse")
    return (process_time() - began) * 1000 / turns


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=40)
    logging.getLogger("hector_nb").setLevel(logging.WARNING)
    none, everything = asyncio.run(measure(parser.parse_args().turns))
    print(f"without: {median(none):.3f} ms a turn\nwith   : {median(everything):.3f} ms a turn")
    print(f"with / without = {median(everything) / median(none):.3f}")
