"""Transcripts for tests of memory."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from hector_nb.messages import Message, Role, ToolCall

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def message(number: int, role: Role = "user", tokens: int = 10, content: str | None = None, **more: object) -> Message:
    return Message(
        message_id=f"msg_{number}",
        turn_id="turn_1",
        role=role,
        content=str(number) if content is None else content,
        created_at=_NOW,
        tokens=tokens,
        **more,  # type: ignore[arg-type]
    )


def conversation(turns: int, tokens: int = 10) -> list[Message]:
    """Messages of so many turns, each answered."""
    roles: tuple[Role, Role] = ("user", "assistant")
    return [message(number, roles[(number - 1) % 2], tokens) for number in range(1, 2 * turns + 1)]


def called(number: int, tokens: int, result: str = "found") -> tuple[Message, Message]:
    """A call of a tool and its result."""
    call = ToolCall(call_id=f"call_{number}", name="search", arguments={"query": "x"})
    return (
        message(number, "assistant", tokens, "", tool_calls=(call,)),
        message(number + 1, "tool", tokens, result, call_id=call.call_id),
    )


@st.composite
def turns(draw: st.DrawFn, *, least: int = 0, most: int = 25, largest: int = 60) -> list[list[Message]]:
    """Answered turns, some of which called tools, numbered through."""
    size = st.integers(1, largest)
    made: list[list[Message]] = []
    number = 1
    for question, calls, answer in draw(
        st.lists(st.tuples(size, st.lists(size, max_size=3), size), min_size=least, max_size=most)
    ):
        turn = [message(number, "user", question)]
        for tokens in calls:
            turn += called(number + len(turn), tokens)
        turn.append(message(number + len(turn), "assistant", answer))
        number += len(turn)
        made.append(turn)
    return made
