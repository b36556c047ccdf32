"""gRPC: what is counted of its calls, and that a caller's trace goes on in its turn."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hector_nb.telemetry.metrics import Metrics
from tests.telemetry.test_metrics import value
from tests.telemetry.told import Notes
from tests.transports.conftest import AGENTS, TOKEN, USERS
from tests.transports.grpc_site import LONGEST, REQUESTS, GrpcSite, chunks, open_grpc_site, text

pytestmark = pytest.mark.anyio
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
COUNTED = ("request_to_model_seconds_count", "token_to_reader_seconds_count", "resumes_total")


@pytest.fixture
async def site() -> AsyncIterator[GrpcSite]:
    async for each in open_grpc_site(AGENTS, USERS):
        yield each


def counts() -> list[float]:
    return [value(f"hector_{name}", transport="grpc") for name in COUNTED]


async def test_a_stream_and_its_resume_are_counted(site: GrpcSite) -> None:
    site.world.runtime.telemetry = Metrics()
    before, open_before = counts(), value("hector_streams", transport="grpc")
    release = asyncio.Event()
    site.world.will_say("Hi ", release, "there")
    call = site.call("StreamMessage", agent="assistant", message="Hello")
    first = await call.read()
    assert value("hector_streams", transport="grpc") == open_before + 1
    release.set()
    sent = [first, *await chunks(call)]
    assert text(sent) == "Hi there"
    assert [after - was for after, was in zip(counts(), before, strict=True)] == [1, 1, 0]
    again = await chunks(site.call("ResumeTurn", agent="assistant", last_id=first.id))
    assert text([first, *again]) == "Hi there"
    assert counts()[-1] == before[-1] + 1
    await site.is_quiet()
    assert value("hector_streams", transport="grpc") == open_before


async def test_a_turn_goes_on_in_the_trace_of_its_call(site: GrpcSite) -> None:
    notes = site.world.runtime.telemetry = Notes()
    metadata = (("authorization", f"Bearer {TOKEN}"), ("traceparent", PARENT), ("tracestate", "vendor=1"))
    for method in ("SendMessage", "StreamMessage"):
        site.world.will_say("Hi")
        request = REQUESTS[method](agent="assistant", message="Hello")
        call = getattr(site.stub, method)(request, metadata=metadata, timeout=LONGEST)
        await (call if method == "SendMessage" else chunks(call))
    assert notes.reads == ["grpc", "grpc"]
    for turn in notes.turns:
        assert turn.facts.arrival
        assert turn.facts.arrival.transport == "grpc"
        assert turn.facts.arrival.trace == {"traceparent": PARENT, "tracestate": "vendor=1"}
        assert turn.facts.arrival.at <= turn.facts.queued_at
