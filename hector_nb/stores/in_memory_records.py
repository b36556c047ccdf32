"""What the in-memory store keeps: sessions with their transcripts and turns, and which request made what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hector_nb.approvals import Approval
from hector_nb.errors import MessageNotFound
from hector_nb.events import LoggedEvent
from hector_nb.messages import Message
from hector_nb.sessions import Session, Turn
from hector_nb.stores import codec
from hector_nb.stores.base import KEEP_KEYS
from hector_nb.stores.base_approvals import ToolOutput


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
    approvals: dict[str, Approval] = field(default_factory=dict)

    def ask(self, approval: Approval) -> None:
        """Keep what is asked; a call that was asked for before is asked for anew."""
        approval = codec.stored_approval(replace(approval, turn_id=self.turn.turn_id, session_id=self.turn.session_id))
        self.approvals.pop(approval.call_id, None)
        self.approvals[approval.call_id] = approval

    def waits(self, now: datetime) -> bool:
        """Whether it cannot go on without somebody's word, or more time."""
        asked = (each.decision is None and each.deadline > now for each in self.approvals.values())
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

    def forgettable(self, now: datetime) -> bool:
        """Whether it is a one-off session of which nothing is needed any more."""
        ended = (kept.turn.finished and (kept.events_until is None or kept.events_until <= now) for kept in self.turns)
        return not self.session.listed and all(ended)

    def place(self) -> tuple[int, int]:
        """Where it stands in a listing."""
        return codec.to_micros(self.session.last_active_at), self.key
