"""What a reader of a turn receives: text, named events, ids; and that resuming anywhere loses and repeats nothing."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hector_nb.config.schema import ReasoningConfig, StreamingConfig
from hector_nb.errors import InvalidRequest
from hector_nb.events import (
    ApprovalAsked,
    ApprovalDecided,
    ContextBuilt,
    Event,
    LoggedEvent,
    ModelUsed,
    NestedDelta,
    TextDelta,
    ThinkingDelta,
    ToolCalled,
    ToolReturned,
    TurnDone,
    TurnFailed,
    TurnReset,
    TurnStarted,
)
from hector_nb.messages import INVALID_ARGUMENTS, Usage
from hector_nb.wire.framer import Framer
from hector_nb.wire.frames import (
    EVENT_GROUPS,
    Chunk,
    Cursor,
    Done,
    Failed,
    Frame,
    Named,
    View,
    socket_message,
    sse_blocks,
)

STARTED = TurnStarted(
    session_id="sess_abc123", turn_id="turn_1", message_id="msg_1", message_number=1, memory_tokens=523
)
CONTEXT = ContextBuilt(context={"tokens": 523})
USED = ModelUsed(usage=Usage(prompt_tokens=523, completion_tokens=12))
DONE = TurnDone(
    turn_id="turn_1", message_id="msg_2", finish_reason="stop", usage=Usage(prompt_tokens=523, completion_tokens=12)
)
FAILED = TurnFailed(code="model_error", message="The model failed.", retryable=True)
WRITE = ToolCalled(call_id="call_1", name="write_file", arguments={"path": "hello.py", "content": "print('Hello')"})
WROTE = ToolReturned(call_id="call_1", name="write_file", output="14 bytes")
RUN = ToolCalled(call_id="call_2", name="execute_command", arguments={"command": "python hello.py"})
RAN = ToolReturned(call_id="call_2", name="execute_command", output="Hello\n")
ASKED = ApprovalAsked(
    call_id="call_1", name="write_file", arguments=WRITE.arguments, deadline="2026-11-22T20:00:00.000Z"
)
EDITED = ApprovalDecided(call_id="call_1", decision="approve", edited={"path": "b"})
DENIED = ApprovalDecided(call_id="call_1", decision="deny", expired=True)


def log(*events: Event | str) -> list[LoggedEvent]:
    """A turn's log; a string is a piece of the answer."""
    values = [TextDelta(text=each) if isinstance(each, str) else each for each in events]
    return [LoggedEvent(seq, event) for seq, event in enumerate(values, start=1)]


def frames_of(events: Iterable[LoggedEvent], view: View, **streaming: int) -> list[Frame]:
    return Framer(view, streaming=StreamingConfig(**streaming)).feed(events)


def text_of(frames: Iterable[Frame]) -> str:
    return "".join(frame.text for frame in frames if isinstance(frame, Chunk))


def place(frame: Frame) -> str:
    offset = frame.offset if isinstance(frame, Chunk | Named) else 0
    return str(Cursor(turn_id="turn_1", seq=frame.seq, offset=offset))


def test_by_default_there_is_nothing_but_the_answer_and_the_end() -> None:
    frames = frames_of(log(STARTED, "Quantum", ThinkingDelta(text="hm"), " computing", USED, DONE), View())
    assert frames == [Chunk(2, 0, "Quantum"), Chunk(4, 0, " computing"), Done(6, DONE)]


def test_the_bytes_are_those_of_the_page() -> None:
    frames = frames_of(log(STARTED, "Quantum", " computing", DONE), View())
    assert sse_blocks("turn_1", frames).decode() == (
        'id: turn_1:2\ndata: {"chunk": "Quantum"}\n\n'
        'id: turn_1:3\ndata: {"chunk": " computing"}\n\n'
        "id: turn_1:4\ndata: [DONE]\n\n"
    )


def test_printable_text_is_not_escaped_and_what_utf_8_cannot_hold_is_replaced() -> None:
    frames = frames_of(log('naïve "日本" 😀 \u2028 \\ \n\x00 \ud800'), View())
    assert sse_blocks("turn_1", frames).decode() == (
        'id: turn_1:1\ndata: {"chunk": "naïve \\"日本\\" 😀 \u2028 \\\\ \\n\\u0000 \ufffd"}\n\n'
    )


def test_tool_lines_stand_alone_as_on_the_page() -> None:
    events = log(
        STARTED,
        "Let me create",
        " that file...",
        WRITE,
        WROTE,
        "\n\nFile created successfully.\nNow let me test it...",
        RUN,
        RAN,
        "\n\nThe program works correctly!",
        DONE,
    )
    assert text_of(frames_of(events, View(tools=True))) == (
        "Let me create that file...\n"
        '[Tool: write_file("hello.py", "print(\'Hello\')")]\n'
        "File created successfully.\n"
        "Now let me test it...\n"
        '[Tool: execute_command("python hello.py")]\n'
        "Output: Hello\n"
        "The program works correctly!"
    )


def test_arguments_that_are_no_json_stand_in_their_line_as_they_were_written() -> None:
    call = ToolCalled(call_id="call_1", name="act", arguments={INVALID_ARGUMENTS: '{"what":\n1'})
    assert text_of(frames_of(log(call), View(tools=True))) == '[Tool: act({"what": 1)]\n'


def test_tool_lines_are_left_out_where_the_agent_says_so() -> None:
    assert text_of(frames_of(log("a", WRITE, WROTE, RUN, RAN, "b"), View())) == "ab"


def test_long_arguments_are_cut_in_their_line_and_whole_in_their_event() -> None:
    call = ToolCalled(call_id="call_1", name="write_file", arguments={"path": "a", "content": "x" * 100_000})
    assert text_of(frames_of(log(call), View(tools=True))) == f'[Tool: write_file("a", "{"x" * 1999}…)]\n'
    (named,) = frames_of(log(call), View(events=frozenset({"tools"})))
    assert isinstance(named, Named)
    assert named.data["arguments"] == call.arguments


def test_what_waits_for_an_approval_is_said_where_events_were_not_asked_for() -> None:
    for view in (View(tools=True), View()):
        text = text_of(frames_of(log("Let me write.", ASKED, DENIED), view))
        assert text == 'Let me write.\n[Approval needed: write_file("hello.py", "print(\'Hello\')") call_1]\n'


@pytest.mark.parametrize("groups", [EVENT_GROUPS, frozenset[str]()])
def test_approvals_are_events_whichever_events_were_asked_for(groups: frozenset[str]) -> None:
    frames = frames_of(log(ASKED, EDITED, DENIED), View(events=groups))
    call = {"call_id": "call_1", "name": "write_file", "arguments": WRITE.arguments}
    assert frames == [
        Named(1, 0, "approval", {**call, "deadline": "2026-11-22T20:00:00.000Z"}),
        Named(2, 0, "approval", {"call_id": "call_1", "decision": "approve", "edited": {"path": "b"}}),
        Named(3, 0, "approval", {"call_id": "call_1", "decision": "deny", "expired": True}),
    ]


def test_what_another_agent_says_comes_as_events_of_the_tools_alone() -> None:
    data = {"call_id": "call_1", "agent": "helper", "session_id": "sess_2", "turn_id": "turn_2", "text": "hm"}
    nested = NestedDelta(**data)
    assert frames_of(log(nested), View(events=frozenset({"tools"}))) == [Named(1, 0, "nested", data)]
    for view in (View(tools=True), View(events=frozenset({"usage"}))):
        assert frames_of(log(nested), view) == []


def test_reasoning_is_set_apart_from_the_answer() -> None:
    events = log(ThinkingDelta(text="2 and 2"), ThinkingDelta(text=" is 4."), "The answer is 4.", DONE)
    assert text_of(frames_of(events, View(thinking=True))) == "2 and 2 is 4.\nThe answer is 4."


def test_debug_text_is_the_first_and_the_last_chunk() -> None:
    frames = frames_of(log(STARTED, "Hi", DONE), View(debug=True))
    assert frames == [
        Chunk(1, 0, "[Session: sess_abc123]\n[Message: 1]\n[Memory: 523 tokens]\n"),
        Chunk(2, 0, "Hi"),
        Chunk(2, 28, "\n[Response: 12 tokens, stop]"),
        Done(3, DONE),
    ]


def test_named_events_come_instead_of_text() -> None:
    events = log(STARTED, CONTEXT, ThinkingDelta(text="hm"), "Hi", RUN, RAN, USED, DONE)
    frames = frames_of(events, View(events=EVENT_GROUPS))
    assert [(place(frame), frame.name if isinstance(frame, Named) else type(frame).__name__) for frame in frames] == [
        ("turn_1:0+1", "session"),
        ("turn_1:0+2", "context"),
        ("turn_1:1", "debug"),
        ("turn_1:2", "context"),
        ("turn_1:3", "thinking"),
        ("turn_1:4", "Chunk"),
        ("turn_1:5", "tool_call"),
        ("turn_1:6", "tool_result"),
        ("turn_1:7", "usage"),
        ("turn_1:7+1", "debug"),
        ("turn_1:7+2", "done"),
        ("turn_1:8", "Done"),
    ]
    assert text_of(frames) == "Hi"


def test_a_list_of_groups_leaves_the_others_out() -> None:
    frames = frames_of(log(STARTED, ThinkingDelta(text="hm"), RUN, USED, DONE), View(events=frozenset({"usage"})))
    names = [frame.name for frame in frames if isinstance(frame, Named)]
    assert names == ["session", "usage", "done"]


def test_a_failed_turn_ends_with_its_error() -> None:
    frames = frames_of(log("Hi", FAILED), View())
    assert frames[-1] == Failed(2, FAILED)
    assert sse_blocks("turn_1", frames[-1:]).decode() == (
        'id: turn_1:2\nevent: error\ndata: {"error": {"code": "model_error", "message": "The model failed.", '
        '"retryable": true}}\n\n'
    )


def test_chunk_size_cuts_and_joins_to_that_many_characters() -> None:
    frames = frames_of(log("Quantum", " computing uses", DONE), View(), chunk_size=10)
    assert [frame.text for frame in frames if isinstance(frame, Chunk)] == ["Quantum co", "mputing us", "es"]
    assert [place(frame) for frame in frames] == ["turn_1:1+3", "turn_1:1+13", "turn_1:2", "turn_1:3"]


def test_an_answer_with_tools_comes_whole_where_the_agent_does_not_stream() -> None:
    framer = Framer(View(tools=True, thinking=True), whole=True)
    events = log(
        STARTED, ThinkingDelta(text="Hm."), "I write", " it.", WRITE, WROTE, USED, CONTEXT, "\n\nDone.", USED, DONE
    )
    frames: list[Frame] = []
    for event in events:
        frames += [*framer.feed([event]), *framer.flush()]
    line = '[Tool: write_file("hello.py", "print(\'Hello\')")]'
    assert frames == [Chunk(9, 0, f"Hm.\nI write it.\n{line}\nDone."), Done(11, DONE)]


def test_a_whole_answer_is_only_divided_where_a_person_is_asked() -> None:
    framer = Framer(View(tools=True), whole=True)
    assert framer.feed(log(STARTED, "I write it.", ASKED)) == [
        Chunk(3, 0, 'I write it.\n[Approval needed: write_file("hello.py", "print(\'Hello\')") call_1]\n')
    ]


def test_text_that_does_not_fill_a_chunk_goes_out_when_the_model_is_silent() -> None:
    framer = Framer(View(), streaming=StreamingConfig(chunk_size=10))
    assert framer.feed(log("Hi")) == []
    assert framer.flush() == [Chunk(1, 0, "Hi")]
    assert framer.flush() == []


def test_a_reader_that_lags_gets_joined_chunks_and_the_id_of_the_last() -> None:
    frames = frames_of(log(*"abcdef", DONE), View(), buffer_size=5)
    assert frames == [Chunk(6, 0, "abcdef"), Done(7, DONE)]


RESET = TurnReset(turn_id="turn_1", text="Hello")


@pytest.mark.parametrize("cursor", [(0, 0), (2, 0), (2, 3), (99, 0), (99, 7)])
@pytest.mark.parametrize("size", [None, 3])
def test_a_lost_cursor_gets_the_whole_text_and_the_end(cursor: tuple[int, int], size: int | None) -> None:
    seq, offset = cursor
    framer = Framer(View(), seq=seq, offset=offset, streaming=StreamingConfig(chunk_size=size))
    frames = framer.feed([LoggedEvent(3, RESET), LoggedEvent(4, DONE)])
    assert frames == [Named(3, 0, "reset", {"turn_id": "turn_1", "text": "Hello"}), Done(4, DONE)]
    assert framer.finished


def test_what_waits_for_its_chunk_to_be_filled_is_dropped_when_the_text_is_replaced() -> None:
    framer = Framer(View(thinking=True), streaming=StreamingConfig(chunk_size=10))
    assert framer.feed(log(STARTED, "Hel", ThinkingDelta(text="hm"))[:2]) == []
    frames = framer.feed([LoggedEvent(7, RESET), LoggedEvent(8, DONE)])
    assert [type(frame) for frame in frames] == [Named, Done]
    assert framer.flush() == []


@pytest.mark.parametrize("view", [View(debug=True), View(events=EVENT_GROUPS)])
def test_after_a_reset_the_rest_is_shown_as_ever(view: View) -> None:
    frames = Framer(view, seq=99).feed([LoggedEvent(7, RESET), LoggedEvent(8, DONE)])
    assert frames[1:] == Framer(view, seq=7).feed([LoggedEvent(8, DONE)])
    assert len(frames) > 2


def test_a_socket_says_the_end_once() -> None:
    frames = frames_of(log("Hi", DONE), View(events=frozenset()))
    assert [socket_message("turn_1", frame) for frame in frames] == [
        '{"chunk": "Hi", "id": "turn_1:1"}',
        None,
        '{"done": true, "id": "turn_1:2", "turn_id": "turn_1", "message_id": "msg_2", "finish_reason": "stop", '
        '"usage": {"prompt_tokens": 523, "completion_tokens": 12, "total_tokens": 535}}',
    ]


@pytest.mark.parametrize(
    ("reasoning", "asked", "expected"),
    [
        ({}, {}, View(tools=True)),
        ({"show_tool_execution": False, "show_thinking": True}, {}, View(thinking=True)),
        ({}, {"debug": True}, View(tools=True, debug=True)),
        ({"show_debug_info": True}, {"debug": False}, View(tools=True)),
        ({}, {"events": frozenset({"tools"})}, View(events=frozenset({"tools"}))),
        ({}, {"events": frozenset({"tools"}), "debug": True}, View(events=frozenset({"tools", "debug"}))),
        ({"show_debug_info": True}, {"events": EVENT_GROUPS, "debug": False}, View(events=EVENT_GROUPS - {"debug"})),
    ],
)
def test_a_request_asks_for_more_or_less_than_the_agent_shows(
    reasoning: dict[str, bool], asked: dict[str, object], expected: View
) -> None:
    assert View.choose(ReasoningConfig(**reasoning), **asked) == expected  # type: ignore[arg-type]


text = st.text(st.characters(blacklist_categories=[]), max_size=12)
middle = st.one_of(
    text.map(lambda each: TextDelta(text=each)),
    text.map(lambda each: ThinkingDelta(text=each)),
    st.builds(ToolCalled, call_id=st.just("call_1"), name=text, arguments=st.dictionaries(text, text, max_size=2)),
    st.builds(
        ToolReturned, call_id=st.just("call_1"), name=st.sampled_from(["execute_command", "search"]), output=text
    ),
    st.sampled_from([USED, CONTEXT, ASKED, DENIED, TextDelta(text="\n\nmore")]),
)
logs = st.builds(
    lambda events, last: log(STARTED, *events, last), st.lists(middle, max_size=12), st.sampled_from([DONE, FAILED])
)
views = st.one_of(
    st.builds(View, tools=st.booleans(), thinking=st.booleans(), debug=st.booleans()),
    st.frozensets(st.sampled_from(sorted(EVENT_GROUPS))).map(lambda groups: View(events=groups)),
)
WHOLE = 0
"""Among the sizes of chunks: the answer in one."""
sizes = st.one_of(st.none(), st.just(WHOLE), st.integers(1, 9))


def read(
    events: Sequence[LoggedEvent], view: View, size: int | None, splits: Sequence[int], cursor: Cursor | None = None
) -> list[Frame]:
    """All frames of a reader that gets the log in batches and resumes at a cursor."""
    framer = Framer(
        view,
        seq=cursor.seq if cursor else 0,
        offset=cursor.offset if cursor else 0,
        streaming=StreamingConfig(chunk_size=size or None),
        whole=size == WHOLE,
    )
    frames: list[Frame] = []
    rest = list(events if cursor is None or Framer.needs_history(view) else events[cursor.seq :])
    for split in splits:
        frames += framer.feed(rest[:split])
        if split % 3 == 0:
            frames += framer.flush()
        rest = rest[split:]
    return frames + framer.feed(rest)


def others(frames: Iterable[Frame]) -> list[Frame]:
    return [frame for frame in frames if not isinstance(frame, Chunk)]


@settings(max_examples=200, deadline=None)
@given(events=logs, view=views, size=sizes, other_size=sizes, splits=st.lists(st.integers(0, 5), max_size=6))
def test_every_way_of_cutting_gives_the_same_text_and_resuming_anywhere_gives_the_rest(
    events: list[LoggedEvent], view: View, size: int | None, other_size: int | None, splits: list[int]
) -> None:
    whole = read(events, view, None, [])
    frames = read(events, view, size, splits)
    assert text_of(frames) == text_of(whole)
    assert others(frames) == others(whole)
    assert isinstance(frames[-1], Done | Failed)
    for number, frame in enumerate(frames):
        cursor = Cursor.parse(place(frame))
        rest = read(events, view, other_size, splits, cursor)
        assert text_of(frames[: number + 1]) + text_of(rest) == text_of(whole)
        assert others(frames[: number + 1]) + others(rest) == others(whole)


@settings(max_examples=200, deadline=None)
@given(events=logs, view=views, size=sizes)
def test_ids_grow_and_can_be_read_back(events: list[LoggedEvent], view: View, size: int | None) -> None:
    places = [Cursor.parse(place(frame)) for frame in read(events, view, size, [])]
    assert [(each.seq, each.offset) for each in places] == sorted({(each.seq, each.offset) for each in places})


@given(st.text(max_size=30).filter(lambda text: not text.strip().startswith("turn_")))
def test_what_is_no_id_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(InvalidRequest, match="not one of ours") as caught:
        Cursor.parse(text)
    assert caught.value.hint is not None
