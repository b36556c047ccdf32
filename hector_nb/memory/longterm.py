"""Long-term memory: what outlives the window. It takes in what was said, and finds what fits a message.

One `LongTermMemory` serves one agent. Nothing here keeps a conversation waiting: a turn's messages are taken in after the turn, by
whoever finds them after the session's mark, so nothing is lost with a process; recall is bounded in time, and where embedder or store
fail, the turn goes on with less. A memory that could not be embedded is stored all the same and gets its vector later.

Below are `waiting.py` (what is to be taken in), `exchanges.py` (what of a turn is kept) or `session_summaries.py` (for the scope that
keeps nothing else), `fusion.py` (what comes first), and `recalled.py` (how a model is shown it).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from hector_nb.errors import Forbidden, InvalidRequest, MemoryNotFound, ModelError, StoreError
from hector_nb.ids import new_id
from hector_nb.memories import Memory, RecalledMemory, StorageScope
from hector_nb.memory import embedders, exchanges
from hector_nb.memory.base import Embedder, Summarizer, TokenCounter
from hector_nb.memory.fusion import MIN_SCORE, fuse
from hector_nb.memory.recalled import chosen
from hector_nb.memory.rest import REST, Rest, told
from hector_nb.memory.session_summaries import SessionSummaries
from hector_nb.memory.waiting import Batch, waiting_turns
from hector_nb.stores.base_memories import MemoryStore, NewMemory, Partition, Untaken

RECALL_SECONDS = 1.0
"""All that recall may add to a turn; the query's vector may take six tenths of it."""
LONGEST_TEXT = 8000
"""Characters of a memory that somebody writes."""
_QUERY = 1000
"""Characters of a long message's beginning, and of its end, that are searched for."""
_FOUND = 40
"""Candidates that either search may bring, if not more are to be recalled."""
_log = logging.getLogger("hector_nb.memory")


class LongTermMemory:
    """What one agent remembers.

    Args:
        agent: Its name.
        scope: What is kept and who may recall it.
        embedder: Makes the vectors.
        counter: Counts tokens.
        budget: Tokens of the agent's context; a quarter is for memories, and memories are cut so that several fit.
        recall_limit: The most memories recalled for one message.
        min_score: Memories that match less are not recalled.
        summarizer: Writes the summaries of scope `summaries_only`.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        agent: str,
        scope: StorageScope,
        embedder: Embedder,
        counter: TokenCounter,
        budget: int,
        recall_limit: int = 5,
        min_score: float = MIN_SCORE,
        summarizer: Summarizer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.agent = agent
        self.scope: StorageScope = scope
        self.embedder = embedder
        self.allowance = budget // 4
        self._counter = counter
        self._limit = recall_limit
        self._min_score = min_score
        self._piece_tokens = max(60, min(exchanges.PIECE_TOKENS, budget // 8))
        self._rest = Rest(clock)
        self._summaries: SessionSummaries | None = None
        if summarizer is not None:
            self._summaries = SessionSummaries(summarizer, counter=counter, pending_tokens=budget // 2, clock=clock)

    async def aclose(self) -> None:
        """Free what embedder and summarizer hold."""
        await self.embedder.aclose()
        if self._summaries is not None:
            await self._summaries.aclose()

    def partition(self, user: str, session_id: str) -> Partition:
        """What a session may recall."""
        return Partition.of(self.scope, agent=self.agent, user=user, session_id=session_id)

    # -- recall

    async def recall(
        self,
        store: MemoryStore,
        *,
        user: str,
        session_id: str,
        text: str,
        seen: int | None,
        allowance: int | None = None,
    ) -> Sequence[RecalledMemory]:
        """What fits a message, best first; never raises what a turn could not go on after.

        Args:
            store: Holds the memories.
            user: Who asks.
            session_id: Where.
            text: The message.
            seen: The position of the first message that the model sees anyway; None: it sees none.
            allowance: Tokens that all memories together may have as a model is shown them; None: a quarter of the budget.
        """
        if self._limit < 1 or exchanges.says_nothing(text):
            return ()
        partition = self.partition(user, session_id)
        query = text if len(text) <= 2 * _QUERY else f"{text[:_QUERY]}\n{text[-_QUERY:]}"
        try:
            async with asyncio.timeout(RECALL_SECONDS):
                if not (await store.list_memories(partition, limit=1)).items:
                    return ()  # without loading an embedder
                vector = await self._vector(query, seconds=0.6 * RECALL_SECONDS)
                candidates = await store.recall(
                    partition,
                    query=query,
                    vector=vector,
                    embedder=self.embedder.name,
                    limit=max(_FOUND, self._limit),
                    unseen=None if seen is None else (user, session_id, seen),
                )
        except (StoreError, TimeoutError) as error:
            _log.warning("Nothing was recalled: %s", told(error))
            return ()
        fused = [each for each in fuse(candidates) if each.score >= self._min_score]
        room = self.allowance if allowance is None else allowance
        return await chosen(fused, limit=self._limit, room=room, counter=self._counter)

    async def search(
        self, store: MemoryStore, *, user: str, session_id: str, text: str, limit: int
    ) -> Sequence[RecalledMemory]:
        """The memories that fit a text, best first, those in the window included.

        Raises:
            StoreError: the database failed.
        """
        candidates = await store.recall(
            self.partition(user, session_id),
            query=text[: 2 * _QUERY],
            vector=await self._vector(text[: 2 * _QUERY], seconds=5 * RECALL_SECONDS),
            embedder=self.embedder.name,
            limit=max(_FOUND, limit),
            unseen=None,
        )
        return fuse(candidates)[:limit]

    # -- taking in

    async def take_in(self, store: MemoryStore, untaken: Untaken) -> int:
        """Take in a session's messages after its mark, as far as their turns are finished; how many memories were made.

        In scope `summaries_only` this does nothing until it is due: many messages wait, the session is over, or idle.

        Raises:
            StoreError: the database failed; what was not taken in will be.
        """
        made = 0
        mark = untaken.mark
        while batch := await self._next(store, untaken, mark):
            if not await self._store(store, untaken, mark, batch):
                break
            made += len(batch.memories)
            mark = batch.upto
        return made

    async def embed_missing(self, store: MemoryStore, on_progress: Callable[[int, int], None] | None = None) -> int:
        """Give this agent's memories the vectors that they lack, as after a change of the embedder; see `embedders.reindex`.

        An embedder that failed rests first: then this does nothing.

        Raises:
            StoreError: the database failed.
        """
        if self._rest.on:
            return 0
        if not await store.count_unembedded(self.embedder.name, agents=[self.agent]):
            return 0
        try:
            return await embedders.reindex(store, self.embedder, on_progress, agents=[self.agent])
        except ModelError as error:
            self._let_embedder_rest(error)
            return 0

    async def _next(self, store: MemoryStore, untaken: Untaken, mark: int) -> Batch | None:
        if self.scope == "summaries_only":
            return await self._summaries.next(store, untaken, mark) if self._summaries else None
        turns = await waiting_turns(store, untaken, mark)
        memories: list[NewMemory] = []
        for turn in turns:
            exchange = exchanges.exchange_of(turn, first_position=mark + 1)
            mark += len(turn)
            if exchange is not None:
                texts = await exchanges.pieces(exchange, limit=self._piece_tokens, counter=self._counter)
                memories += [await self._memory(text, exchange) for text in texts]
        return Batch(memories=memories, upto=mark) if turns else None

    async def _memory(self, text: str, exchange: exchanges.Exchange) -> NewMemory:
        return NewMemory(
            memory_id=new_id("mem"),
            kind="exchange",
            text=text,
            tokens=await self._counter.count(text),
            message_ids=exchange.message_ids,
            last_position=exchange.last_position,
            created_at=exchange.created_at,
        )

    async def _store(self, store: MemoryStore, untaken: Untaken, mark: int, batch: Batch) -> bool:
        vectors = await self._vectors([memory.text for memory in batch.memories])
        return await store.take_in(
            untaken.session.user,
            untaken.session.session_id,
            scope=self.scope,
            mark=mark,
            upto=batch.upto,
            memories=[replace(memory, vector=vector) for memory, vector in zip(batch.memories, vectors, strict=True)],
            embedder=self.embedder.name,
            replace=batch.replaces,
        )

    # -- what people do

    async def correct(self, store: MemoryStore, *, user: str, session_id: str, memory_id: str, text: str) -> Memory:
        """Give a memory another text, which is recalled from now on.

        Raises:
            InvalidRequest: the text is empty or too long.
            MemoryNotFound: the session may not recall such a memory.
            Forbidden: somebody else gave it.
        """
        text = text.strip()
        if not text:
            raise InvalidRequest("A memory cannot be empty.", hint="Forget it instead.")
        if len(text) > LONGEST_TEXT:
            raise InvalidRequest(f"A memory has at most {LONGEST_TEXT:,} characters, not {len(text):,}.")
        await self._own(store, user, session_id, memory_id)
        (vector,) = await self._vectors([text])
        corrected = await store.correct_memory(
            self.partition(user, session_id),
            memory_id,
            text=text,
            tokens=await self._counter.count(text),
            vector=vector,
            embedder=self.embedder.name,
        )
        if corrected is None:
            raise MemoryNotFound()
        return corrected

    async def forget(self, store: MemoryStore, *, user: str, session_id: str, memory_id: str) -> None:
        """Erase a memory.

        Raises:
            MemoryNotFound: the session may not recall such a memory.
            Forbidden: somebody else gave it.
        """
        await self._own(store, user, session_id, memory_id)
        if not await store.forget_memory(self.partition(user, session_id), memory_id):
            raise MemoryNotFound()

    async def _own(self, store: MemoryStore, user: str, session_id: str, memory_id: str) -> None:
        memory = await store.get_memory(self.partition(user, session_id), memory_id)
        if memory is None:
            raise MemoryNotFound()
        if memory.user != user:
            raise Forbidden("Only who gave a memory may change or forget it.")

    # -- vectors

    async def vector_of(self, text: str) -> bytes | None:
        """The vector of a text that is kept; None where there is no embedder just now."""
        return (await self._vectors([text]))[0]

    async def _vector(self, text: str, *, seconds: float) -> bytes | None:
        """The vector of a query, None where there is none in time."""
        try:
            async with asyncio.timeout(seconds):
                return (await self._vectors([text]))[0]
        except TimeoutError as error:
            self._let_embedder_rest(error)
            return None

    async def _vectors(self, texts: Sequence[str]) -> Sequence[bytes | None]:
        """A vector for each text, or None for all."""
        nothing = [None] * len(texts)
        if not texts or self._rest.on:
            return nothing
        try:
            vectors = await self.embedder.embed(texts)
        except ModelError as error:
            self._let_embedder_rest(error)
            return nothing
        return vectors

    def _let_embedder_rest(self, error: Exception) -> None:
        self._rest.begin()
        _log.warning("The embedder %s rests for %d s: %s", self.embedder.name, REST, told(error))
