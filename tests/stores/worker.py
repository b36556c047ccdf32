"""A process of its own that uses a store: `python -m tests.stores.worker FILE NAME ACTION`. It prints what the store acknowledged."""

import asyncio
import os
import signal
import sys

from hector_nb.events import TextDelta
from hector_nb.sessions import Lifetime
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import QueuedTurn
from hector_nb.stores.sqlite import SQLiteStore

from .making import USER, finish, make_session, make_turn, wait
from .making_memories import WORDS, make_memory, vector


def say(*words):
    print(*words, flush=True)


async def talk(store, name, session_id, turns):
    """Say something, wait for one's turn, answer; again and again."""
    await store.create_session(make_session(session_id))
    for n in range(turns):
        turn = make_turn(f"{name}-{session_id}-{n}", f"{name} {n}", session_id=session_id, holder=name)
        async with store.watch(session_id) as watch:
            while isinstance(await store.begin_turn(turn, window=Window(), lifetime=Lifetime()), QueuedTurn):
                await watch.wait(5)
        say("began", turn.turn_id)
        await store.write_turn(turn.turn_id, events=[TextDelta(text="x")])
        await finish(store, turn.turn_id, f"re {name} {n}")
        say("finished", turn.turn_id)


async def hold(store, name):
    """Begin a turn, say something, and hang."""
    turn = make_turn("held", holder=name)
    await store.begin_turn(turn, window=Window(), lifetime=Lifetime())
    await store.write_turn("held", events=[TextDelta(text="half an ans")])
    say("holding")
    await asyncio.sleep(3600)


async def hold_and_fork(store, name):
    """Begin a turn in a process that has a child, forked with all that is open."""
    await store.begin_turn(make_turn("held", holder=name), window=Window(), lifetime=Lifetime())
    started, starts = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(starts)
        os.closerange(0, 3)
        signal.pause()
    os.close(starts)
    await asyncio.to_thread(os.read, started, 1)  # it has let go of what is its parent's
    say(child)
    await asyncio.sleep(3600)


async def ask(store, name):
    """Begin a turn, ask for two approvals, and wait."""
    await store.begin_turn(make_turn("asking", holder=name), window=Window(), lifetime=Lifetime())
    await wait(store, "asking", "one", "two")
    async with store.watch("s") as watch:
        say("waiting")
        while not any(each.decision for each in await store.approvals(USER, "s")):
            await watch.wait(5)
        say("noticed")
    await asyncio.sleep(3600)


async def read(store, name):
    """Read a turn, and hang."""
    await store.join_turn("read", name)
    say("reading")
    await asyncio.sleep(3600)


async def obey(store, name):
    """Begin a turn and finish it when somebody asks for that."""
    turn = make_turn("obedient", holder=name)
    await store.begin_turn(turn, window=Window(), lifetime=Lifetime())
    async with store.watch("s") as watch:
        say("running")
        while not await store.cancel_requests(name):
            await watch.wait(3600)
    await finish(store, "obedient", "stopped")


async def take_in(store, name):
    """Take in a session, exchange by exchange, as long as there is something."""
    while waiting := await store.untaken_of(USER, "s"):
        said = await store.messages_between(USER, "s", after=waiting.mark, upto=waiting.mark + 2)
        memory = make_memory(said[0].content, said[-1], waiting.mark + 2, vector=vector(1, 0))
        marks = {"mark": waiting.mark, "upto": waiting.mark + 2}
        if await store.take_in(USER, "s", scope="all", **marks, memories=[memory], embedder=WORDS):
            say(memory.text)


async def main(path, name, action):
    store = SQLiteStore(path)
    await store.aopen()
    say("open")
    match action:
        case "open":
            pass
        case "hammer":
            await asyncio.gather(talk(store, name, "shared", 12), talk(store, name, f"own-{name}", 12))
        case "talk":
            await talk(store, name, "s", 1_000_000)
        case "hold":
            await hold(store, name)
        case "fork":
            await hold_and_fork(store, name)
        case "ask":
            await ask(store, name)
        case "read":
            await read(store, name)
        case "take in":
            await take_in(store, name)
        case "obey":
            await obey(store, name)
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
