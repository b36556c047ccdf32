"""Looking into the texts of a SQLite store's sessions one by one, for what is so common that an index would name too many."""

from collections.abc import Iterator, Sequence

from hector_nb.stores import codec, sql
from hector_nb.stores.sql_database import Database, Place

_TEXTS_OF = sql.queries("sessions")["texts_of"]
_READ_CHARS = 60_000
"""Characters that are read before the index is asked."""
_COST_OF_A_TEXT = 100
"""What it costs to read a text, in characters."""


class SQLiteReading:
    """A `Reading` of characters."""

    def __init__(self, db: Database, starts: Sequence[str]) -> None:
        self.left = _READ_CHARS
        self._db = db
        self._starts = starts

    def found(self, places: Iterator[Place]) -> Iterator[Place]:
        """See `Reading`."""
        for place in places:
            if self._finds(place[1]):
                yield place
            if self.left < 0:
                return

    def _finds(self, session: int) -> bool:
        with self._db.lazily(_TEXTS_OF, {"session": session}) as texts:
            for (text,) in texts:
                self.left -= _COST_OF_A_TEXT + min(len(text), codec.SEARCHED_CHARS)
                if self.left < 0 or codec.finds(self._starts, text):
                    return True
        return False
