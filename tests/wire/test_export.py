"""Conversations as files: nothing is lost in JSON, and the others open."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hector_nb.messages import INVALID_ARGUMENTS, Message, ToolCall
from hector_nb.sessions import Session
from hector_nb.transports.imports import read_import
from hector_nb.wire.export import FORMATS, export, file_name

NOW = datetime(2026, 11, 22, 19, 15, 22, 250123, tzinfo=UTC)
SESSION = Session(
    session_id="sess_1",
    agent="assistant",
    user="ada",
    title="Why *is* the sky <blue>?",
    metadata={"course": ["physics", 1, None]},
    created_at=NOW,
    last_active_at=NOW,
)


def message(number: int, role: Any, content: str, **more: Any) -> Message:
    made: dict[str, Any] = {
        "message_id": f"msg_{number}",
        "turn_id": "turn_1",
        "role": role,
        "content": content,
        "created_at": NOW + timedelta(microseconds=number),
        "tokens": 5,
    }
    return Message(**{**made, **more})


CALL = ToolCall(call_id="call_1", name="write_file", arguments={"path": "a.py", "content": "print('```')"})
MESSAGES = [
    message(1, "user", "Make a file 日本"),
    message(2, "assistant", "Let me …", thinking="Hm.\n```", tool_calls=(CALL,), estimated=False),
    message(3, "tool", "no\n```\nroom", call_id="call_1", is_error=True),
    message(4, "assistant", "That\n```python\nprint(1)", status="cancelled"),
    message(5, "user", "<script>alert(1)</script> ![x](http://e.example/x)"),
    message(6, "assistant", "", status="interrupted"),
]


def written(messages: list[Message], form: str, session: Session = SESSION) -> str:
    return "".join(export(session, messages, form))


def imported(text: str) -> Any:
    return read_import(text.encode(), "application/json")


def test_json_comes_back_without_loss() -> None:
    back = imported(written(MESSAGES, "json"))
    assert back.messages == MESSAGES
    assert (back.title, back.metadata) == (SESSION.title, SESSION.metadata)


words = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
ids = st.integers(1, 10**6).map("id_{}".format)
whole = st.fixed_dictionaries({
    "content": words,
    "turn_id": ids,
    "status": st.sampled_from(["complete", "cancelled", "failed", "interrupted"]),
    "tokens": st.integers(1, 10**9),
    "estimated": st.booleans(),
    "created_at": st.datetimes(timezones=st.just(UTC)),
})  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
calls = st.builds(
    ToolCall,
    call_id=ids,
    name=st.just("search"),
    arguments=st.dictionaries(words, values, max_size=3),
)


@st.composite
def transcripts(draw: st.DrawFn) -> list[Message]:
    made: list[Message] = []
    for _ in range(draw(st.integers(0, 5))):
        made.append(message(len(made), "user", **draw(whole)))
        called = tuple(draw(st.lists(calls, max_size=2)))
        made.append(message(len(made), "assistant", **draw(whole), thinking=draw(words), tool_calls=called))
        made += [
            message(len(made) + number, "tool", **draw(whole), call_id=call.call_id, is_error=draw(st.booleans()))
            for number, call in enumerate(called)
        ]
    return made


@settings(max_examples=100, deadline=None)
@given(transcripts())
def test_whatever_was_said_survives_the_round_trip(messages: list[Message]) -> None:
    assert imported(written(messages, "json")).messages == messages


@settings(max_examples=50, deadline=None)
@given(transcripts(), words)
def test_every_notebook_is_valid(messages: list[Message], title: str) -> None:
    session = Session(session_id="sess_1", agent="a", user="u", title=title, created_at=NOW, last_active_at=NOW)
    notebook = nbformat.reads(written(messages, "ipynb", session), as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) == len(messages) + 1


def test_a_notebook_has_a_cell_for_each_message() -> None:
    notebook = nbformat.reads(written(MESSAGES, "ipynb"), as_version=4)
    nbformat.validate(notebook)
    title, first, second, third, fourth, fifth, _ = [cell.source for cell in notebook.cells]
    assert title.startswith("# Why \\*is\\* the sky \\<blue\\>?\n\nassistant · sess\\_1 · 2026-11-22 19:15 UTC")
    assert first == "**User**\n\nMake a file 日本"
    assert second.startswith(
        "**Assistant**\n\n*Thinking*\n\n````text\nHm.\n```\n````\n\nLet me …\n\n*Calls write\\_file*"
    )
    assert '"path": "a.py"' in second
    assert third == "**Tool (failed)**\n\n````text\nno\n```\nroom\n````"
    assert fourth.startswith("**Assistant (cancelled)**")
    assert "<script" not in fifth
    assert "![" not in fifth
    assert notebook.cells[4].metadata["hector"]["status"] == "cancelled"


def test_markdown_reads_like_a_conversation_and_a_fence_left_open_does_not_swallow_the_rest() -> None:
    text = written(MESSAGES, "markdown")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## User", "## Assistant", "## Tool (failed)", "## Assistant (cancelled)", "## User", "## Assistant (interrupted)",
    ]  # fmt: skip
    assert text.index("print(1)\n```") < text.index("## User", text.index("print(1)"))


def test_arguments_that_are_no_json_are_exported_as_they_were_written() -> None:
    call = ToolCall(call_id="c", name="act", arguments={INVALID_ARGUMENTS: '{"what'})
    text = written([replace(MESSAGES[1], tool_calls=(call,))], "markdown")
    assert '*Calls act*\n\n```text\n{"what\n```' in text
    assert INVALID_ARGUMENTS not in text


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Why is the sky blue?", "Why-is-the-sky-blue.md"),
        ('a"b\r\n; /../c', "a-b-..-c.md"),
        ("日本", "sess_1.md"),
        ("", "sess_1.md"),
        ("x" * 200, "x" * 80 + ".md"),
    ],
)
def test_the_file_is_named_after_the_title(title: str, name: str) -> None:
    session = Session(session_id="sess_1", agent="a", user="u", title=title, created_at=NOW, last_active_at=NOW)
    assert file_name(session, "markdown") == name


def test_every_format_has_its_own_suffix() -> None:
    assert len({form.suffix for form in FORMATS.values()}) == len(FORMATS)


def test_json_is_one_message_a_line() -> None:
    text = written(MESSAGES, "json")
    assert len(text.splitlines()) == len(MESSAGES) + 2
    assert json.loads(text)["version"] == 1
