"""What may stand in a body and a query, and the words for what may not."""

import json

import pytest

from hector_nb.errors import InvalidRequest, MalformedRequest, UnsupportedMediaType
from hector_nb.transports.bodies import (
    NewMessage,
    NewSession,
    SocketMessage,
    read_body,
    read_choice,
    read_events,
    read_flag,
    read_json,
    read_limit,
)
from hector_nb.wire.frames import EVENT_GROUPS

JSON = "application/json"


@pytest.mark.parametrize(
    "kind", [JSON, "application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"]
)
def test_json_is_taken_however_it_is_declared(kind: str) -> None:
    assert read_body(b'{"message": "Hi"}', kind, NewMessage).message == "Hi"


@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"]
)
def test_a_body_that_is_not_declared_as_json_is_refused(kind: str | None) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        read_body(b'{"message": "Hi"}', kind, NewMessage)
    assert "application/json" in str(caught.value.hint)


def test_no_body_needs_no_type() -> None:
    assert read_body(b"", None, NewSession) == NewSession()


@pytest.mark.parametrize(
    "raw",
    [
        b'{"metadata": {"a": 1e999}}',
        b'{"metadata": {"a": -1e999}}',
        b'{"metadata": {"a": ' + b"[" * 101 + b"]" * 101 + b"}}",
    ],
)
def test_what_could_not_be_written_again_is_not_read(raw: bytes) -> None:
    with pytest.raises(MalformedRequest):
        read_json(raw, NewSession)


def test_nesting_within_reason_is_kept() -> None:
    raw = b'{"metadata": ' + b'{"a": ' * 98 + b"1" + b"}" * 99
    assert read_json(raw, NewSession).metadata == json.loads(raw)["metadata"]


@pytest.mark.parametrize(
    "raw",
    [b"{", b"Hi", b"[]", b'"Hi"', b"null", b"1", b'{"message": NaN}', b"\xff\xfe", b"{'a': 1}", b"[" * 100_000],
)
def test_what_is_no_json_object_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedRequest):
        read_json(raw, NewMessage)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "`message` is missing."),
        ({"message": None}, "`message` should be a valid string."),
        ({"message": 5}, "`message` should be a valid string."),
        ({"message": ["Hi"]}, "`message` should be a valid string."),
        ({"message": "Hi", "mesage": "Hi"}, "`mesage` is not a key here. Did you mean `message`?"),
        ({"message": "Hi", "if_busy": "wait"}, "`if_busy` should be 'queue', 'reject' or 'interrupt'."),
        ({"message": "Hi", "user": "eve"}, "`user` is not a key here."),
    ],
)
def test_what_is_wrong_in_the_json_is_named(body: object, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_json(json.dumps(body).encode(), NewMessage)
    assert type(caught.value) is InvalidRequest
    assert caught.value.message == told


def test_everything_wrong_is_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_json(b'{"session_id": "a b", "title": 1, "metadata": []}', NewSession)
    assert caught.value.details is not None
    assert len(caught.value.details["problems"]) == 3


@pytest.mark.parametrize("session_id", ["", "a/b", "a b", "ä", "x" * 65, "a\n"])
def test_a_session_id_is_1_to_64_plain_characters(session_id: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 64 letters"):
        read_json(json.dumps({"session_id": session_id}).encode(), NewSession)


def test_half_characters_are_replaced() -> None:
    said = read_json(rb'{"message": "a\ud800b \ud83d\ude00 \\ud800"}', SocketMessage)
    assert said.message == "a\ufffdb 😀 \\ud800"


def test_limits() -> None:
    assert read_limit(None, default=50) == 50
    assert read_limit("7", default=50) == 7
    for text in ["0", "-1", "x", "", "1.5", "201", "9" * 30, "١"]:
        with pytest.raises(InvalidRequest):
            read_limit(text, default=50)


def test_switches() -> None:
    assert [read_flag("debug", text) for text in (None, "true", "1", "", "False", "no")] == [
        None,
        True,
        True,
        True,
        False,
        False,
    ]
    with pytest.raises(InvalidRequest):
        read_flag("debug", "maybe")


def test_choices_name_the_nearest() -> None:
    assert read_choice("status", "ended", ("active", "ended")) == "ended"
    with pytest.raises(InvalidRequest) as caught:
        read_choice("status", "activ", ("active", "ended"))
    assert caught.value.hint == "Did you mean `active`?"


def test_event_groups() -> None:
    assert read_events(None) is None
    assert read_events("all") == EVENT_GROUPS
    assert read_events("tools, usage") == {"tools", "usage"}
    assert read_events("") == frozenset()
    with pytest.raises(InvalidRequest) as caught:
        read_events("tool")
    assert caught.value.hint == "Did you mean `tools`?"
