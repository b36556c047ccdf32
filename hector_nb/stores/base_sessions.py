"""The port to sessions and their transcripts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from hector_nb.errors import InvalidRequest
from hector_nb.memories import Summary
from hector_nb.messages import Message
from hector_nb.sessions import Page, Session, SessionStatus

KEEP_KEYS = 86_400.0
"""Seconds for which it is remembered what an idempotency key was used for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Idempotency:
    """A caller's key for a request, and a fingerprint of the request, so that the same key cannot stand for two."""

    key: str
    fingerprint: str

    def check(self, fingerprint: str) -> None:
        """Compare with the request for which the key was used before.

        Raises:
            InvalidRequest: that was another one.
        """
        if fingerprint != self.fingerprint:
            raise InvalidRequest(
                "This idempotency key was used for another request.", hint="Use a new key for each new request."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """How much of the transcript to read, newest first: at most so many messages and tokens, and only what follows `after`, a position.

    `summarized`: the newest summary is wanted, and of the transcript only what follows it.
    """

    max_messages: int | None = None
    max_tokens: int | None = None
    after: int = 0
    summarized: bool = False

    def select(self, newest_first: Iterable[Message]) -> list[Message]:
        """The messages inside the limits, oldest first; no more are drawn from the iterable than are needed."""
        chosen: list[Message] = []
        tokens = 0
        for message in islice(newest_first, self.max_messages):
            tokens += message.tokens
            if self.max_tokens is not None and tokens > self.max_tokens:
                break
            chosen.append(message)
        return chosen[::-1]


class SessionStore(Protocol):
    """Sessions, from their beginning to their end."""

    async def create_session(self, session: Session, *, idempotency: Idempotency | None = None) -> tuple[Session, bool]:
        """Store a session; where its user has that id already, or has used the key already, the stored one and False.

        A key is remembered for `KEEP_KEYS` seconds, or until what it made is erased.

        Raises:
            Conflict: the id is in use with another agent.
            InvalidRequest: the key was used for another request.
        """
        ...

    async def get_session(self, user: str, session_id: str) -> Session | None:
        """One session, `expired` where its time has passed."""
        ...

    async def list_sessions(
        self,
        user: str,
        *,
        agent: str | None = None,
        status: SessionStatus | None = None,
        query: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Session]:
        """Listed sessions, newest activity first, at a cost that does not grow with their number.

        `query` finds sessions whose title or one of whose messages has, for each of its words, a word that begins with it. Case and
        accents do not matter, nothing in it is an operator, and its first 16 words count. Of a message the first 20,000 characters
        can be found.

        Raises:
            InvalidRequest: the cursor is not one of ours.
        """
        ...

    async def count_sessions(self) -> Mapping[SessionStatus, int]:
        """How many listed sessions of all users are in each state, all three named. What has expired unnoticed still counts as active.

        It reads an index once; call it once in a while.
        """
        ...

    async def update_session(
        self, user: str, session_id: str, *, title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Session:
        """Change what is given.

        Raises:
            SessionNotFound: there is no such session.
        """
        ...

    async def end_session(self, user: str, session_id: str) -> Session:
        """Mark it ended; no more turns can be queued. Ending an ended session changes nothing.

        Raises:
            SessionNotFound: there is no such session.
        """
        ...

    async def delete_session(self, user: str, session_id: str, *, forget: bool = False) -> bool:
        """Erase the session, its messages, turns, events, ledgers, summaries and session-scoped memories; False where there is none.

        What it gave to wider scopes stays, unless `forget`: then that goes too, in whatever partition it lies. What is erased has left
        the bytes of the database's files when this returns, unless another process holds them open for reading just then; it leaves
        them then as soon as that is over.
        """
        ...

    async def read_window(
        self, user: str, session_id: str, *, window: Window
    ) -> tuple[Summary | None, Sequence[Message], int]:
        """What a turn that began now would get: the summary, the history, and the position of its first message (or the next one).

        Raises:
            SessionNotFound: there is no such session.
        """
        ...

    async def list_messages(
        self, user: str, session_id: str, *, limit: int = 100, cursor: str | None = None
    ) -> Page[Message]:
        """The transcript, oldest first.

        Raises:
            SessionNotFound: there is no such session.
            InvalidRequest: the cursor is not one of ours.
        """
        ...

    async def import_session(self, session: Session, messages: Sequence[Message], *, take_in: bool = False) -> Session:
        """Store a session with its transcript; without a title it gets one from the user's first message.

        `take_in`: the session's mark stands before its first message; if not, after its last.

        Raises:
            Conflict: the id is in use.
        """
        ...

    async def fork_session(
        self, session_id: str, new: Session, *, after: str | None = None, take_in: bool = False
    ) -> Session:
        """Store `new` with a copy of another session's transcript (of the same user), up to the message `after` or whole.

        Summaries of what is copied are copied too. `take_in` as in `import_session`.

        Raises:
            SessionNotFound, MessageNotFound: there is nothing to copy.
        """
        ...

    async def rewind_session(self, user: str, session_id: str, *, after: str | None = None) -> Session:
        """Erase the messages that follow `after` (None: all), and the turns they belong to with their events and ledgers.

        For the bytes of the files the same holds as for `delete_session`.
        Summaries and memories that were made of an erased message go too. The mark moves back to the last message that is left; to the
        beginning where a memory of kind `summary` went.

        Raises:
            SessionNotFound, MessageNotFound: there is nothing to rewind to.
            SessionBusy: a turn is unfinished.
        """
        ...

    async def expire_sessions(self, *, limit: int = 100) -> Sequence[Session]:
        """Mark sessions whose time has passed, a bounded number of them; each is returned once in all processes.

        A session with an unfinished turn waits until that is finished.
        """
        ...
