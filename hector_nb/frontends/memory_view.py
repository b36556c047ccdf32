"""What is remembered, as values in a notebook: as text, as HTML, as a data frame."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from hector_nb.frontends.inspection_html import Titles, day, framed, memory_table, note, scored, title
from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.frontends.render import plain_line
from hector_nb.frontends.words import shortened
from hector_nb.memories import Memory, RecalledMemory, SessionMemory

_NO_TITLES: Titles = MappingProxyType({})
_COLUMNS = ("memory_id", "text", "kind", "scope", "user", "session_id", "tokens", "created_at", "corrected_at")
_SCOPES = {
    "session": "this session's exchanges",
    "conversational": "your conversations with this agent",
    "all": "everybody's conversations with this agent",
    "summaries_only": "summaries of your sessions with this agent",
}


class MemoryListing(list[Memory]):
    """Memories, newest first, or best first with their scores in `recalled`, as a table.

    `titles` are those of the sessions that they come from; `empty` is said where there are none.
    """

    def __init__(self, memories: Sequence[Memory | RecalledMemory], *, empty: str, titles: Titles = _NO_TITLES) -> None:
        self.recalled = [each for each in memories if isinstance(each, RecalledMemory)]
        super().__init__(each.memory if isinstance(each, RecalledMemory) else each for each in memories)
        self._empty = empty
        self._titles = titles

    def to_dataframe(self) -> Any:
        """One row a memory, as a `pandas.DataFrame`.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas

        rows: list[dict[str, Any]] = [{name: getattr(memory, name) for name in _COLUMNS} for memory in self]
        for row, recalled in zip(rows, self.recalled, strict=False):
            row["score"] = recalled.score
        return pandas.DataFrame(rows, columns=[*_COLUMNS, "score"] if self.recalled else _COLUMNS)

    def __repr__(self) -> str:
        return "\n".join(line for at, memory in enumerate(self) for line in self._lines(at, memory)) or plain_line(
            self._empty
        )

    def _repr_html_(self) -> str:
        return framed(self.html())

    def html(self) -> str:
        """The table alone."""
        if not self:
            return note(self._empty)
        scores = [scored(each.score, each.keyword, each.vector) for each in self.recalled]
        return memory_table(self, scores, self._titles)

    def _lines(self, at: int, memory: Memory) -> list[str]:
        score = f"{self.recalled[at].score:.2f}  " if self.recalled else ""
        told = [memory.memory_id, self._titles.get(memory.session_id) or memory.session_id, day(memory.created_at)]
        if memory.corrected_at:
            told.append(f"corrected {day(memory.corrected_at)}")
        indent = " " * (len(score) + 2)
        return [f"{score}{shortened(plain_line(memory.text), 80 - len(score))}", indent + plain_line(" · ".join(told))]


class MemoryView:
    """What a session remembers: `context` is what its model would see now, `memories` a page of what it may recall."""

    def __init__(self, memory: SessionMemory, *, context: LedgerView, titles: Titles = _NO_TITLES) -> None:
        self.memory = memory
        self.context = context
        empty = "Nothing is kept yet." if memory.scope else "This agent has no long-term memory."
        self.memories = MemoryListing(memory.memories, empty=empty, titles=titles)

    @property
    def tokens(self) -> int:
        """What stands against the budget."""
        return self.context.tokens

    @property
    def budget(self) -> int:
        """In tokens."""
        return self.context.budget

    def to_dataframe(self) -> Any:
        """One row a part of the context; `memories.to_dataframe()` has the memories.

        Raises:
            ImportError: pandas is not installed.
        """
        return self.context.to_dataframe()

    def table(self) -> str:
        """The whole as text."""
        pending = f"\n{self._pending()}" if self._pending() else ""
        return f"{self.context.table()}\n\n{self._title()}\n{self.memories!r}{pending}"

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        below = note(self._pending()) if self._pending() else ""
        return f"{self.context._repr_html_()}{framed(title(self._title()), self.memories.html(), below)}"

    def _title(self) -> str:
        if self.memory.scope is None:
            return "Long-term memory"
        more = "the newest " if self.memory.next_cursor else ""
        count = f": {more}{len(self.memories)}" if self.memories else ""
        return f"Long-term memory of {_SCOPES[self.memory.scope]}{count}"

    def _pending(self) -> str:
        return f"{self.memory.pending} messages are still to be taken in." if self.memory.pending else ""
