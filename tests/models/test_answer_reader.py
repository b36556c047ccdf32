"""Bytes may be cut anywhere: the deltas are the same."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.models.answer_reader import AnswerReader
from hector_nb.models.base import ModelFinished
from hector_nb.models.provider_errors import Failed, Provider
from hector_nb.models.sse import MAX_EVENT_BYTES, EventSplitter, TooLong
from tests.fakes.upstream import DONE, chunk, usage_chunk

PROVIDER = Provider(model="m", host="h")
ANSWER = b"".join(
    [
        b": a comment\n\n",
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "čti ∑"}),
        chunk({"content": "Grüße 😀"}),
        b"event: message\r\nid: 3\r\n" + chunk({"content": " \r\n data: x\n\n"}).replace(b"\n", b"\r\n"),
        chunk({"content": "日本語"}).replace(b"\n", b"\r"),
        chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"ä":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"ö"}'}}]}, "tool_calls"),
        usage_chunk(3, 4),
        DONE,
        b"data: never read\n\n",
    ]
)


def joined(deltas):
    """Deltas with neighbouring pieces of text put together."""
    out = []
    for delta in deltas:
        if out and isinstance(delta, TextDelta) and isinstance(out[-1], TextDelta):
            out[-1] = TextDelta(text=out[-1].text + delta.text)
        else:
            out.append(delta)
    return out


def read(pieces):
    reader = AnswerReader(PROVIDER)
    deltas = []
    for piece in pieces:
        deltas += reader.feed(piece)
        if reader.ended:
            break
    return joined(deltas + reader.finish())


def cut(data, places):
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


WHOLE = read([ANSWER])


def test_the_answer_itself_is_understood():
    thinking, text, call, end = WHOLE
    assert thinking == ThinkingDelta(text="čti ∑")
    assert text.text == "Grüße 😀 \r\n data: x\n\n日本語"
    assert (call.call_id, call.name, call.arguments) == ("c", "f", {"ä": "ö"})
    assert isinstance(end, ModelFinished)


@given(st.lists(st.integers(min_value=0, max_value=len(ANSWER))))
def test_cutting_the_bytes_anywhere_changes_nothing(places):
    assert read(cut(ANSWER, places)) == WHOLE


def test_one_byte_at_a_time_changes_nothing():
    assert read(bytes([byte]) for byte in ANSWER) == WHOLE


@given(st.lists(st.text(min_size=1)), st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(min_value=0)))
def test_any_text_comes_through(texts, line_end, places):
    events = [json.dumps({"choices": [{"delta": {"content": text}}]}) for text in texts]
    data = "".join(f"data: {event}{line_end}{line_end}" for event in [*events, "[DONE]"]).encode()
    if not texts:
        with pytest.raises(Failed):
            read(cut(data, places))
    else:
        assert joined(read(cut(data, places)))[0] == TextDelta(text="".join(texts))


@given(st.binary(), st.lists(st.integers(min_value=0)))
def test_rubbish_only_fails_cleanly(data, places):
    with pytest.raises(Failed):
        read(cut(data, places))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "delta",
                        "content",
                        "tool_calls",
                        "function",
                        "arguments",
                        "usage",
                        "index",
                        "finish_reason",
                        "error",
                    ]
                ),
                inner,
            )
        ),
    )
)
def test_json_of_any_shape_only_fails_cleanly(value):
    try:
        read([b"data: " + json.dumps(value).encode() + b"\n\n", DONE])
    except Failed:
        return


def test_a_lone_surrogate_is_replaced():
    assert read([b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n', DONE])[0] == TextDelta(text="a\ufffd")


def test_an_event_without_end_is_refused():
    splitter = EventSplitter()
    piece = b"data: " + b"x" * (MAX_EVENT_BYTES // 4)
    with pytest.raises(TooLong):
        for _ in range(5):
            list(splitter.feed(piece))
