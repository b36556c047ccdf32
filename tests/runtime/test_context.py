"""What goes first where a turn's own messages become too much for the budget."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hector_nb.memories import RecalledMemory
from hector_nb.messages import Message, ToolCall
from hector_nb.runtime.context import Context, Room
from tests.values import make_memory

NOW = datetime.now(UTC)


def message(role: Any, tokens: int, **more: Any) -> Message:
    return Message(message_id="msg_1", turn_id="turn_1", role=role, content="…", created_at=NOW, tokens=tokens, **more)


def turn(calling: int, result: int) -> list[Message]:
    call = ToolCall(call_id="call_1", name="act", arguments={})
    return [message("assistant", calling, tool_calls=(call,)), message("tool", result, call_id="call_1")]


@pytest.fixture
def context() -> Context:
    """An old turn of 20 tokens and a question of 30 with 20 of memories, in a budget of 100 of which the prompt takes 10."""
    return Context(
        agent=None,  # type: ignore[arg-type]
        room=Room(schemas=(), tools_tokens=0, system_tokens=10, budget=100, note=None),
        message=message("user", 30),
        position=3,
        summary=None,
        history=[message("user", 10), message("assistant", 10)],
        first_position=1,
        recalled=[RecalledMemory(memory=make_memory(tokens=15), score=0.9)],
        recalled_tokens=20,
    )


@pytest.mark.parametrize(
    ("added", "history", "recalled", "tokens"),
    [
        (turn(10, 10), 2, 1, 100),
        (turn(10, 20), 0, 1, 90),
        (turn(20, 20), 0, 1, 100),
        (turn(20, 21), 0, 0, 81),
        ([*turn(5, 40), *turn(5, 10)], 0, 1, 97),
        (turn(20, 200), 0, 0, 260),
    ],
    ids=["nothing", "old turns", "still enough", "memories", "old outputs before memories", "the newest output never"],
)
def test_old_turns_go_first_then_old_outputs_then_memories(
    context: Context, added: list[Message], history: int, recalled: int, tokens: int
) -> None:
    shown = context.extended(added, (), 0, requests=2)
    assert (len(shown.history), len(shown.recalled), shown.tokens) == (history, recalled, tokens)
    assert shown.first_position == 3 - history
    assert len(shown.memories) == recalled
