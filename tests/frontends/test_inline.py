"""How an answer appears while it is generated: at once, smoothly, and without ever sending too much."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hector_nb.frontends.inline import GROWTH, Bundle, FinalOutput, LiveOutput, TerminalOutput


class Screen:
    """Keeps what was published, with the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting = "Waiting …"
        self.frames: list[tuple[float, Bundle, Mapping[str, Any], bool]] = []

    def clock(self) -> float:
        return self.now

    def publish(self, bundle: Bundle, metadata: Mapping[str, Any], display_id: str, there: bool) -> None:
        self.frames.append((self.now, bundle, metadata, there))

    def live(self, **options: Any) -> LiveOutput:
        return LiveOutput(waiting=lambda: self.waiting, publish=self.publish, clock=self.clock, **options)

    @property
    def markdown(self) -> list[str]:
        return [bundle["text/markdown"] for _, bundle, _, _ in self.frames if "text/markdown" in bundle]

    def sent(self) -> int:
        return sum(len(text.encode()) for _, bundle, _, _ in self.frames for text in bundle.values())


def stream(screen: Screen, pieces: list[str], seconds: float) -> None:
    view = screen.live()
    for piece in pieces:
        screen.now += seconds
        view.add(piece)
    view.end({"agent": "assistant"})


@pytest.mark.parametrize("length", [1, 3, 30, 300, 3_000, 30_000])
@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.02, 0.3])
def test_all_updates_together_stay_in_proportion_to_the_answer(length: int, seconds: float) -> None:
    screen = Screen()
    stream(screen, ["word "] * length, seconds)
    answer = 5 * length
    assert screen.sent() <= 30 * answer
    assert screen.markdown[-1] == "word " * length


@given(
    st.lists(st.sampled_from(["a", "<b>", "`<`", "\n\n", "é" * 50, "$", "```\n", "x" * 1000]), min_size=1, max_size=150)
)
@settings(deadline=None, max_examples=50)
def test_markup_that_grows_when_neutralised_stays_in_proportion_too(pieces: list[str]) -> None:
    screen = Screen()
    stream(screen, pieces, 0.2)
    *updates, _last = [len(text.encode()) for text in screen.markdown]
    assert sum(updates) <= GROWTH * len("".join(pieces).encode())


def test_two_thousand_tokens_in_four_seconds_fit_the_budget_with_their_envelopes() -> None:
    screen = Screen()
    stream(screen, ["tokens, "[: 6 + i % 2] for i in range(2000)], 0.002)
    envelope = 1000
    assert screen.sent() + envelope * len(screen.frames) <= 350_000
    assert len(screen.frames) >= 30


def test_updates_come_at_most_ten_times_a_second() -> None:
    screen = Screen()
    stream(screen, ["word "] * 400, 0.01)
    times = [when for when, *_ in screen.frames[:-1]]
    assert all(later - earlier >= 0.1 - 1e-9 for earlier, later in pairwise(times))
    assert len(times) > 30


def test_the_first_words_appear_at_once() -> None:
    screen = Screen()
    screen.live().add("Hi")
    assert screen.markdown == ["Hi"]


def test_a_pause_shows_what_came_before_it() -> None:
    screen = Screen()
    view = screen.live()
    view.add("Some words ")
    view.add("and more")
    screen.now += 0.1
    view.tick()
    assert screen.markdown[-1] == "Some words and more"


def test_silence_says_what_is_waited_for_and_how_to_stop() -> None:
    screen = Screen()
    view = screen.live()
    screen.now += 0.1
    view.tick()
    assert screen.frames == []
    screen.now += 0.2
    view.tick()
    view.tick()
    [(_, bundle, _, _)] = screen.frames
    assert bundle["text/plain"] == "Waiting …"
    screen.waiting = "Fetching: 1 of 93 MB"
    view.tick()
    assert screen.frames[-1][1]["text/plain"] == "Fetching: 1 of 93 MB"
    view.add("Here")
    assert screen.frames[-1][3]
    assert screen.markdown == ["Here"]


def test_open_code_is_closed_in_between() -> None:
    screen = Screen()
    screen.live().add("```python\nx = 1")
    assert screen.markdown == ["```python\nx = 1\n```"]


def test_the_last_form_has_plain_text_and_where_it_came_from() -> None:
    screen = Screen()
    stream(screen, ["<b>", " \x1b[1mhi"], 1.0)
    _, bundle, metadata, there = screen.frames[-1]
    assert bundle == {"text/markdown": "&lt;b> [1mhi", "text/plain": "<b> hi"}
    assert metadata == {"hector": {"agent": "assistant"}}
    assert there


def test_a_stopped_answer_is_kept_and_marked() -> None:
    screen = Screen()
    view = screen.live()
    view.add("```\nhalf")
    view.end({}, stopped=True)
    assert screen.markdown[-1] == "```text\nhalf\n```\n\n*■ stopped*"


def test_plain_format_has_no_markdown() -> None:
    screen = Screen()
    view = screen.live(markdown=False)
    view.add("<b>")
    view.end({})
    assert [dict(bundle) for _, bundle, _, _ in screen.frames] == [{"text/plain": "<b>"}] * 2


def test_a_recorded_answer_is_one_output() -> None:
    screen = Screen()
    view = FinalOutput(publish=screen.publish)
    for _ in range(100):
        view.add("word ")
        view.tick()
    view.end({})
    view.note("0.1 s")
    assert len(screen.frames) == 1


def test_a_terminal_gets_the_words_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    view = TerminalOutput()
    view.add("one \x1b[31")
    view.add("mtwo")
    assert capsys.readouterr().out == "one two"
    view.end({}, stopped=True)
    assert capsys.readouterr().out == " [■ stopped]\n"


def test_an_answer_that_comes_again_replaces_what_was_shown(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    terminal = TerminalOutput()
    for view in (screen.live(), FinalOutput(publish=screen.publish), terminal, TerminalOutput(stream=False)):
        view.add("Half an ans")
        view.restart()
        view.add("The whole answer")
        view.end({})
    assert screen.markdown[-2:] == ["The whole answer"] * 2
    assert capsys.readouterr().out == "Half an ans\n\nThe whole answer\nThe whole answer\n"
