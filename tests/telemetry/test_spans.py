"""OpenTelemetry: what is traced, under which names, and what never is."""

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from hector_nb.bootstrap.engine import make_telemetry
from hector_nb.errors import ModelError
from hector_nb.telemetry.base import ARRIVAL, Arrival
from hector_nb.telemetry.spans import Spans
from tests.runtime.agents import ask, opened_agents
from tests.runtime.fake_tools import FakeTool, call
from tests.runtime.world import first_text, opened, text_of
from tests.telemetry.facts import facts

pytestmark = pytest.mark.anyio
PROVIDER = TracerProvider()
EXPORTER = InMemorySpanExporter()
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    monkeypatch.setattr(trace, "get_tracer", PROVIDER.get_tracer)
    EXPORTER.clear()
    yield Spans()
    EXPORTER.clear()


def finished() -> dict[str, ReadableSpan]:
    return {span.name: span for span in EXPORTER.get_finished_spans()}


async def test_a_turn_its_requests_and_its_calls_are_spans_with_the_names_of_the_conventions(spans: Spans) -> None:
    async with opened([[call("SECRET")], ["An ", "answer"]], tools=[FakeTool()]) as world:
        world.runtime.telemetry = spans
        session = await world.session()
        turn = await world.send("a SECRET prompt", session)
        await text_of(turn)
    chats = [span for span in EXPORTER.get_finished_spans() if span.name.startswith("chat ")]
    found = finished()
    agent, tool = found["invoke_agent assistant"], found["execute_tool act"]
    assert len(chats) == 2
    assert all(each.parent.span_id == agent.context.span_id for each in (*chats, tool))
    assert agent.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert agent.attributes["gen_ai.agent.name"] == "assistant"
    assert agent.attributes["gen_ai.conversation.id"] == session
    assert agent.attributes["hector.turn.id"] == turn.turn_id
    assert agent.attributes["gen_ai.usage.output_tokens"] > 0
    assert agent.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert agent.status.status_code is StatusCode.UNSET
    for chat, reason in zip(chats, ("tool_calls", "stop"), strict=True):
        assert chat.attributes["gen_ai.operation.name"] == "chat"
        assert chat.attributes["gen_ai.conversation.id"] == session
        assert chat.attributes["gen_ai.usage.input_tokens"] > 0
        assert chat.attributes["gen_ai.response.finish_reasons"] == (reason,)
        assert chat.name == f"chat {chat.attributes['gen_ai.request.model']}"
    assert tool.attributes["gen_ai.tool.name"] == "act"
    assert tool.attributes["gen_ai.tool.call.id"].startswith("call_")
    everything = "".join(span.to_json() for span in EXPORTER.get_finished_spans())
    assert "SECRET" not in everything
    assert "answer" not in everything


async def test_the_trace_of_a_request_goes_on_in_its_turn(spans: Spans) -> None:
    trace_id, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    async with opened([["Hi"]]) as world:
        world.runtime.telemetry = spans
        token = ARRIVAL.set(Arrival(transport="rest", trace={"traceparent": f"00-{trace_id}-{parent}-01"}))
        try:
            await text_of(await world.send("Hello"))
        finally:
            ARRIVAL.reset(token)
    agent = finished()["invoke_agent assistant"]
    assert f"{agent.context.trace_id:032x}" == trace_id
    assert f"{agent.parent.span_id:016x}" == parent


@pytest.mark.parametrize("header", ["", "nonsense", "00-0-0-01", "ff-" + "1" * 32 + "-" + "2" * 16 + "-01"])
async def test_a_broken_trace_header_begins_a_trace(spans: Spans, header: str) -> None:
    async with opened([["Hi"]]) as world:
        world.runtime.telemetry = spans
        token = ARRIVAL.set(Arrival(transport="rest", trace={"traceparent": header}))
        try:
            await text_of(await world.send("Hello"))
        finally:
            ARRIVAL.reset(token)
    assert finished()["invoke_agent assistant"].parent is None


async def test_in_process_the_span_that_is_current_is_the_parent(spans: Spans) -> None:
    async with opened([["Hi"]]) as world:
        world.runtime.telemetry = spans
        with PROVIDER.get_tracer("test").start_as_current_span("mine") as mine:
            await text_of(await world.send("Hello"))
    assert finished()["invoke_agent assistant"].parent.span_id == mine.get_span_context().span_id


async def test_a_failure_is_told_by_its_code(spans: Spans) -> None:
    async with opened([["So", ModelError("the prompt was SECRET")]]) as world:
        world.runtime.telemetry = spans
        await text_of(await world.send("Hello"))
    for span in EXPORTER.get_finished_spans():
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"] == "model_error"
        assert "SECRET" not in span.to_json()


async def test_a_cancelled_turn_ends_all_its_spans(spans: Spans) -> None:
    async with opened([["So", asyncio.Event()]]) as world:
        world.runtime.telemetry = spans
        session = await world.session()
        stream = await world.send("Hello", session)
        await first_text(stream)
        await world.service.cancel_turn("assistant", session)
        await text_of(stream)
    chat, agent = EXPORTER.get_finished_spans()
    assert chat.attributes["error.type"] == "cancelled"
    assert agent.attributes["hector.turn.outcome"] == "cancelled"
    assert agent.status.status_code is StatusCode.UNSET


async def test_the_turn_of_an_agent_that_is_called_lies_inside_the_call(spans: Spans) -> None:
    replies = {"assistant": [[ask("helper")], ["Done."]], "helper": [["It works."]]}
    async with opened_agents(replies) as world:
        world.runtime.telemetry = spans
        await text_of(await world.send("go"))
    found = finished()
    tool, inner = found["execute_tool agent_call"], found["invoke_agent helper"]
    assert inner.parent.span_id == tool.context.span_id
    assert inner.context.trace_id == found["invoke_agent assistant"].context.trace_id


async def test_a_process_without_a_tracer_provider_traces_nothing(
    spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "get_tracer", trace.NoOpTracerProvider().get_tracer)
    async with opened([["Hi"]]) as world:
        world.runtime.telemetry = make_telemetry()
        assert await text_of(await world.send("Hello")) == "Hi"
    assert not EXPORTER.get_finished_spans()


def test_a_model_at_a_distance_is_a_client_span(spans: Spans) -> None:
    turn = spans.turn(facts(host="api.example", provider="google"))
    turn.asked(1)
    turn.unanswered("model_timeout")
    turn.ended("failed", code="model_timeout", finish_reason=None, usage=None)
    chat = finished()["chat m"]
    assert chat.kind is SpanKind.CLIENT
    assert chat.attributes["server.address"] == "api.example"
    assert chat.attributes["gen_ai.provider.name"] == "gcp.gemini"
