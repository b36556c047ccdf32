"""What the SQL of a store runs on: a connection in a transaction, to whichever database.

Above are the plain functions of `sql_sessions`, `sql_turns` and their like, which are the same for every database; below are
`sqlite_database` and `postgres_database`. Queries are written in what SQLite and PostgreSQL share, with parameters like `:name`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Values = Mapping[str, str | int | float | bytes | None]
Place = tuple[int, int]
"""When a session was last active, and its key."""


class Database(ABC):
    """A connection, and what one transaction on it touches."""

    def __init__(self) -> None:
        self.changed: set[str] = set()
        """Ids of the sessions that this transaction changes."""
        self.erased = False
        """Whether something was erased that must have left the files before the caller is told."""

    @property
    @abstractmethod
    def texts(self) -> "TextIndex":
        """By which words sessions are found."""

    @abstractmethod
    def now(self) -> int:
        """The time by the clock that all who share the database go by, in microseconds since 1970."""

    @abstractmethod
    def run(self, query: str, values: Values | None = None) -> Iterable[Any]:
        """Run a statement; its rows are read from what is returned."""

    @abstractmethod
    def ask(self, query: str, values: Values | None = None) -> Iterable[Any]:
        """Run a statement whose rows, all of which are wanted, need not be there before something else is run or asked."""

    @abstractmethod
    def lazily(self, query: str, values: Values | None = None) -> AbstractContextManager[Iterator[Any]]:
        """The rows of a query of which perhaps only the first are wanted."""

    @abstractmethod
    def one(self, query: str, values: Values | None = None) -> Any:
        """The first row, None where there is none."""

    @abstractmethod
    def all(self, query: str, values: Values | None = None) -> list[Any]:
        """All rows."""

    @abstractmethod
    def count(self, query: str, values: Values | None = None) -> int:
        """Run a statement; how many rows it changed."""

    @abstractmethod
    def lock(self, what: str, **values: str | int) -> None:
        """Let nobody else change this until the transaction is over; where there is only one who writes, nothing is done.

        `what` is the name of a query of `locks`.
        """

    @abstractmethod
    def put_vector(self, partition: int, memory: int, vector: bytes, embedder: int) -> None:
        """Give a memory a vector instead of the one that it has."""

    @abstractmethod
    def erase_vector(self, partition: int, memory: int) -> None:
        """Take a memory's vector away."""

    @abstractmethod
    def vectors(self) -> Iterator[tuple[int, int, int, bytes]]:
        """All vectors: partition, memory, embedder, and the vector."""

    @abstractmethod
    def run_many(self, query: str, values: Sequence[Values]) -> None:
        """Run a statement that has no rows for each of these values."""

    @abstractmethod
    def erase_everything(self, tables: Sequence[str]) -> None:
        """Erase all rows of these tables, of which each refers only to those before it, and all that is found by them."""

    @abstractmethod
    def rows_were_given_keys(self, tables: Sequence[str]) -> None:
        """Rows with keys of another database were added: new ones get later keys."""

    def value(self, query: str, values: Values | None = None) -> Any:
        """The first row's first value, None where there is no row."""
        row = self.one(query, values)
        return None if row is None else row[0]


class TextIndex(Protocol):
    """Which words are in which title or message of listed sessions. The words are folded as `codec.searched` does."""

    def add_title(self, session: int, title: str) -> None:
        """Let a session be found by its title, and by no other that it had before."""
        ...

    def add_message(self, session: int, position: int, content: str) -> None:
        """Let a session be found by a message."""
        ...

    def add_messages(self, session: int) -> None:
        """Let a session be found by all its messages."""
        ...

    def erase_title(self, session: int) -> None:
        """Let a session no longer be found by its title."""
        ...

    def erase_messages(self, session: int, *, after: int) -> None:
        """Let a session no longer be found by its messages after a position."""
        ...

    def reading(self, starts: Sequence[str]) -> "Reading":
        """Looking for texts in which each of these begins a word, in sessions one after another."""
        ...

    def with_words(self, starts: Sequence[str]) -> set[int]:
        """All sessions with a text in which each of these begins a word."""
        ...


class Reading(Protocol):
    """Looking into sessions in their order, for what is so common that an index would name too many.

    `left` is how much may still be read; below zero, what was found means nothing.
    """

    left: int

    def found(self, places: Iterator[Place]) -> Iterator[Place]:
        """Those of the sessions that have the words, as long as something may be read."""
        ...
