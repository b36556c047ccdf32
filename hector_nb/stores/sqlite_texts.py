"""The full-text index of a SQLite store: which words are in which title or message. Functions run inside one transaction.

The words are folded before they come here, so that both stores find the same. What is erased is no longer found at once; it leaves
the file when the index is merged, which the writer does while nobody waits.
"""

from collections.abc import Sequence
from contextlib import closing

from hector_nb.stores import codec, sql
from hector_nb.stores.sqlite_database import Database

_SQL = sql.queries("texts")
_MERGED_PAGES = 64
"""Pages of the index written in one step of a merge."""
_COST_OF_A_TEXT = 100
"""What it costs to read a text, in characters."""


def add_title(db: Database, session: int, title: str) -> None:
    """Let a listed session be found by its title, and by no other that it had before."""
    db.run(_SQL["insert_title"], {"session": session, "words": codec.searched(title)})


def add_messages(db: Database, session: int, *, after: int) -> None:
    """Let a listed session be found by its messages after a position."""
    db.run(_SQL["insert_texts"], {"session": session, "after": after})


def erase_title(db: Database, session: int) -> None:
    """Let a session no longer be found by its title."""
    db.run(_SQL["erase_title"], {"session": session})
    _must_merge(db)


def erase_messages(db: Database, session: int, *, after: int) -> None:
    """Let a session no longer be found by its messages after a position."""
    db.run(_SQL["erase_texts"], {"session": session, "after": after})
    _must_merge(db)


def _must_merge(db: Database) -> None:
    db.run(_SQL["must_merge"])
    db.erased = True


def unmerged(db: Database) -> bool:
    """Whether something erased may still be in the file."""
    return bool(db.value(_SQL["is_unmerged"]))


def merge(db: Database) -> None:
    """One step towards an index without what was erased, a few milliseconds long."""
    before = db.connection.total_changes()
    db.run(_SQL["merge"], {"pages": -_MERGED_PAGES})
    if db.connection.total_changes() - before < 2:  # so FTS5 tells that nothing is left to merge
        db.run(_SQL["merged"])


def with_words(db: Database, starts: Sequence[str]) -> set[int]:
    """All sessions with a text in which each of these begins a word."""
    match = " ".join(f'"{start}"*' for start in starts)
    return {session for (session,) in db.run(_SQL["sessions_with"], {"words": match})}


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
