"""What the in-memory store keeps: sessions with their transcripts and turns, and which request made what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hector_nb.approvals import Approval
from hector_nb.errors import MessageNotFound
from hector_nb.events import LoggedEvent
from hector_nb.memories import Memory, Summary
from hector_nb.messages import Message
from hector_nb.sessions import Session, Turn
from hector_nb.stores import codec, keywords
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_memories import LedgerRecord, Partition, Untaken
from hector_nb.stores.base_sessions import KEEP_KEYS, Window


@dataclass(kw_only=True, eq=False)
class KeptTurn:
    """A turn, its log, and the user's message, whose `position` is None while it is not in the transcript."""

    turn: Turn
    holder: str
    input: Message
    position: int | None = None
    number: int = 0
    cancel: bool = False
    log: list[LoggedEvent] = field(default_factory=list)
    events_until: datetime | None = None
    ledger: LedgerRecord | None = None
    approvals: dict[str, Approval] = field(default_factory=dict)

    def ask(self, approval: Approval) -> None:
        """Keep what is asked; a call that was asked for before is asked for anew."""
        approval = codec.stored_approval(replace(approval, turn_id=self.turn.turn_id, session_id=self.turn.session_id))
        self.approvals.pop(approval.call_id, None)
        self.approvals[approval.call_id] = approval

    def waits(self, now: datetime, *, holder: str) -> bool:
        """Whether it cannot go on at `holder` without somebody's word, or more time."""
        elsewhere = self.holder.partition(".")[2] != holder.partition(".")[2]
        asked = (
            (each.decision is None and each.deadline > now) or (each.decision == "approve" and elsewhere)
            for each in self.approvals.values()
        )
        return self.turn.status == "waiting" and not self.cancel and any(asked)


@dataclass(frozen=True, kw_only=True)
class KeptRequest:
    """What was made with an idempotency key: a session, or a turn in it."""

    fingerprint: str
    session: "KeptSession"
    turn_id: str | None
    made_at: datetime

    def known(self, now: datetime) -> bool:
        """Whether the key still counts."""
        return self.made_at > now - timedelta(seconds=KEEP_KEYS)


@dataclass(kw_only=True, eq=False)
class KeptSession:
    """A session, its transcript and its turns in their order."""

    key: int
    session: Session
    messages: list[Message] = field(default_factory=list)
    user_messages: int = 0
    turns: list[KeptTurn] = field(default_factory=list)
    outputs: dict[tuple[int, str], str] = field(default_factory=dict)
    """By the positions of their messages and the ids of their calls."""
    mark: int = 0
    summaries: list[Summary] = field(default_factory=list)

    def unfinished(self) -> list[KeptTurn]:
        """The running turn and the queued ones."""
        return [kept for kept in self.turns if not kept.turn.finished]

    def append(self, message: Message) -> int:
        """Append to the transcript; the message's position."""
        message = codec.stored_message(message)
        self.messages.append(message)
        self.user_messages += message.role == "user"
        counted = self.session.token_count + message.tokens
        self.session = replace(self.session, message_count=len(self.messages), token_count=counted)
        return len(self.messages)

    def append_input(self, kept: KeptTurn) -> None:
        """Move the user's message of a turn to the transcript, where it is not there yet."""
        if kept.position is None:
            kept.position = self.append(kept.input)
            kept.number = self.user_messages
            self.name(kept.input.content)

    def name(self, message: str) -> None:
        """Take a title from a message, where there is none."""
        if not self.session.title:
            self.session = replace(self.session, title=codec.title_of(message))

    def found_by(self, starts: Sequence[str]) -> bool:
        """Whether a text has a word for each of these."""
        texts = (self.session.title, *(message.content for message in self.messages))
        return bool(starts) and any(codec.finds(starts, text) for text in texts)

    def seen(self, now: datetime) -> Session:
        """The session as it is at this time."""
        runs = (kept.turn.turn_id for kept in self.unfinished() if kept.turn.status != "queued")
        return codec.seen_at(replace(self.session, running_turn=next(runs, None)), now)

    def keep_outputs(self, outputs: Sequence[ToolOutput], positions: Mapping[str | None, int]) -> None:
        """Keep outputs beside their messages, or where the next message will be."""
        for output in outputs:
            position = positions.get(output.call_id, len(self.messages) + 1)
            self.outputs[position, codec.clean(output.call_id)] = codec.clean(output.text)

    def outputs_upto(self, position: int) -> dict[tuple[int, str], str]:
        """The outputs of the messages up to a position."""
        return {place: text for place, text in self.outputs.items() if place[0] <= position}

    def position_of(self, message_id: str) -> int:
        """The position of a message.

        Raises:
            MessageNotFound: there is no such message.
        """
        for position, message in enumerate(self.messages, 1):
            if message.message_id == message_id:
                return position
        raise MessageNotFound(f"There is no message {message_id!r} in this session.")

    def view(self, window: Window, *, before: int) -> tuple[Summary | None, list[Message]]:
        """The summary and the messages before a position that a window asks for."""
        covered = [summary for summary in self.summaries if summary.position < before]
        summary = covered[-1] if window.summarized and covered else None
        after = max(window.after, summary.position if summary else 0)
        return summary, window.select(reversed(self.messages[after : before - 1]))

    def shorten(self, upto: int) -> None:
        """Keep the messages up to a position, with their outputs, and the summaries of these."""
        rest = self.messages[:upto]
        self.messages, self.user_messages = [], 0
        self.session = replace(self.session, message_count=0, token_count=0)
        for message in rest:
            self.append(message)
        self.outputs = self.outputs_upto(upto)
        self.summaries = [summary for summary in self.summaries if summary.position <= upto]
        self.mark = min(self.mark, upto)

    def untaken(self, now: datetime) -> Untaken | None:
        """What long-term memory has not taken in."""
        upto = len(self.messages)
        if not self.session.listed or self.mark >= upto:
            return None
        idle_since = self.messages[-1].created_at
        return Untaken(session=self.seen(now), mark=self.mark, upto=upto, idle_since=idle_since)

    def forgettable(self, now: datetime) -> bool:
        """Whether it is a one-off session of which nothing is needed any more."""
        ended = (kept.turn.finished and (kept.events_until is None or kept.events_until <= now) for kept in self.turns)
        return not self.session.listed and all(ended)

    def place(self) -> tuple[int, int]:
        """Where it stands in a listing."""
        return codec.to_micros(self.session.last_active_at), self.key


@dataclass(kw_only=True, eq=False)
class KeptMemory:
    """A memory, where it lies and comes from (None: that session was deleted), its former versions, and what it is found by."""

    key: int
    memory: Memory
    partition: Partition
    session: KeptSession | None
    last_position: int
    vector: bytes | None = None
    embedder: str = ""
    versions: dict[int, Memory] = field(default_factory=dict)
    words: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        self.words = keywords.stems(self.memory.text)

    def correct(self, memory: Memory) -> None:
        """Give it another text."""
        self.versions[self.memory.version] = self.memory
        self.memory = memory
        self.words = keywords.stems(memory.text)
        self.vector = None

    def shown_in(self, session: KeptSession, position: int) -> bool:
        """Whether whoever sees a session's messages from a position on sees what it was made of."""
        return self.session is session and self.last_position >= position

    def of_version(self, version: int) -> Memory | None:
        """The memory as it was, or is."""
        return self.memory if version == self.memory.version else self.versions.get(version)

    def place(self) -> tuple[int, int]:
        """Where it stands in a listing."""
        return codec.to_micros(self.memory.created_at), self.key
