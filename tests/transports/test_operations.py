"""What those who run a server see: health, metrics, and errors with an id."""

import asyncio
import json
import logging
import time

import aiohttp
import pytest

from hector_nb.errors import ConfigError, StoreError
from hector_nb.telemetry.json_log import JsonFormatter
from hector_nb.transports import readiness
from tests.telemetry.told import Notes
from tests.transports.conftest import Site

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def look_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_KEPT", -1.0)


@pytest.fixture
def notes(site: Site, monkeypatch: pytest.MonkeyPatch) -> Notes:
    noted = Notes()
    monkeypatch.setattr(site.world.runtime, "telemetry", noted)
    return noted


async def health(site: Site, path: str = "/hector/health") -> tuple[int, object]:
    async with aiohttp.ClientSession() as anyone, anyone.get(site.base + path) as response:
        return response.status, await response.json()


async def test_a_server_that_can_work_is_ready_and_lives(site: Site) -> None:
    assert await health(site) == (200, {"status": "ok"})
    assert await health(site, "/hector/health/live") == (200, {"status": "ok"})


@pytest.mark.parametrize("failure", [ConfigError(problems=["my secret path"]), StoreError("no disk"), OSError("gone")])
async def test_a_server_that_cannot_work_lives_and_is_not_ready_and_does_not_say_why(
    site: Site, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.world, "fails_with", failure)
    assert await health(site) == (503, {"status": "unavailable"})
    assert await health(site, "/hector/health/live") == (200, {"status": "ok"})


async def test_a_store_that_does_not_answer_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    never, looks = asyncio.Event(), []

    async def get_session(user: str, session_id: str) -> None:
        looks.append(session_id)
        await never.wait()

    monkeypatch.setattr(site.world.runtime.store, "get_session", get_session)
    monkeypatch.setattr(readiness, "_PATIENCE", 0.1)
    began = time.monotonic()
    answers = await asyncio.gather(*(health(site) for _ in range(5)))
    assert [status for status, _ in answers] == [503] * 5
    assert time.monotonic() - began < 30
    assert len(looks) == 1
    never.set()


async def test_however_many_ask_the_store_is_looked_at_once_a_second(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_KEPT", 60.0)
    looks = []
    get_session = site.world.runtime.store.get_session

    async def counted(user: str, session_id: str) -> object:
        looks.append(session_id)
        return await get_session(user, session_id)

    monkeypatch.setattr(site.world.runtime.store, "get_session", counted)
    await asyncio.gather(*(health(site) for _ in range(20)))
    assert len(looks) <= 1


async def test_metrics_are_for_those_who_show_a_token(site: Site) -> None:
    async with aiohttp.ClientSession() as anyone, anyone.get(f"{site.base}/hector/metrics") as response:
        assert response.status == 403
    async with site.http.get(f"{site.base}/hector/metrics") as response:
        assert response.status == 200
        assert response.content_type == "text/plain"


async def test_every_way_of_reading_is_told(site: Site, notes: Notes) -> None:
    session = await site.new_session()
    path = f"/agents/assistant/sessions/{session}/messages"
    for _ in range(3):
        site.world.will_say("Hi")
    await site.call("POST", path, {"message": "one"})
    await site.stream("POST", f"{path}/stream", {"message": "two"})
    async with site.http.ws_connect(f"{site.base}/agents/assistant/stream?session_id={session}") as socket:
        await socket.receive_json(timeout=30)
        await socket.send_json({"message": "three"})
        while "done" not in await socket.receive_json(timeout=30):
            pass
    assert notes.reads == ["rest", "sse", "websocket"]
    assert [turn.facts.arrival.transport for turn in notes.turns if turn.facts.arrival] == notes.reads


async def test_a_turn_goes_on_in_the_trace_of_its_request(site: Site, notes: Notes) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    site.world.will_say("Hi")
    await site.call("POST", "/agents/assistant/messages", {"message": "Hi"}, headers={"traceparent": parent})
    (turn,) = notes.turns
    assert turn.facts.arrival
    assert turn.facts.arrival.trace == {"traceparent": parent}
    assert turn.facts.arrival.at <= turn.facts.queued_at


async def test_an_error_has_an_id_that_the_log_has_too(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="hector_nb")
    async with site.http.get(f"{site.base}/agents/nobody/sessions?q=my+secret") as response:
        request_id = response.headers["Hector-Request-Id"]
    assert request_id.startswith("req_")
    (line,) = [json.loads(JsonFormatter().format(each)) for each in caplog.records if each.name == "hector_nb.requests"]
    assert line["request_id"] == request_id
    assert (line["event"], line["status"], line["error"]) == ("error", 404, "agent_not_found")
    assert line["path"].endswith("/agents/nobody/sessions")
    assert "secret" not in json.dumps(line)


@pytest.mark.parametrize(
    ("sent", "kept"), [("from-my-proxy_1.2", True), ("x" * 65, False), ("a b", False), ("", False)]
)
async def test_the_id_of_a_proxy_is_kept_where_it_is_one(site: Site, sent: str, kept: bool) -> None:
    async with site.http.get(f"{site.base}/agents/nobody/sessions", headers={"X-Request-Id": sent}) as response:
        assert (response.headers["Hector-Request-Id"] == sent) is kept
