"""The full-text index of a SQLite store: which words are in which title or message. Inside one transaction.

The words are folded before they come here, so that all stores find the same. The index is in parts, of which each has the texts of
every n-th session: what is erased is no longer found at once, but leaves the pages only when its part is merged (`sqlite_shredder`),
which takes as long as the part is large. A search asks all parts.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hector_nb.stores import codec, sql
from hector_nb.stores.sql_database import TextIndex
from hector_nb.stores.sqlite_reading import SQLiteReading

if TYPE_CHECKING:
    from hector_nb.stores.sqlite_database import SQLiteDatabase

PARTS = 16
"""As many as the tables `texts_…`."""
_SQL = sql.queries("texts")
_PARTS = [{name: query.replace("{texts}", f"texts_{n}") for name, query in _SQL.items()} for n in range(PARTS)]
_ERASE_ALL = sql.queries("moving")["erase_texts"]
_MUST_MERGE = sql.queries("shredder")["must_merge"]
_MERGED_PAGES = 32
"""Pages of the index written in one step of a merge."""


class SQLiteTexts(TextIndex):
    """A `TextIndex` of FTS5."""

    def __init__(self, db: "SQLiteDatabase") -> None:
        self._db = db

    def add_title(self, session: int, title: str) -> None:
        """See `TextIndex`."""
        self._db.run(_PARTS[session % PARTS]["insert_title"], {"session": session, "words": codec.searched(title)})

    def add_message(self, session: int, position: int, content: str) -> None:
        """See `TextIndex`."""
        self._db.run(
            _PARTS[session % PARTS]["insert_text"],
            {"session": session, "position": position, "words": codec.searched(content)},
        )

    def add_messages(self, session: int) -> None:
        """See `TextIndex`."""
        self._db.run(_PARTS[session % PARTS]["insert_texts"], {"session": session})

    def erase_title(self, session: int) -> None:
        """See `TextIndex`."""
        self._db.run(_PARTS[session % PARTS]["erase_title"], {"session": session})
        self._must_merge(session)

    def erase_messages(self, session: int, *, after: int) -> None:
        """See `TextIndex`."""
        self._db.run(_PARTS[session % PARTS]["erase_texts"], {"session": session, "after": after})
        self._must_merge(session)

    def erase_everything(self) -> None:
        """Let nothing be found any more."""
        for part in range(PARTS):
            self._db.run(_ERASE_ALL.replace("{texts}", f"texts_{part}"))

    def reading(self, starts: Sequence[str]) -> SQLiteReading:
        """See `TextIndex`."""
        return SQLiteReading(self._db, starts)

    def with_words(self, starts: Sequence[str]) -> set[int]:
        """See `TextIndex`."""
        match = " ".join(f'"{start}"*' for start in starts)
        return {session for part in _PARTS for (session,) in self._db.run(part["sessions_with"], {"words": match})}

    def _must_merge(self, session: int) -> None:
        self._db.run(_MUST_MERGE, {"part": session % PARTS})
        self._db.untidy = True


def merge(db: "SQLiteDatabase", part: int) -> bool:
    """One step towards a part of the index without what was erased, a few milliseconds long; whether there was something to do."""
    before = db.connection.total_changes()
    db.run(_PARTS[part]["merge"], {"pages": -_MERGED_PAGES})
    return bool(db.connection.total_changes() - before >= 2)  # so FTS5 tells
