"""The full-text index of a PostgreSQL store: the folded words of each title and message, in one GIN index. Inside one transaction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hector_nb.stores import codec, sql
from hector_nb.stores.sql_database import TextIndex

if TYPE_CHECKING:
    from hector_nb.stores.postgres_database import PostgresDatabase

_SQL = sql.queries("postgres_texts")


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

    def with_words(self, starts: Sequence[str]) -> set[int]:
        """See `TextIndex`."""
        words = " & ".join(f"'{start}':*" for start in starts)
        return {session for (session,) in self._db.run(_SQL["sessions_with"], {"words": words})}
