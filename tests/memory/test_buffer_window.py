"""The window shows the newest messages, never more than fit, never half an exchange, and moves in steps."""

import itertools
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hector_nb.memory.buffer_window import BufferWindow
from hector_nb.messages import Message, Role

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def message(number: int, role: Role, tokens: int = 10) -> Message:
    return Message(
        message_id=f"msg_{number}", turn_id="turn_1", role=role, content=str(number), created_at=_NOW, tokens=tokens
    )


def conversation(turns: int, tokens: int = 10) -> list[Message]:
    """Messages of so many turns, the last one unanswered."""
    roles: list[Role] = ["user", "assistant"]
    return [message(number, roles[(number - 1) % 2], tokens) for number in range(1, 2 * turns)]


def shown(memory: BufferWindow, messages: list[Message], budget: int = 10**6) -> list[Message]:
    """What the model sees of a transcript, through `window` and `select` as the engine uses them."""
    *before, last = messages
    newest = memory.window(budget)
    history = newest.select(reversed(before))
    chosen = memory.select(history, first_position=len(messages) - len(history), message=last, budget=budget)
    return [*chosen, last]


def test_a_short_conversation_is_shown_whole() -> None:
    messages = conversation(5)
    assert shown(BufferWindow(20), messages) == messages


def test_a_window_of_one_shows_the_question_alone() -> None:
    messages = conversation(5)
    assert shown(BufferWindow(1), messages) == messages[-1:]


def test_the_start_moves_in_steps_so_that_the_prompt_keeps_its_beginning() -> None:
    memory = BufferWindow(20)
    starts = [shown(memory, conversation(turns))[0].message_id for turns in range(1, 60)]
    moves = sum(1 for before, after in itertools.pairwise(starts) if before != after)
    assert moves <= 60 / 2 + 1


def test_a_message_larger_than_the_budget_is_still_sent() -> None:
    messages = conversation(3)
    assert shown(BufferWindow(20), [*messages[:-1], message(9, "user", tokens=5000)], budget=100) == [
        message(9, "user", tokens=5000)
    ]


@given(
    size=st.one_of(st.none(), st.integers(1, 30)),
    budget=st.integers(0, 400),
    turns=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3), st.integers(1, 60)), max_size=20),
    asked=st.integers(1, 60),
)
def test_the_limits_hold_and_exchanges_stay_whole(
    size: int | None, budget: int, turns: list[tuple[int, int, int]], asked: int
) -> None:
    messages: list[Message] = []
    for question, calls, answer in turns:
        messages.append(message(len(messages) + 1, "user", question))
        for _ in range(calls):
            messages.append(message(len(messages) + 1, "assistant", answer))
            messages.append(message(len(messages) + 1, "tool", answer))
        messages.append(message(len(messages) + 1, "assistant", answer))
    messages.append(message(len(messages) + 1, "user", asked))
    seen = shown(BufferWindow(size), messages, budget)
    assert seen == messages[len(messages) - len(seen) :]
    assert seen[0].role == "user"
    assert size is None or len(seen) <= size
    assert len(seen) == 1 or sum(each.tokens for each in seen) <= budget
