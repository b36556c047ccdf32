"""The full-text index of a SQLite store: which words are in which title or message. Functions run inside one transaction.

The words are folded before they come here, so that both stores find the same. The index is in parts, of which each has the texts of
every so-manieth session: what is erased is no longer found at once, but leaves the pages only when its part is merged (`sqlite_shredder`),
which takes as long as the part is large. A search asks all parts.
"""

from collections.abc import Sequence
from contextlib import closing

from hector_nb.stores import codec, sql
from hector_nb.stores.sqlite_database import Database

PARTS = 16
"""As many as the tables `texts_…`."""
_SQL = sql.queries("texts")
_PARTS = [{name: query.replace("{texts}", f"texts_{n}") for name, query in _SQL.items()} for n in range(PARTS)]
_MUST_MERGE = sql.queries("shredder")["must_merge"]
_MERGED_PAGES = 32
"""Pages of the index written in one step of a merge."""
_COST_OF_A_TEXT = 100
"""What it costs to read a text, in characters."""


def add_title(db: Database, session: int, title: str) -> None:
    """Let a listed session be found by its title, and by no other that it had before."""
    db.run(_PARTS[session % PARTS]["insert_title"], {"session": session, "words": codec.searched(title)})


def add_messages(db: Database, session: int, *, after: int) -> None:
    """Let a listed session be found by its messages after a position."""
    db.run(_PARTS[session % PARTS]["insert_texts"], {"session": session, "after": after})


def erase_title(db: Database, session: int) -> None:
    """Let a session no longer be found by its title."""
    db.run(_PARTS[session % PARTS]["erase_title"], {"session": session})
    _must_merge(db, session)


def erase_messages(db: Database, session: int, *, after: int) -> None:
    """Let a session no longer be found by its messages after a position."""
    db.run(_PARTS[session % PARTS]["erase_texts"], {"session": session, "after": after})
    _must_merge(db, session)


def _must_merge(db: Database, session: int) -> None:
    db.run(_MUST_MERGE, {"part": session % PARTS})
    db.untidy = True


def merge(db: Database, part: int) -> bool:
    """One step towards a part of the index without what was erased, a few milliseconds long; whether there was something to do."""
    before = db.connection.total_changes()
    db.run(_PARTS[part]["merge"], {"pages": -_MERGED_PAGES})
    return bool(db.connection.total_changes() - before >= 2)  # so FTS5 tells


def with_words(db: Database, starts: Sequence[str]) -> set[int]:
    """All sessions with a text in which each of these begins a word."""
    match = " ".join(f'"{start}"*' for start in starts)
    return {session for part in _PARTS for (session,) in db.run(part["sessions_with"], {"words": match})}


class Reading:
    """Looks into the texts of sessions one by one, for what is so common that the index would name too many.

    `left` is the number of characters that may still be read; below zero, an answer means nothing.
    """

    def __init__(self, db: Database, starts: Sequence[str], *, most_chars: int) -> None:
        self.left = most_chars
        self._db = db
        self._starts = starts

    def finds(self, session: int) -> bool:
        """Whether a text of the session has a word for each of the starts."""
        with closing(self._db.run(_SQL["texts_of"], {"session": session})) as texts:
            for (text,) in texts:
                self.left -= _COST_OF_A_TEXT + min(len(text), codec.SEARCHED_CHARS)
                if self.left < 0 or codec.finds(self._starts, text):
                    return True
        return False
