"""A process that runs one turn, to be killed: `python -m tests.runtime.worker DATABASE SESSION REPLY FOLDER`.

It tells its parent what happens, a line of JSON for each event, and `"working"` when its tool is at work. The replies are of
a scripted model: `slow` calls a tool that never ends, `write` one that writes a file and that a person has to approve. SIGTERM ends it
as it ends a server.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hector_nb.bootstrap.stores import store_at
from hector_nb.events import encode
from hector_nb.models.scripted import Step
from hector_nb.tools.base import CallContext
from tests.runtime import world
from tests.runtime.fake_tools import FakeTool, call

REPLIES: Mapping[str, Sequence[Step]] = {
    "slow": ["On it.", call("first", "quick"), call("second", "slow")],
    "write": ["Shall I?", call("hello")],
    "talk": ["On it.", call("first", "quick")],
}


def tell(value: object) -> None:
    print(json.dumps(value), flush=True)


async def slow(arguments: Mapping[str, Any], context: CallContext) -> str:
    tell("working")
    await asyncio.Event().wait()
    return ""


def tools(folder: Path) -> list[FakeTool]:
    """What both processes have: `act` writes a file."""

    async def write(arguments: Mapping[str, Any], context: CallContext) -> str:
        with (folder / "hello.txt").open("a") as file:
            file.write(arguments["what"])
        return "written"

    return [FakeTool("act", write, require_approval="always"), FakeTool("quick"), FakeTool("slow", slow)]


async def main(database: str, session: str, reply: str, folder: str) -> None:
    world.new_store = lambda: store_at(database)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    never = ["Still ", "talking", asyncio.Event()]
    async with world.opened([REPLIES[reply], never], tools=tools(Path(folder)), within=60) as here:
        stream = await here.send("go", session)
        tell(stream.turn_id)
        reading = asyncio.create_task(read(stream))
        await stopping.wait()
    await reading


async def read(stream: world.TurnStream) -> None:
    while batch := await stream.read():
        for logged in batch:
            tell({"seq": logged.seq, **encode(logged.event)})
    tell("cut")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
