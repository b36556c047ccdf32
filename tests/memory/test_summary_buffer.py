"""Folding: above the threshold, down to the target, whole turns, each message once, never the newest."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from hector_nb.memory.summary_buffer import SummaryBuffer
from hector_nb.messages import Message
from hector_nb.stores.base_sessions import Window
from tests.memory.transcripts import called, conversation, message, turns

BUDGET = 1000
MEMORY = SummaryBuffer(threshold=0.8, target=0.6, allowance=100)


def tokens(messages: Sequence[Message]) -> int:
    return sum(each.tokens for each in messages)


def test_it_wants_the_newest_summary_and_what_follows() -> None:
    assert MEMORY.window(BUDGET) == Window(max_tokens=BUDGET, summarized=True)


def test_up_to_the_threshold_nothing_is_folded() -> None:
    assert not MEMORY.fold(conversation(40), summary_tokens=0, budget=BUDGET)
    assert MEMORY.fold(conversation(40), summary_tokens=1, budget=BUDGET)


def test_above_it_the_oldest_turns_are_folded_until_summary_and_rest_are_down_to_the_target() -> None:
    messages = conversation(41)
    folded = MEMORY.fold(messages, summary_tokens=0, budget=BUDGET)
    assert folded == messages[: len(folded)]
    assert 100 + tokens(messages) - tokens(folded) == 600


def test_the_summary_before_counts_too() -> None:
    assert MEMORY.fold(conversation(38), summary_tokens=50, budget=BUDGET)


def test_the_newest_turn_stays_however_large_it_is() -> None:
    history = [*conversation(3), message(7, tokens=5000), message(8, "assistant", 5000)]
    assert MEMORY.fold(history, summary_tokens=0, budget=BUDGET) == history[:6]
    assert not MEMORY.fold(history[6:], summary_tokens=0, budget=BUDGET)


def test_an_empty_history_is_not_folded() -> None:
    assert not MEMORY.fold([], summary_tokens=5000, budget=BUDGET)


def test_a_call_goes_into_the_summary_together_with_its_result() -> None:
    history = [message(1), *called(2, 450), message(4, "assistant"), message(5), message(6, "assistant")]
    assert MEMORY.fold(history, summary_tokens=0, budget=BUDGET) == history[:4]


def test_what_no_summary_stands_for_is_shown_whole_while_it_fits() -> None:
    history = conversation(49)
    assert MEMORY.select(history, first_position=33, message=message(99), budget=BUDGET) == history


def test_without_a_summary_in_time_the_newest_turns_are_shown() -> None:
    history = conversation(60)
    seen = MEMORY.select(history, first_position=1, message=message(121), budget=BUDGET)
    assert 0 < len(seen) < 100
    assert seen == history[-len(seen) :]


def test_a_history_that_begins_in_the_midst_of_a_turn_is_shown_from_the_next() -> None:
    history = conversation(3)[1:]
    assert MEMORY.select(history, first_position=2, message=message(7), budget=BUDGET) == history[1:]


@settings(deadline=None)
@given(
    made=turns(least=1, most=40, largest=120),
    before=st.integers(0, 150),
    threshold=st.sampled_from([0.3, 0.8, 1.0]),
    target=st.sampled_from([0.1, 0.25]),
)
def test_folding_reaches_the_target_or_leaves_the_newest_turn_alone(
    made: list[list[Message]], before: int, threshold: float, target: float
) -> None:
    memory = SummaryBuffer(threshold=threshold, target=target, allowance=64)
    history = [each for turn in made for each in turn]
    folded = memory.fold(history, summary_tokens=before, budget=BUDGET)
    left = history[len(folded) :]
    assert [*folded, *left] == history
    assert left[0].role == "user"
    if before + tokens(history) <= threshold * BUDGET:
        assert not folded
    else:
        assert left == made[-1] or 64 + tokens(left) <= target * BUDGET
        if folded:
            last_folded = next(turn for turn in made if turn[-1] is folded[-1])
            assert 64 + tokens(left) + tokens(last_folded) > target * BUDGET, "no turn more than needed"


@settings(deadline=None)
@given(made=turns(least=1, most=40, largest=120))
def test_turn_after_turn_each_message_is_folded_once_and_what_is_shown_fits(made: list[list[Message]]) -> None:
    folded: list[Message] = []
    shown: list[Message] = []
    for turn in made:
        summary = 100 if folded else 0
        seen = MEMORY.select(shown, first_position=len(folded) + 1, message=turn[0], budget=BUDGET - summary)
        assert not seen or tokens(seen) + turn[0].tokens <= BUDGET - summary
        shown += turn
        now = MEMORY.fold(shown, summary_tokens=summary, budget=BUDGET)
        folded += now
        shown = shown[len(now) :]
    assert [*folded, *shown] == [each for turn in made for each in turn]
