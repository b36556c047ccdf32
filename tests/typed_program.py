"""A user's program, as the type checker sees it: `test_types.py`."""

import asyncio
from collections.abc import Sequence

import hector_nb
from hector_nb import AsyncSession, HectorError, PlainSession
from hector_nb.errors import SessionEnded


@hector_nb.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def approve(approval: hector_nb.Approval) -> bool:
    return approval.name == "write_file" and not approval.arguments


def talk(session: PlainSession) -> Sequence[str]:
    answer = session.send("Hello", if_busy="reject")
    tokens: int = answer.usage.total_tokens + answer.context.tokens
    texts = [str(tokens), answer.text]
    with session.stream("Hello") as stream:
        for text in stream:
            texts.append(text.upper())
            if len(texts) > 100:
                break
    for seq, event in session.follow(stream.turn_id).events():
        if event.type == "tool_call":
            texts.append(f"{seq} {event.name}")
    found = session.search_memory("bees", limit=3)
    if found:
        session.correct_memory(found[0].memory_id, "Other.")
    fork = session.fork(after=session.messages()[0].message_id)
    fork.rename(session.info().title)
    texts.append(fork.export("markdown"))
    return texts


async def talk_too(session: AsyncSession) -> str:
    texts = [text async for text in session.stream("Hello")]
    stream = await session.stream("Hello")
    async for text in stream:
        print(text, stream.position)
    memory = await session.memory()
    return "".join(texts) + stream.answer.text + str(memory.budget)


def main() -> None:
    with hector_nb.connect("hector.yaml", approve=approve) as hector:
        names: list[str] = [agent.name for agent in hector.agents()]
        session = hector.session(names[0], title="A title")
        try:
            talk(session)
            session.end()
        except SessionEnded as error:
            print(error.hint)
        except HectorError as error:
            print(error.code)
        for each in hector.sessions(query="Hello", limit=None):
            hector.session(each.agent, each.session_id).delete(forget=True)
        hector.import_session(session.export()).cancel()


async def main_too() -> None:
    async with hector_nb.aconnect() as hector:
        await talk_too(await hector.session())


if __name__ == "__main__":
    main()
    asyncio.run(main_too())
