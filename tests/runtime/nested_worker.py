"""A process to be killed in which one agent has called another that waits for a person: `python -m tests.runtime.nested_worker DATABASE`.

It tells the session, and then `"waiting"`.
"""

import asyncio
import json
import sys
from pathlib import Path

from hector_nb.stores.sqlite import SQLiteStore
from tests.runtime import world
from tests.runtime.agents import ask, opened_agents
from tests.runtime.fake_tools import FakeTool, call
from tests.runtime.test_approvals import until_asked


async def main(database: str) -> None:
    world.new_store = lambda: SQLiteStore(Path(database))
    replies = {"assistant": [[ask("helper")]], "helper": [["Shall I?", call()]]}
    tools = {"helper": [FakeTool(require_approval="always")]}
    async with opened_agents(replies, tools=tools, within=60) as here:
        session = await here.session()
        print(json.dumps([session]), flush=True)
        stream = await here.send("go", session)
        await until_asked(stream)
        print('"waiting"', flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
