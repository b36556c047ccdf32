"""What the model sees: never more than fits, whole turns, the newest ones, and a beginning that moves in steps."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hector_nb.memory.base import WorkingMemory
from hector_nb.memory.buffer_window import BufferWindow
from hector_nb.memory.summary_buffer import SummaryBuffer
from hector_nb.memory.token_window import TokenWindow
from hector_nb.messages import Message
from tests.memory.transcripts import conversation, message, turns

STRATEGIES: list[WorkingMemory] = [
    BufferWindow(20),
    TokenWindow(),
    SummaryBuffer(threshold=0.8, target=0.6, allowance=64),
]
windows = st.one_of(st.just(TokenWindow()), st.integers(1, 30).map(BufferWindow))
anything = st.one_of(st.sampled_from(STRATEGIES), st.integers(1, 30).map(BufferWindow))


def shown(memory: WorkingMemory, before: Sequence[Message], asked: Message, budget: int = 10**6) -> list[Message]:
    """What the model sees of a transcript, through `window` and `select` as the engine uses them."""
    history = memory.window(budget).select(reversed(before))
    first = len(before) - len(history) + 1
    return [*memory.select(history, first_position=first, message=asked, budget=budget), asked]


def starts(memory: WorkingMemory, made: Sequence[Sequence[Message]], budget: int) -> list[int]:
    """The position at which the window begins, turn after turn."""
    found = []
    before: list[Message] = []
    for turn in made:
        found.append(len(before) + 2 - len(shown(memory, before, turn[0], budget)))
        before += turn
    return found


@pytest.mark.parametrize("memory", STRATEGIES, ids=lambda memory: memory.strategy)
def test_a_short_conversation_is_shown_whole(memory: WorkingMemory) -> None:
    before, asked = conversation(5), message(11)
    assert shown(memory, before, asked) == [*before, asked]


def test_a_window_of_one_shows_the_question_alone() -> None:
    assert shown(BufferWindow(1), conversation(5), message(11)) == [message(11)]


@pytest.mark.parametrize("memory", STRATEGIES, ids=lambda memory: memory.strategy)
def test_a_message_larger_than_the_budget_is_still_sent(memory: WorkingMemory) -> None:
    asked = message(9, tokens=5000)
    assert shown(memory, conversation(4), asked, budget=100) == [asked]


@pytest.mark.parametrize("memory", STRATEGIES, ids=lambda memory: memory.strategy)
def test_the_beginning_moves_rarely_so_that_the_prompt_cache_holds(memory: WorkingMemory) -> None:
    made = list(zip(*[iter(conversation(200))] * 2, strict=True))
    found = starts(memory, made, budget=1000)
    moves = sum(before != after for before, after in itertools.pairwise(found))
    window = 20 if isinstance(memory, BufferWindow) else 100
    assert moves <= 400 / (window / 8), "each drops an eighth of the window or more"


@settings(deadline=None)
@given(memory=anything, budget=st.integers(0, 600), made=turns(), asked=st.integers(1, 60))
def test_the_limits_hold_and_turns_stay_whole(
    memory: WorkingMemory, budget: int, made: list[list[Message]], asked: int
) -> None:
    before = [each for turn in made for each in turn]
    seen = shown(memory, before, message(len(before) + 1, tokens=asked), budget)
    assert seen[:-1] == before[len(before) - len(seen) + 1 :], "the newest, without a gap"
    assert seen[0].role == "user"
    called = {call.call_id for each in seen for call in each.tool_calls}
    assert called == {each.call_id for each in seen if each.role == "tool"}
    if len(seen) > 1:
        assert sum(each.tokens for each in seen) <= budget
        assert len(seen) <= getattr(memory, "_size", len(seen))


@settings(deadline=None)
@given(memory=windows, budget=st.integers(0, 600), made=turns())
def test_the_beginning_never_moves_backwards(memory: WorkingMemory, budget: int, made: list[list[Message]]) -> None:
    found = starts(memory, made, budget)
    assert found == sorted(found)


@settings(deadline=None)
@given(budget=st.integers(100, 600), made=turns(least=1, largest=10))
def test_a_step_leaves_three_quarters_of_what_would_fit(budget: int, made: list[list[Message]]) -> None:
    before = [each for turn in made for each in turn]
    asked = message(len(before) + 1)
    seen = shown(TokenWindow(), before, asked, budget)
    largest_turn = max(sum(each.tokens for each in turn) for turn in made)
    assert len(seen) == len(before) + 1 or sum(each.tokens for each in seen) >= 0.75 * budget - largest_turn


@pytest.mark.parametrize("memory", [BufferWindow(5), TokenWindow()], ids=lambda memory: memory.strategy)
def test_windows_never_fold(memory: WorkingMemory) -> None:
    assert memory.fold(conversation(50), summary_tokens=0, budget=10) == ()
    assert not memory.window(10).summarized
