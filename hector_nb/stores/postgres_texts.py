"""The full-text index of a PostgreSQL store: the folded words of each title and message, in one GIN index. Inside one transaction."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from hector_nb.stores import codec, sql
from hector_nb.stores.sql_database import Place, TextIndex, Values

if TYPE_CHECKING:
    from hector_nb.stores.postgres_database import PostgresDatabase

_SQL = sql.queries("postgres_texts")
_READ_TEXTS = 300
"""Texts in which a search looks, in the newest sessions, before it asks the index."""
_MOST_OF_ONE = 100
"""Texts of one session in which it looks; what lies beyond them is left to the index."""
_SESSIONS = 64
"""Sessions of which it asks at once."""


class PostgresTexts(TextIndex):
    """A `TextIndex` of PostgreSQL."""

    def __init__(self, db: "PostgresDatabase") -> None:
        self._db = db

    def add_title(self, session: int, title: str) -> None:
        """See `TextIndex`."""
        self.add_message(session, 0, title)

    def add_message(self, session: int, position: int, content: str) -> None:
        """See `TextIndex`."""
        words = codec.searched(content)
        if words:
            self._db.run(_SQL["put_text"], {"session": session, "position": position, "words": words})
        elif position == 0:
            self.erase_title(session)

    def add_messages(self, session: int) -> None:
        """See `TextIndex`."""
        messages = self._db.all(_SQL["messages_of"], {"session": session})
        found = ((position, codec.searched(content)) for position, content in messages)
        self._db.run_many(
            _SQL["put_text"],
            [{"session": session, "position": position, "words": words} for position, words in found if words],
        )

    def erase_title(self, session: int) -> None:
        """See `TextIndex`."""
        self._db.run(_SQL["erase_title"], {"session": session})

    def erase_messages(self, session: int, *, after: int) -> None:
        """See `TextIndex`."""
        self._db.run(_SQL["erase_texts"], {"session": session, "after": after})

    def reading(self, starts: Sequence[str]) -> "PostgresReading":
        """See `TextIndex`."""
        return PostgresReading(self._db, _asked(starts))

    def with_words(self, starts: Sequence[str]) -> set[int]:
        """See `TextIndex`."""
        return {session for (session,) in self._db.run(_SQL["sessions_with"], {"words": _asked(starts)})}


def _asked(starts: Sequence[str]) -> str:
    return " & ".join(f"'{start}':*" for start in starts)


class PostgresReading:
    """A `Reading` of texts, in which the server looks for many sessions at once."""

    def __init__(self, db: "PostgresDatabase", words: str) -> None:
        self.left = _READ_TEXTS
        self._db = db
        self._words = words

    def found(self, places: Iterator[Place]) -> Iterator[Place]:
        """See `Reading`."""
        while some := list(islice(places, _SESSIONS)):
            if self.left <= 0:
                self.left = -1
                return
            keys = json.dumps([key for _, key in some])
            values: Values = {"keys": keys, "words": self._words, "most": _MOST_OF_ONE}
            read = {key: (count, found) for key, count, found in self._db.run(_SQL["look_into"], values)}
            self.left = max(0, self.left - sum(count for count, _ in read.values()))
            for place in some:
                count, found = read[place[1]]
                if found:
                    yield place
                elif count == _MOST_OF_ONE:
                    self.left = -1
                    return
