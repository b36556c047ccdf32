"""Looking into the texts of sessions one by one, for what is so common that an index would name too many."""

from collections.abc import Sequence

from hector_nb.stores import codec, sql
from hector_nb.stores.sql_database import Database

_TEXTS_OF = sql.queries("sessions")["texts_of"]
_COST_OF_A_TEXT = 100
"""What it costs to read a text, in characters."""


class Reading:
    """Looks into the texts of sessions.

    `left` is the number of characters that may still be read; below zero, an answer means nothing.
    """

    def __init__(self, db: Database, starts: Sequence[str], *, most_chars: int) -> None:
        self.left = most_chars
        self._db = db
        self._starts = starts

    def finds(self, session: int) -> bool:
        """Whether a text of the session has a word for each of the starts."""
        with self._db.lazily(_TEXTS_OF, {"session": session}) as texts:
            for (text,) in texts:
                self.left -= _COST_OF_A_TEXT + min(len(text), codec.SEARCHED_CHARS)
                if self.left < 0 or codec.finds(self._starts, text):
                    return True
        return False
