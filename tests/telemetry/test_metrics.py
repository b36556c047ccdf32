"""Prometheus metrics: what is counted, and under which labels."""

import pytest
from prometheus_client import REGISTRY

from hector_nb.messages import Usage
from hector_nb.telemetry import metrics
from hector_nb.telemetry.base import Arrival
from hector_nb.telemetry.metrics import Metrics, exposition
from tests.telemetry.facts import facts

LABELS = {
    "hector_turns": ("agent", "outcome"),
    "hector_turns_running": (),
    "hector_turn_seconds": ("agent",),
    "hector_queue_wait_seconds": (),
    "hector_request_to_model_seconds": ("transport",),
    "hector_token_to_reader_seconds": ("transport",),
    "hector_model_first_token_seconds": ("model",),
    "hector_model_requests": ("model", "outcome"),
    "hector_model_tokens": ("model", "direction"),
    "hector_tool_calls": ("tool", "outcome"),
    "hector_store_write_seconds": (),
    "hector_streams": ("transport",),
    "hector_resumes": ("transport",),
    "hector_joined_chunks": ("transport",),
    "hector_sessions": ("state",),
}


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_labels_are_few_and_bounded() -> None:
    found = {each._name: each._labelnames for each in vars(metrics).values() if hasattr(each, "_labelnames")}
    assert found == LABELS


def test_a_turn_counts_in_every_figure() -> None:
    names = {"agent": "counted", "model": "counted"}
    turn = Metrics().turn(facts(**names, arrival=Arrival(transport="sse", at=9.5)))
    running = value("hector_turns_running")
    turn.asked(1)
    turn.heard()
    turn.answered(Usage(prompt_tokens=7, completion_tokens=3), "tool_calls")
    turn.called("call_1", "counted")
    turn.returned("call_1", is_error=True)
    turn.asked(2)
    turn.unanswered("model_timeout")
    turn.ended("failed", code="model_timeout", finish_reason=None, usage=None)
    assert value("hector_turns_running") == running - 1
    assert value("hector_turns_total", agent="counted", outcome="failed") == 1
    assert value("hector_turn_seconds_count", agent="counted") == 1
    assert value("hector_model_tokens_total", model="counted", direction="input") == 7
    assert value("hector_model_tokens_total", model="counted", direction="output") == 3
    assert value("hector_model_requests_total", model="counted", outcome="ok") == 1
    assert value("hector_model_requests_total", model="counted", outcome="model_timeout") == 1
    assert value("hector_model_first_token_seconds_count", model="counted") == 1
    assert value("hector_tool_calls_total", tool="counted", outcome="error") == 1
    assert value("hector_request_to_model_seconds_count", transport="sse") >= 1


def test_the_first_piece_that_a_reader_gets_counts_once_and_a_turns_end_forgets_it() -> None:
    counts = Metrics()
    before = value("hector_token_to_reader_seconds_count", transport="grpc")
    for _ in range(2):
        turn = counts.turn(facts())
        turn.asked(1)
        turn.heard()
        counts.delivered("turn_1", "grpc")
        counts.delivered("turn_1", "grpc")
        turn.ended("complete", code=None, finish_reason="stop", usage=None)
    assert value("hector_token_to_reader_seconds_count", transport="grpc") == before + 2
    unread = counts.turn(facts(turn_id="turn_2"))
    unread.asked(1)
    unread.heard()
    unread.ended("complete", code=None, finish_reason="stop", usage=None)
    assert not counts._heard_at


def test_streams_are_counted_while_they_are_open_however_they_end() -> None:
    counts = Metrics()
    before = value("hector_streams", transport="grpc")
    with pytest.raises(ValueError, match="cut"), counts.reading("grpc"):
        assert value("hector_streams", transport="grpc") == before + 1
        raise ValueError("cut")
    assert value("hector_streams", transport="grpc") == before


def test_resumes_slow_readers_and_sessions_show() -> None:
    counts = Metrics()
    resumes, joined = (
        value("hector_resumes_total", transport="grpc"),
        value("hector_joined_chunks_total", transport="grpc"),
    )
    counts.resumed("grpc")
    counts.joined(12, "grpc")
    counts.counted({"active": 3, "ended": 2, "expired": 0})
    counts.stored(0.001)
    assert value("hector_resumes_total", transport="grpc") == resumes + 1
    assert value("hector_joined_chunks_total", transport="grpc") == joined + 12
    assert value("hector_sessions", state="ended") == 2
    text = exposition().decode()
    assert all(f"# HELP {name}" in text for name in LABELS)
