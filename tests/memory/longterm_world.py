"""A long-term memory, conversations for it to take in, and embedders and summarizers that do what a test needs."""

import struct
from dataclasses import replace

from hector_nb.errors import ModelError, ModelUnavailable
from hector_nb.ids import new_id
from hector_nb.memory.embedders import WordllamaEmbedder
from hector_nb.memory.longterm import LongTermMemory
from hector_nb.memory.tokens import TiktokenCounter
from hector_nb.stores.base_turns import TurnOutcome
from tests.stores.making import AGENT, USER, exchange, make_session

REMEMBERED = TurnOutcome(status="complete", finish_reason="stop", take_in=True)


class FailingEmbedder:
    """Fails until it is mended."""

    def __init__(self):
        self.name = "failing"
        self.asked = 0
        self.mended = False

    async def embed(self, texts):
        self.asked += 1
        if not self.mended:
            raise ModelUnavailable(f"The embedder is on holiday. It says: {texts}", hint=f"It was sent {texts}.")
        return [struct.pack("<2f", 1, 0)] * len(texts)

    async def aclose(self):
        pass


class PlainSummarizer:
    """Notes what it was asked and writes how many messages it has seen in all."""

    model = "plain"
    max_tokens = 50

    def __init__(self):
        self.fails = False
        self.asked = []

    async def summarize(self, previous, messages):
        self.asked.append((previous and previous.text, [message.content for message in messages]))
        if self.fails:
            raise ModelError("The summarizer is on holiday.")
        return f"{previous.text} and more" if previous else "They talked"

    async def aclose(self):
        pass


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def longterm(scope="conversational", *, embedder=None, budget=1500, **settings):
    return LongTermMemory(
        agent=AGENT,
        scope=scope,
        embedder=embedder or WordllamaEmbedder(),
        counter=TiktokenCounter(),
        budget=budget,
        **settings,
    )


async def say(store, *said, session_id="s", user=USER, outcome=REMEMBERED):
    """Turns; what is said alone is answered with a question."""
    await store.create_session(make_session(session_id, user=user))
    for each in said:
        content, answer = each if isinstance(each, tuple) else (each, "Why do you tell me?")
        await exchange(store, new_id("turn"), content, answer, session_id=session_id, user=user, outcome=outcome)


async def take_in(memory, store, *, session_id="s", user=USER, over=False):
    untaken = await store.untaken_of(user, session_id)
    if untaken is not None and over:
        untaken = ended(untaken)
    return 0 if untaken is None else await memory.take_in(store, untaken)


def ended(untaken):
    """The same of a session that is over."""
    return replace(untaken, session=replace(untaken.session, status="ended"))


async def remember(memory, store, *said, session_id="s", user=USER):
    """Say it and take it in."""
    await say(store, *said, session_id=session_id, user=user)
    return await take_in(memory, store, session_id=session_id, user=user)


async def remembered(memory, store, *, session_id="s", user=USER):
    """What the session may recall, oldest first."""
    page = await store.list_memories(memory.partition(user, session_id))
    return [each.text for each in reversed(page.items)]


async def recalled(memory, store, text, *, session_id="now", user=USER, seen=None, **options):
    found = await memory.recall(store, user=user, session_id=session_id, text=text, seen=seen, **options)
    return [each.memory.text for each in found]
