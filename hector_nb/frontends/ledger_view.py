"""A ledger as a value in a notebook: a budget bar and a table, as text, as HTML, as a data frame."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hector_nb.frontends.inspection_html import Titles, budget_bar, day, framed, head, ledger_table, note
from hector_nb.frontends.ledger_rows import LOOKS, Row, bar, excerpt_of, headline, notes, rows
from hector_nb.frontends.render import plain_line
from hector_nb.frontends.words import shortened
from hector_nb.memories import Ledger, LedgerPart

_CELLS = 56
_NO_TITLES: Titles = MappingProxyType({})


class LedgerView:
    """What a model saw in a turn, or would see now.

    `ledger` is the value behind it. `settings` are the agent's working-memory settings, for the marks on the bar; `titles` are those of
    the sessions that its memories come from.
    """

    def __init__(
        self, ledger: Ledger, *, settings: Mapping[str, Any] | None = None, titles: Titles = _NO_TITLES
    ) -> None:
        self.ledger = ledger
        folds = settings is not None and ledger.strategy == "summary_buffer"
        self._threshold: float | None = settings["threshold"] if folds and settings else None
        self._target: float | None = settings["target"] if folds and settings else None
        self._titles = titles

    @property
    def turn_id(self) -> str | None:
        """The turn; None: no message has been sent yet, this is what the model would see now."""
        return self.ledger.turn_id

    @property
    def parts(self) -> Sequence[LedgerPart]:
        """The parts, in the order in which the model sees them."""
        return self.ledger.parts

    @property
    def memories(self) -> Sequence[LedgerPart]:
        """The memories that were recalled, best first."""
        return [part for part in self.ledger.parts if part.kind == "memory"]

    @property
    def tokens(self) -> int:
        """What stands against the budget."""
        return self.ledger.tokens

    @property
    def budget(self) -> int:
        """In tokens."""
        return self.ledger.budget

    def to_dataframe(self) -> Any:
        """One row a part, as a `pandas.DataFrame`.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas

        names = ("kind", "role", "tokens", "score", "source", "session_id", "created_at", "drops_next", "text")
        return pandas.DataFrame([{name: getattr(part, name) for name in names} for part in self.parts], columns=names)

    def table(self) -> str:
        """The whole as text, in 80 columns."""
        found = rows(self.ledger)
        width = max((len(f"{row.tokens:,}") for row in found), default=1)
        lines = [f"{headline(self.ledger)} · {self._where()}", "".join(_letters(self.ledger))]
        if marks := self._marks():
            lines.append(_below(marks))
        for row in found:
            lines += _lines(row, width, self._titles)
        return "\n".join([*lines, *notes(self.ledger, threshold=self._threshold)])

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return framed(
            head(self.ledger, self._where()),
            budget_bar(self.ledger, self._marks()),
            ledger_table(self.ledger, self._titles),
            *(note(each) for each in notes(self.ledger, threshold=self._threshold)),
        )

    def _where(self) -> str:
        model = plain_line(self.ledger.model)
        return f"what {model} saw" if self.ledger.turn_id else f"what {model} would see now"

    def _marks(self) -> list[tuple[float, str]]:
        """Where turns are folded, and down to where; only of a budget that is not exceeded."""
        if self._threshold is None or self._target is None or self.ledger.tokens > self.ledger.budget:
            return []
        return [
            (self._target, f"{100 * self._target:.0f} %"),
            (self._threshold, f"folds at {100 * self._threshold:.0f} %"),
        ]


def _letters(ledger: Ledger) -> list[str]:
    return [(LOOKS[kind].letter if kind else "-") * size for kind, size in bar(ledger, _CELLS)]


def _below(marks: Sequence[tuple[float, str]]) -> str:
    line = ""
    for at, text in sorted(marks):
        line = f"{line.ljust(min(_CELLS - 1, round(at * _CELLS)))}^{text}"
    return line


def _lines(row: Row, width: int, titles: Titles) -> list[str]:
    """A kind of part; under memories, each of them."""
    counted = f"{row.share:5.1f} %" if row.kind != "tools" else "      –"
    text = "" if row.kind == "memory" else shortened(row.excerpt, 38)
    lines = [
        f"{row.look.letter} {row.look.label:<13}  {len(row.parts):>3}  {row.tokens:>{width},}  {counted}  {text}".rstrip()
    ]
    if row.kind == "memory":
        for part in row.parts:
            told = titles.get(part.session_id or "") or part.session_id or ""
            when = day(part.created_at) if part.created_at else ""
            lines.append(f"  {part.score or 0:.2f}  {shortened(excerpt_of(part), 72)}")
            lines.append("        " + shortened(plain_line(" · ".join(each for each in (told, when) if each)), 70))
    return [line.rstrip() for line in lines]
