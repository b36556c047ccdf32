"""How ledgers and memories look in a notebook, as text and as HTML; and that nothing in them does anything but be read."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from hector_nb.frontends.ledger_view import LedgerView
from hector_nb.frontends.memory_view import MemoryListing, MemoryView
from hector_nb.memories import Ledger, LedgerPart, RecalledMemory, SessionMemory
from tests.frontends.hostile_markdown import HOSTILE
from tests.values import make_memory

WHEN = datetime(2024, 11, 12, 12, tzinfo=UTC)
SETTINGS = {"threshold": 0.8, "target": 0.6}
TAGS = {"div", "span", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "b", "code"}
ATTRIBUTES = {"style", "role", "aria-label", "title"}


def part(kind: Any, tokens: int, text: str | None, **more: Any) -> LedgerPart:
    return LedgerPart(kind=kind, tokens=tokens, text=text, **more)


def recalled(text: str | None, tokens: int = 120, session_id: str = "sess_1") -> LedgerPart:
    scores = {"score": 0.86, "keyword": 0.9, "vector": 0.8}
    return part("memory", tokens, text, source="mem_1", session_id=session_id, created_at=WHEN, **scores)


def ledger(*parts: LedgerPart, **more: Any) -> Ledger:
    given: dict[str, Any] = {
        "session_id": "sess_2",
        "turn_id": "turn_1",
        "agent": "assistant",
        "model": "small",
        "strategy": "summary_buffer",
        "budget": 4000,
        "budget_note": None,
        "estimated": False,
        "parts": parts,
        **more,
    }
    return Ledger(**given)


PARTS = (
    part("system", 312, "You answer questions about sales."),
    part("tools", 309, "[]"),
    part("summary", 420, "They talked about regions."),
    recalled("North's stores opened in October."),
    part("message", 11, "Which region leads?", role="user", drops_next=True),
    part("message", 1193, "North does.", role="assistant"),
)


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def widths(page: str) -> list[float]:
    """The widths of the bar's runs, in per cent."""
    return [float(found) for found in re.findall(r"height:10px;width:([\d.]+)%", page)]


def test_a_ledger_is_a_table_with_a_bar_in_80_columns() -> None:
    view = LedgerView(ledger(*PARTS), settings=SETTINGS, titles={"sess_1": "Q3 planning"})
    assert repr(view).split("\n") == [
        "2,056 of 4,000 tokens, 51 % · what small saw",
        "SSSSUUUUUURRMMMMMMMMMMMMMMMMM---------------------------",
        "                                  ^60 %      ^folds at 80 %",
        "S System prompt    1    312    7.8 %  You answer questions about sales.",
        "U Summary          1    420   10.5 %  They talked about regions.",
        "R Memories         1    120    3.0 %",
        "  0.86  North's stores opened in October.",
        "        Q3 planning · 12 Nov 2024",
        "M Messages         2  1,204   30.1 %  North does.",
        "T Tools            1    309        –  []",
        "Next to leave the window: “Which region leads?” (1 message).",
    ]
    assert max(len(line) for line in repr(view).split("\n")) <= 80


def test_bar_table_and_total_agree() -> None:
    view = LedgerView(ledger(*PARTS), settings=SETTINGS)
    shares = widths(view._repr_html_())
    assert sum(shares) == pytest.approx(100, abs=0.2)
    assert shares[:4] == pytest.approx([7.8, 10.5, 3.0, 30.1], abs=0.1)
    assert view.tokens == 312 + 420 + 120 + 1204
    assert int(view.to_dataframe().query("kind != 'tools'")["tokens"].sum()) == view.tokens


def test_where_styles_are_stripped_it_reads_as_a_plain_table() -> None:
    text = Page(LedgerView(ledger(*PARTS), titles={"sess_1": "Q3 planning"})._repr_html_()).text
    assert "2,056 of 4,000 tokens, 51 % · what small saw" in text
    assert "■ System prompt13127.8" in text
    assert "0.86 (words 0.90, meaning 0.80) · Q3 planning · 12 Nov 2024 · 120 tokens" in text


def test_what_is_over_the_budget_fills_the_bar_and_is_said() -> None:
    view = LedgerView(ledger(part("system", 10, "x"), part("message", 90, "y", role="user"), budget=50))
    assert sum(widths(view._repr_html_())) == pytest.approx(100, abs=0.2)
    assert "Over the budget" in repr(view)
    assert "-" not in repr(view).split("\n")[1]


def test_an_estimate_and_a_cut_budget_say_so() -> None:
    view = LedgerView(
        ledger(part("system", 10, "x"), estimated=True, budget_note="cut to the model's context", left_out=3)
    )
    assert repr(view).startswith("~10 of 4,000 tokens, 0 %")
    assert "Budget: cut to the model's context." in repr(view)
    assert "Not sent: 3 messages that no summary stands for." in view._repr_html_()


def test_what_was_forgotten_since_is_named_so() -> None:
    view = LedgerView(ledger(recalled(None)))
    assert "(forgotten since)" in repr(view)
    assert "(forgotten since)" in view._repr_html_()


def test_what_would_be_seen_now_is_told_from_what_was_seen() -> None:
    assert "what small would see now" in repr(LedgerView(ledger(part("system", 1, "x"), turn_id=None)))


def test_memories_are_listed_with_where_they_come_from() -> None:
    listing = MemoryListing([make_memory(corrected_at=WHEN)], empty="", titles={"sess_1": "Q3 planning"})
    assert repr(listing) == "Clara keeps bees.\n  mem_1 · Q3 planning · 12 Nov 2024 · corrected 12 Nov 2024"
    text = Page(listing._repr_html_()).text
    assert "Q3 planning · 12 Nov 2024" in text
    assert "mem_1" in text
    assert "score" not in text
    assert list(listing.to_dataframe()["text"]) == ["Clara keeps bees."]


def test_found_memories_have_scores() -> None:
    listing = MemoryListing([RecalledMemory(memory=make_memory(), score=0.86, vector=0.5)], empty="")
    assert repr(listing).startswith("0.86  Clara keeps bees.")
    assert "0.86" in Page(listing._repr_html_()).text
    assert list(listing.to_dataframe()["score"]) == [0.86]


@pytest.mark.parametrize(("scope", "said"), [(None, "no long-term memory"), ("all", "Nothing is kept yet.")])
def test_an_empty_memory_says_why(scope: Any, said: str) -> None:
    now = ledger(part("system", 1, "x"), turn_id=None)
    view = MemoryView(SessionMemory(ledger=now, scope=scope, pending=2 if scope else 0), context=LedgerView(now))
    assert said in repr(view)
    assert said in view._repr_html_()
    assert ("2 messages are still to be taken in." in repr(view)) == (scope is not None)


def test_memories_of_others_say_who_gave_them() -> None:
    assert "given by bob" in Page(MemoryListing([make_memory(scope="all", user="bob")], empty="")._repr_html_()).text


@pytest.mark.parametrize("text", [*HOSTILE, "\x1b]0;title\x07\x1b[2J", "\u202eevil\u2066", "\ud800", "a\x00b", ""])
def test_nothing_hostile_gets_through(text: str) -> None:
    parts = [replace(each, text=text) for each in PARTS]
    shown = ledger(*parts, recalled(text, session_id=text), model=text, budget_note=text)
    view = LedgerView(shown, settings=SETTINGS, titles={"sess_1": text})
    kept = make_memory(text, scope="all", user=text, session_id=text, memory_id=text)
    listing = MemoryListing([RecalledMemory(memory=kept, score=2.0, keyword=1.0)], empty=text, titles={text: text})
    whole = MemoryView(SessionMemory(ledger=shown, scope="all", memories=[kept]), context=view)
    for value in (view, listing, whole, MemoryListing([], empty=text)):
        page = Page(value._repr_html_())
        assert set(page.tags) <= TAGS
        assert {name for name, _ in page.attributes} <= ATTRIBUTES
        assert not any("url" in (given or "") for name, given in page.attributes if name == "style")
        assert not re.search(r"\$[^<]*\\|\\\(", value._repr_html_())
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", repr(value))
