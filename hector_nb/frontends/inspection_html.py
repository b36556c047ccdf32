"""The HTML in which memory is shown in a notebook. It is saved there and read in many places.

Inline styles only, no script, no id, and plain tables where every style is stripped. The colours are legible on light and dark. All text
is escaped here; nothing that a model or a memory says reaches it as markup.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from hector_nb.frontends.ledger_rows import FORGOTTEN, LOOKS, Row, bar, excerpt_of, headline, rows
from hector_nb.frontends.render import plain
from hector_nb.frontends.words import shortened
from hector_nb.memories import Ledger, LedgerPart, Memory
from hector_nb.wire.safe_markdown import safe_html

Titles = Mapping[str, str]
"""Titles of sessions, by their ids."""
FAINT = "opacity:.75"
_HAIRLINE = "border:0;border-bottom:1px solid rgba(128,128,128,.25);background:none"
_TRACK = "rgba(128,128,128,.22)"
_NUMBER = "text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"
_PIECES = 1000


def framed(*parts: str) -> str:
    """All of a view."""
    return f'<div style="max-width:760px;font-size:13px;line-height:20px">{"".join(parts)}</div>'


def head(ledger: Ledger, where: str) -> str:
    """The total, large, and what it is the total of."""
    total, _, rest = headline(ledger).partition(" ")
    return (
        f'<div><span style="font-size:20px;line-height:24px;font-weight:600">{safe_html(total)}</span> {safe_html(rest)}'
        f'<span style="{FAINT}"> · {safe_html(where)}</span></div>'
    )


def budget_bar(ledger: Ledger, marks: Sequence[tuple[float, str]]) -> str:
    """The budget in parts, 10 pixels high, with `marks` at parts of it below; where styles are stripped it is nothing."""
    runs = bar(ledger, _PIECES)
    shown = "".join(
        f'<span style="display:inline-block;height:10px;width:{100 * size / _PIECES:.1f}%;'
        f'background-color:{LOOKS[kind].colour if kind else _TRACK}"></span>'
        for kind, size in runs
    )
    told = ", ".join(f"{row.look.label} {row.tokens}" for row in rows(ledger))
    label = safe_html(f"{headline(ledger)}: {told}").replace("<span>", "").replace("</span>", "")
    below = f'<div style="font-size:11px;line-height:14px;{FAINT}">{_marks(marks)}</div>' if marks else ""
    return (
        f'<div role="img" aria-label="{label}" style="font-size:0;line-height:0;white-space:nowrap;overflow:hidden;'
        f'border-radius:4px;margin:8px 0 {2 if marks else 8}px">{shown}</div>{below}'
    )


def _marks(marks: Sequence[tuple[float, str]]) -> str:
    ordered = sorted(marks)
    ends = [at for at, _ in ordered[1:]] + [1.0]
    widths = [0.0, *(end - at for (at, _), end in zip(ordered, ends, strict=True))]
    widths[0] = ordered[0][0]
    cells = ["", *(f"╵{text}" for _, text in ordered)]
    return "".join(
        f'<span style="display:inline-block;white-space:nowrap;width:{100 * width:.1f}%">{safe_html(text)}</span>'
        for width, text in zip(widths, cells, strict=True)
    )


def ledger_table(ledger: Ledger, titles: Titles) -> str:
    """What the model saw, a row for each kind of part; each opens to the exact texts."""
    top = _row("th", [("part", ""), ("items", _NUMBER), ("tokens", _NUMBER), ("%", _NUMBER), ("what", "width:100%")])
    return table(top, (_ledger_row(row, titles) for row in rows(ledger)))


def _ledger_row(row: Row, titles: Titles) -> str:
    chip = f'<span style="color:{row.look.colour}">■</span> {safe_html(row.look.label)}'
    counted = f"{row.share:.1f}" if row.kind != "tools" else "–"
    if row.kind == "memory":
        what = "".join(_recalled(part, titles) for part in row.parts)
    else:
        texts = "".join(_text(part, alone=len(row.parts) == 1) for part in row.parts)
        what = f"<details><summary>{safe_html(shortened(row.excerpt, 64))}</summary>{texts}</details>"
    return _row(
        "td",
        [
            (chip, "white-space:nowrap"),
            (f"{len(row.parts)}", _NUMBER),
            (f"{row.tokens:,}", _NUMBER),
            (counted, _NUMBER),
            (what, ""),
        ],
    )


def _text(part: LedgerPart, *, alone: bool) -> str:
    label = "" if alone else f'<div style="font-size:12px;line-height:16px;{FAINT}">{_told(part)}</div>'
    text = plain(part.text) if part.text is not None else FORGOTTEN
    return f'{label}<div style="white-space:pre-wrap;margin:0 0 8px">{safe_html(text.strip() or "(no text)")}</div>'


def _told(part: LedgerPart) -> str:
    told = [part.role or "", f"{part.tokens:,} tokens", "leaves the window next" if part.drops_next else ""]
    return safe_html(" · ".join(each for each in told if each))


def _recalled(part: LedgerPart, titles: Titles) -> str:
    from_where = origin(part.session_id, part.created_at, titles)
    told = " · ".join(
        each
        for each in (scored(part.score, part.keyword, part.vector, told=True), from_where, f"{part.tokens:,} tokens")
        if each
    )
    text = safe_html(excerpt_of(part) if part.text is None else plain(part.text).strip())
    return (
        f'<div style="white-space:pre-wrap">{text}</div>'
        f'<div style="font-size:12px;line-height:16px;margin-bottom:4px">{told}</div>'
    )


def memory_table(memories: Sequence[Memory], scores: Sequence[str], titles: Titles) -> str:
    """Memories, one a row; `scores` are the forms of their scores, or none."""
    heads = [("memory", "width:100%"), ("from", "")]
    top = _row("th", [("score", ""), *heads] if scores else heads)
    shown = scores or [""] * len(memories)
    return table(top, (_memory_row(each, score, titles) for each, score in zip(memories, shown, strict=True)))


def _memory_row(memory: Memory, score: str, titles: Titles) -> str:
    text = f'<div style="white-space:pre-wrap">{safe_html(plain(memory.text).strip())}</div>'
    code = f'<code style="background:none;padding:0;font-size:11px;opacity:.75">{safe_html(memory.memory_id)}</code>'
    where = f"<div>{origin(memory.session_id, memory.created_at, titles)}</div>{_remarks(memory)}{code}"
    cells = [(text, ""), (where, "white-space:nowrap")]
    return _row("td", [(score, "white-space:nowrap"), *cells] if score else cells)


def _remarks(memory: Memory) -> str:
    told = ["summary"] if memory.kind == "summary" else []
    if memory.scope == "all":
        told.append(f"given by {plain(memory.user)}")
    if memory.corrected_at:
        told.append(f"corrected {day(memory.corrected_at)}")
    return "".join(f'<div style="font-size:12px;line-height:16px;{FAINT}">{safe_html(each)}</div>' for each in told)


def scored(score: float | None, keyword: float | None, vector: float | None, *, told: bool = False) -> str:
    """A score as a small bar and a number; what it is mixed of is its tooltip, with `told` also its text."""
    if score is None:
        return ""
    parts = [f"{name} {value:.2f}" for name, value in (("words", keyword), ("meaning", vector)) if value is not None]
    mixed = ", ".join(parts)
    text = f' <span style="{FAINT}">({mixed})</span>' if told and mixed else ""
    return (
        f'<span title="{mixed}"><span style="display:inline-block;width:36px;height:4px;vertical-align:middle;'
        f'background-color:{_TRACK}"><span style="display:block;height:4px;width:{100 * min(max(score, 0), 1):.0f}%;'
        f'background-color:{LOOKS["memory"].colour}"></span></span> <b>{score:.2f}</b></span>{text}'
    )


def origin(session_id: str | None, when: datetime | None, titles: Titles) -> str:
    """Where something comes from: the session's title or id, and the day."""
    told = [each for each in (titles.get(session_id or "") or session_id, when and day(when)) if each]
    return f'<span style="{FAINT}">{safe_html(plain(" · ".join(told)))}</span>' if told else ""


def day(when: datetime) -> str:
    """For example `12 Nov`, with the year where it is not this one."""
    local = when.astimezone()
    year = "" if local.year == datetime.now(UTC).astimezone().year else f" {local.year}"
    return f"{local.day} {local:%b}{year}"


def note(text: str) -> str:
    """A line in small print."""
    return f'<div style="{FAINT}">{safe_html(text)}</div>'


def title(text: str) -> str:
    """What stands above a part of a view."""
    return f'<div style="font-weight:600;margin:16px 0 4px">{safe_html(text)}</div>'


def table(top: str, body: Iterable[str]) -> str:
    """A table with hairlines, whatever the page does with its tables."""
    style = "table-layout:auto;border-collapse:collapse;border:0;width:100%;margin:0 0 4px;font-size:13px"
    return f'<table style="{style}"><thead>{top}</thead><tbody>{"".join(body)}</tbody></table>'


def _row(tag: str, cells: Sequence[tuple[str, str]]) -> str:
    weight = "font-weight:400;opacity:.75" if tag == "th" else ""
    base = f"{_HAIRLINE};text-align:left;vertical-align:top;padding:4px 12px 4px 0;{weight}"
    shown = "".join(f'<{tag} style="{base};{style}">{cell}</{tag}>' for cell, style in cells)
    return f'<tr style="background:none">{shown}</tr>'
