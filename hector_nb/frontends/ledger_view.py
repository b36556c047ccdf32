"""A ledger and a session's memory as values in a notebook: a table and a budget bar, as text, as HTML, as a data frame.

The HTML stays in the saved notebook: inline styles only, no script, no id, readable as a plain table where every style is stripped. All
text in it is escaped.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hector_nb.frontends.ledger_rows import FORGOTTEN, LOOKS, Row, bar, excerpt_of, headline, notes, rows
from hector_nb.frontends.render import plain, plain_line
from hector_nb.memories import Ledger, LedgerPart, Memory, RecalledMemory, SessionMemory
from hector_nb.wire.safe_markdown import safe_html

_CELLS = 56
_LINE = "border:0;border-bottom:1px solid rgba(128,128,128,.25);background:none;padding:4px 12px 4px 0"
_FAINT = "opacity:.75"


class LedgerView:
    """What a model saw in a turn, or would see now.

    `ledger` is the value behind it. `settings` are the agent's working-memory settings, for the marks on the bar.
    """

    def __init__(self, ledger: Ledger, *, settings: Mapping[str, Any] | None = None) -> None:
        self.ledger = ledger
        folds = settings is not None and ledger.strategy == "summary_buffer"
        self._threshold: float | None = settings["threshold"] if folds and settings else None

    @property
    def turn_id(self) -> str | None:
        """The turn; None: no message has been sent yet, this is what the model would see now."""
        return self.ledger.turn_id

    @property
    def parts(self) -> Sequence[LedgerPart]:
        """The parts, in the order in which the model sees them."""
        return self.ledger.parts

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
        """The whole as text, 80 columns and more."""
        ledger = self.ledger
        where = f"turn {ledger.turn_id}" if ledger.turn_id else "what the model would see now"
        lines = [f"{headline(ledger)}  ·  {where}", "".join(_letters(ledger))]
        found = rows(ledger)
        tokens = max((len(f"{row.tokens:,}") for row in found), default=1)
        for row in found:
            share = f"{row.share:5.1f} %" if row.kind != "tools" else " beside"
            excerpt = row.excerpt if row.kind != "memory" else ""
            head = f"{row.look.letter} {row.look.label:<13}  {len(row.parts):>3}  {row.tokens:>{tokens},}  {share}"
            lines.append(f"{head}  {_cut(excerpt, 44)}".rstrip())
            if row.kind == "memory":
                lines += [f"    {part.score or 0:.2f}  {_cut(excerpt_of(part), 68)}" for part in row.parts]
        return "\n".join([*lines, *notes(ledger, threshold=self._threshold)])

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        ledger = self.ledger
        told = "".join(
            f'<div style="{_FAINT}">{safe_html(note)}</div>' for note in notes(ledger, threshold=self._threshold)
        )
        return f'<div style="max-width:760px"><div><b>{safe_html(headline(ledger))}</b></div>{_bar(ledger)}{_table(ledger)}{told}</div>'


class MemoryListing(list[Memory]):
    """Memories, newest first or best first, as a table."""

    def __init__(self, memories: Sequence[Memory | RecalledMemory], *, empty: str) -> None:
        self.recalled = [each for each in memories if isinstance(each, RecalledMemory)]
        super().__init__(each.memory if isinstance(each, RecalledMemory) else each for each in memories)
        self._empty = empty

    def to_dataframe(self) -> Any:
        """One row a memory, as a `pandas.DataFrame`.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas

        names = ("memory_id", "text", "kind", "scope", "user", "session_id", "tokens", "created_at", "corrected_at")
        shown = [{name: getattr(memory, name) for name in names} for memory in self]
        for row, recalled in zip(shown, self.recalled, strict=False):
            row["score"] = recalled.score
        return pandas.DataFrame(shown, columns=[*names, "score"] if self.recalled else names)

    def __repr__(self) -> str:
        if not self:
            return self._empty
        return "\n".join(
            f"{self._score(at)}{memory.memory_id}  {_cut(plain_line(memory.text), 68)}"
            for at, memory in enumerate(self)
        )

    def _score(self, at: int) -> str:
        return f"{self.recalled[at].score:.2f}  " if self.recalled else ""

    def _repr_html_(self) -> str:
        if not self:
            return f"<em>{safe_html(self._empty)}</em>"
        head = [*(["score"] if self.recalled else []), "memory", "kind", "from", "id"]
        body = "".join(
            _row("td", [safe_html(self._score(at).strip())] * bool(self.recalled) + _memory(each))
            for at, each in enumerate(self)
        )
        return _framed(_row("th", head), body)


class MemoryView:
    """What a session remembers: `context` is what its model would see now, `memories` a page of what it may recall."""

    def __init__(self, memory: SessionMemory, *, settings: Mapping[str, Any] | None = None) -> None:
        self.memory = memory
        self.context = LedgerView(memory.ledger, settings=settings)
        off = (
            f"Long-term memory is off for {memory.ledger.agent}: give it a block memory.longterm in the configuration."
        )
        none = (
            f"Nothing is kept yet; {memory.pending} messages are about to be."
            if memory.pending
            else "Nothing is kept yet."
        )
        self.memories = MemoryListing(memory.memories, empty=none if memory.scope else off)

    def to_dataframe(self) -> Any:
        """What the model would see now, as a `pandas.DataFrame`; `memories.to_dataframe()` gives the rest."""
        return self.context.to_dataframe()

    def table(self) -> str:
        """The whole as text."""
        return f"{self.context.table()}\n\n{self._title()}\n{self.memories!r}"

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return f'{self.context._repr_html_()}<div style="margin-top:16px"><b>{safe_html(self._title())}</b></div>{self.memories._repr_html_()}'

    def _title(self) -> str:
        if self.memory.scope is None:
            return "Long-term memory"
        more = "more than " if self.memory.next_cursor else ""
        return f"Long-term memory, scope {self.memory.scope}: {more}{len(self.memories)}"


def _letters(ledger: Ledger) -> list[str]:
    return [(LOOKS[kind].letter if kind else "-") * size for kind, size in bar(ledger, _CELLS)]


def _bar(ledger: Ledger) -> str:
    runs = "".join(
        f'<span style="display:inline-block;height:10px;width:{100 * size / 400:.2f}%;'
        f'background:{LOOKS[kind].colour if kind else "rgba(128,128,128,.2)"}"></span>'
        for kind, size in bar(ledger, 400)
    )
    return f'<div style="font-size:0;line-height:10px;margin:6px 0" role="img" aria-label="{safe_html(_told(ledger))}">{runs}</div>'


def _told(ledger: Ledger) -> str:
    parts = ", ".join(f"{row.look.label} {row.tokens}" for row in rows(ledger))
    return f"{headline(ledger)}: {parts}"


def _table(ledger: Ledger) -> str:
    head = _row("th", ["part", "items", "tokens", "%", "what"])
    return _framed(head, "".join(_ledger_row(row) for row in rows(ledger)))


def _ledger_row(row: Row) -> str:
    chip = f'<span style="color:{row.look.colour}">■</span> {safe_html(row.look.label)}'
    share = f"{row.share:.1f}" if row.kind != "tools" else "beside"
    texts = "".join(f"<div>{_part(part)}</div>" for part in row.parts)
    what = f"<details><summary>{safe_html(_cut(row.excerpt, 60))}</summary>{texts}</details>"
    if row.kind == "memory":
        what = texts
    return _row("td", [chip, f"{len(row.parts)}", f"{row.tokens:,}", share, what])


def _part(part: LedgerPart) -> str:
    told = [part.role or "", f"{part.score:.2f}" if part.score is not None else "", f"{part.tokens:,} tokens"]
    if part.kind == "memory" and part.session_id:
        told.append(f"from {part.session_id}")
    head = safe_html(" · ".join(each for each in told if each))
    text = safe_html(plain(part.text) if part.text is not None else FORGOTTEN)
    return f'<span style="{_FAINT}">{head}</span><div style="white-space:pre-wrap;margin-bottom:6px">{text}</div>'


def _memory(memory: Memory) -> list[str]:
    when = memory.created_at.astimezone().strftime("%Y-%m-%d %H:%M")
    corrected = f" · corrected {memory.corrected_at.astimezone():%Y-%m-%d}" if memory.corrected_at else ""
    text = f'<div style="white-space:pre-wrap">{safe_html(plain(memory.text))}</div>'
    return [
        text,
        memory.kind,
        safe_html(f"{memory.session_id} · {when}{corrected}"),
        f"<code>{safe_html(memory.memory_id)}</code>",
    ]


def _framed(head: str, body: str) -> str:
    return (
        f'<table style="table-layout:auto;border-collapse:collapse"><thead>{head}</thead><tbody>{body}</tbody></table>'
    )


def _row(tag: str, cells: list[str]) -> str:
    shown = "".join(f'<{tag} style="{_LINE};text-align:left;vertical-align:top">{cell}</{tag}>' for cell in cells)
    return f'<tr style="background:none">{shown}</tr>'


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
