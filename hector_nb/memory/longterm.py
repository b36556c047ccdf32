"""Long-term memory: what outlives the window. It takes in what was said, and finds what fits a message.

One `LongTermMemory` serves one agent. Nothing here keeps a conversation waiting: a turn's messages are taken in after the turn, by
whoever finds them after the session's mark, so nothing is lost with a process; recall is bounded in time, and where embedder or store
fail, the turn goes on with less. A memory that could not be embedded is stored all the same and gets its vector later.

Scope `summaries_only` never stores what was said: a session's messages are folded into one summary, again and again. That is due
when many of them wait, when the session has been idle for a while, and when it is over; a summarizer that fails is asked later.

Below are `exchanges.py` (what of a turn is kept), `fusion.py` (what comes first), `recalled.py` (how a model is shown it).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hector_nb.errors import Forbidden, InvalidRequest, MemoryNotFound, ModelError, StoreError
from hector_nb.ids import new_id
from hector_nb.memories import Memory, RecalledMemory, StorageScope, Summary
from hector_nb.memory import embedders, exchanges
from hector_nb.memory.base import Embedder, Summarizer, TokenCounter
from hector_nb.memory.fusion import MIN_SCORE, fuse
from hector_nb.memory.recalled import chosen
from hector_nb.messages import Message
from hector_nb.stores.base_memories import MemoryStore, NewMemory, Partition, Untaken

RECALL_SECONDS = 1.0
"""All that recall may add to a turn; the query's vector may take six tenths of it."""
IDLE = timedelta(minutes=5)
"""A session that has been silent for so long is summarized."""
REST = 60.0
"""Seconds for which an embedder or summarizer that failed is not asked again."""
LONGEST_TEXT = 8000
"""Characters of a memory that somebody writes."""
_QUERY = 1000
"""Characters of a long message's beginning, and of its end, that are searched for."""
_FOUND = 40
"""Candidates that either search may bring, if not more are to be recalled."""
_BATCH = 64
"""Messages that are read at once."""
_LONGEST_READ = 16_000
"""Tokens of one message that a summarizer is to read."""
_LONGEST_TURN = 4096
"""Messages after which a turn is taken in in parts."""

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
        self._summarizer = summarizer
        self._pending_tokens = max(1, budget // 2)
        self._piece_tokens = max(60, min(exchanges.PIECE_TOKENS, budget // 8))
        self._clock = clock
        self._embedder_rests_until = self._summarizer_rests_until = float("-inf")

    async def aclose(self) -> None:
        """Free what embedder and summarizer hold."""
        await self.embedder.aclose()
        if self._summarizer is not None:
            await self._summarizer.aclose()

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
        query = text if len(text) <= 2 * _QUERY else f"{text[:_QUERY]}\n{text[-_QUERY:]}"
        try:
            async with asyncio.timeout(RECALL_SECONDS):
                vector = await self._vector(query, seconds=0.6 * RECALL_SECONDS)
                candidates = await store.recall(
                    self.partition(user, session_id),
                    query=query,
                    vector=vector,
                    embedder=self.embedder.name,
                    limit=max(_FOUND, self._limit),
                    unseen=None if seen is None else (user, session_id, seen),
                )
        except (StoreError, TimeoutError) as error:
            _log.warning("Nothing was recalled: %s", _told(error))
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

    async def take_in(self, store: MemoryStore, untaken: Untaken, *, final: bool = False) -> int:
        """Take in a session's messages after its mark, as far as their turns are finished; how many memories were made.

        In scope `summaries_only` this does nothing until it is due; `final` (the session ends now) makes it due.

        Raises:
            StoreError: the database failed; what was not taken in will be.
        """
        if self.scope == "summaries_only":
            return await self._summarize(store, untaken, final=final)
        made = 0
        mark = untaken.mark
        while turns := await self._read(store, untaken, mark):
            memories = await self._memories(turns, mark)
            upto = mark + sum(len(turn) for turn in turns)
            if not await self._store(store, untaken, mark, upto, memories):
                break
            made += len(memories)
            mark = upto
        return made

    async def embed_missing(self, store: MemoryStore, on_progress: Callable[[int, int], None] | None = None) -> int:
        """Give this agent's memories the vectors that they lack, as after a change of the embedder; see `embedders.reindex`.

        An embedder that failed rests first: then this does nothing.

        Raises:
            StoreError: the database failed.
        """
        if self._clock() < self._embedder_rests_until:
            return 0
        try:
            return await embedders.reindex(store, self.embedder, on_progress, agents=[self.agent])
        except ModelError as error:
            self._let_embedder_rest(error)
            return 0

    async def _read(self, store: MemoryStore, untaken: Untaken, mark: int) -> list[Sequence[Message]]:
        """The next whole turns after the mark, without the one that runs."""
        session = untaken.session
        limit = _BATCH
        while mark < untaken.upto:
            messages = await store.messages_between(
                session.user, session.session_id, after=mark, upto=untaken.upto, limit=limit
            )
            turns = exchanges.turns(messages)
            if turns and turns[-1][-1].turn_id == session.running_turn:
                return turns[:-1]
            if len(messages) < limit or limit >= _LONGEST_TURN:
                return turns
            if len(turns) > 1:
                return turns[:-1]  # the last one may go on
            limit *= 4
        return []

    async def _memories(self, turns: Sequence[Sequence[Message]], mark: int) -> list[NewMemory]:
        found: list[NewMemory] = []
        for turn in turns:
            exchange = exchanges.exchange_of(turn, first_position=mark + 1)
            mark += len(turn)
            if exchange is not None:
                texts = await exchanges.pieces(exchange, limit=self._piece_tokens, counter=self._counter)
                found += [await self._memory(text, exchange) for text in texts]
        return found

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

    async def _store(
        self,
        store: MemoryStore,
        untaken: Untaken,
        mark: int,
        upto: int,
        memories: Sequence[NewMemory],
        *,
        replaces: bool = False,
    ) -> bool:
        vectors = await self._vectors([memory.text for memory in memories])
        return await store.take_in(
            untaken.session.user,
            untaken.session.session_id,
            scope=self.scope,
            mark=mark,
            upto=upto,
            memories=[replace(memory, vector=vector) for memory, vector in zip(memories, vectors, strict=True)],
            embedder=self.embedder.name,
            replace=replaces,
        )

    # -- summaries

    async def _summarize(self, store: MemoryStore, untaken: Untaken, *, final: bool) -> int:
        idle = datetime.now(UTC) - untaken.idle_since >= IDLE
        due = final or idle or untaken.session.status != "active"
        made = 0
        mark = untaken.mark
        while self._clock() >= self._summarizer_rests_until:
            turns = _upto_tokens(await self._read(store, untaken, mark), self._pending_tokens)
            tokens = sum(message.tokens for turn in turns for message in turn)
            if not turns or not (due or tokens >= self._pending_tokens):
                break
            upto = mark + sum(len(turn) for turn in turns)
            memory = await self._folded(store, untaken, turns, mark)
            if memory is None or not await self._store(store, untaken, mark, upto, memory, replaces=bool(memory)):
                break
            made += len(memory)
            mark = upto
        return made

    async def _folded(
        self, store: MemoryStore, untaken: Untaken, turns: Sequence[Sequence[Message]], mark: int
    ) -> list[NewMemory] | None:
        """The session's new summary; nothing where the turns say nothing, None where the summarizer failed."""
        telling = [turn for turn in turns if exchanges.exchange_of(turn, first_position=1) is not None]
        if not telling:
            return []
        session = untaken.session
        previous = await store.summary_memory_of(session.user, session.session_id)
        messages = [_cut(message) for turn in telling for message in turn]
        try:
            text = await self._ask_summarizer(previous, messages, mark)
        except ModelError as error:
            self._summarizer_rests_until = self._clock() + REST
            _log.warning("A session could not be summarized, which is tried again later: %s", _told(error))
            return None
        last = turns[-1][-1]
        return [
            NewMemory(
                memory_id=new_id("mem"),
                kind="summary",
                text=text,
                tokens=await self._counter.count(text),
                message_ids=(last.message_id,),
                last_position=mark + sum(len(turn) for turn in turns),
                created_at=last.created_at,
            )
        ]

    async def _ask_summarizer(self, previous: Memory | None, messages: Sequence[Message], mark: int) -> str:
        if self._summarizer is None:
            raise ModelError("There is no summarizer.")
        before = None
        if previous is not None:
            before = Summary(
                text=previous.text,
                tokens=previous.tokens,
                message_id=previous.message_ids[-1],
                position=mark,
                created_at=previous.created_at,
            )
        text = (await self._summarizer.summarize(before, messages)).strip()
        if not text:
            raise ModelError("The summarizer said nothing.")
        return text

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
        if not texts or self._clock() < self._embedder_rests_until:
            return nothing
        try:
            vectors = await self.embedder.embed(texts)
        except ModelError as error:
            self._let_embedder_rest(error)
            return nothing
        return vectors

    def _let_embedder_rest(self, error: Exception) -> None:
        self._embedder_rests_until = self._clock() + REST
        _log.warning("The embedder %s rests for %d s: %s", self.embedder.name, REST, _told(error))


def _told(error: Exception) -> str:
    """An error without any text of the conversation."""
    return f"{type(error).__name__}" if isinstance(error, TimeoutError) else str(error)


def _upto_tokens(turns: Sequence[Sequence[Message]], most: int) -> list[Sequence[Message]]:
    """The first turns that together have about so many tokens, at least one."""
    found: list[Sequence[Message]] = []
    tokens = 0
    for turn in turns:
        if found and tokens >= most:
            break
        found.append(turn)
        tokens += sum(message.tokens for message in turn)
    return found


def _cut(message: Message) -> Message:
    """The message without thinking; of a very large one the beginning."""
    if message.tokens <= _LONGEST_READ:
        return replace(message, thinking="")
    return replace(message, thinking="", tokens=_LONGEST_READ, content=message.content[: 4 * _LONGEST_READ])
