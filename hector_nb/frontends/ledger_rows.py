"""A ledger as people read it: what to call its parts, how they are grouped, what stands in each row. Terminal and notebook draw these."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hector_nb.frontends.render import plain_line
from hector_nb.frontends.words import counted, shortened
from hector_nb.memories import Ledger, LedgerPart, PartKind

FORGOTTEN = "(forgotten since)"
CALLS = "(calls of tools)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How a kind of part is shown: its name, its letter in a bar without colours, its colour on any ground, its colour of 16."""

    label: str
    letter: str
    colour: str
    ansi: str


LOOKS: dict[PartKind, Look] = {
    "system": Look(label="System prompt", letter="S", colour="#748396", ansi="bright_black"),
    "summary": Look(label="Summary", letter="U", colour="#9468dd", ansi="magenta"),
    "memory": Look(label="Memories", letter="R", colour="#1c9486", ansi="cyan"),
    "message": Look(label="Messages", letter="M", colour="#3a86d6", ansi="blue"),
    "tools": Look(label="Tools", letter="T", colour="#bb7a1e", ansi="yellow"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """All parts of one kind. `share` is their part of the budget, in per cent."""

    kind: PartKind
    parts: Sequence[LedgerPart]
    tokens: int
    share: float

    @property
    def look(self) -> Look:
        """How it is shown."""
        return LOOKS[self.kind]

    @property
    def excerpt(self) -> str:
        """The beginning of what stands there: the newest message, the best memory."""
        part = self.parts[-1] if self.kind == "message" else self.parts[0]
        return excerpt_of(part)


def rows(ledger: Ledger) -> list[Row]:
    """The kinds of parts that the ledger has, in the order of `LOOKS`."""
    return [
        Row(kind=kind, parts=found, tokens=_sum(found), share=share(_sum(found), ledger)) for kind, found in _of(ledger)
    ]


def excerpt_of(part: LedgerPart) -> str:
    """A part's text on one line."""
    if part.text is None:
        return FORGOTTEN
    return plain_line(part.text[:2000]) or (CALLS if part.role == "assistant" else "")


def share(tokens: int, ledger: Ledger) -> float:
    """Tokens as per cent of the budget."""
    return 100 * tokens / ledger.budget if ledger.budget else 0.0


def headline(ledger: Ledger) -> str:
    """For example `~2,431 of 4,000 tokens, 61 %`."""
    mark = "~" if ledger.estimated else ""
    return f"{mark}{ledger.tokens:,} of {ledger.budget:,} tokens, {share(ledger.tokens, ledger):.0f} %"


def notes(ledger: Ledger, *, threshold: float | None = None) -> list[str]:
    """What else is to be said of it; `threshold` is where old turns are folded, as a part of the budget."""
    told = []
    if ledger.budget_note:
        told.append(f"Budget: {plain_line(ledger.budget_note)}.")
    if ledger.tokens > ledger.budget:
        told.append("Over the budget: the newest message is never cut.")
    elif threshold is not None and ledger.tokens >= threshold * ledger.budget:
        told.append("The oldest turns are folded into the summary next.")
    if going := [part for part in ledger.parts if part.drops_next]:
        told.append(
            f"Next to leave the window: “{shortened(excerpt_of(going[0]), 60)}” ({counted(len(going), 'message')})."
        )
    if ledger.left_out:
        told.append(f"Not sent: {counted(ledger.left_out, 'message')} that no summary stands for.")
    if ledger.requests > 1:
        told.append(f"Shown is the last of {ledger.requests} requests of this turn.")
    return told


def bar(ledger: Ledger, cells: int) -> list[tuple[PartKind | None, int]]:
    """The budget as runs of cells, None for what is free; a part that has tokens has a cell, and the runs fill the bar exactly."""
    shown = [row for row in rows(ledger) if row.kind != "tools" and row.tokens]
    whole = max(ledger.budget, ledger.tokens, 1)
    runs = [(row.kind, max(1, round(cells * row.tokens / whole))) for row in shown]
    while sum(size for _, size in runs) > cells and any(size > 1 for _, size in runs):
        largest = max(range(len(runs)), key=lambda index: runs[index][1])
        runs[largest] = runs[largest][0], runs[largest][1] - 1
    free = cells - sum(size for _, size in runs)
    return [*runs, (None, free)] if free > 0 else list(runs)


def _of(ledger: Ledger) -> Iterator[tuple[PartKind, list[LedgerPart]]]:
    for kind in LOOKS:
        if found := [part for part in ledger.parts if part.kind == kind]:
            yield kind, found


def _sum(parts: Sequence[LedgerPart]) -> int:
    return sum(part.tokens for part in parts)
