"""Whatever is asked, right or wrong, the server answers as its contract says, and never with a failure of its own."""

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hector_nb.bootstrap.agents import make_agent
from hector_nb.config.schema import AgentConfig, Config, LLMConfig
from hector_nb.errors import ModelError, ModelTimeout
from hector_nb.events import ThinkingDelta
from hector_nb.models.scripted import ScriptedModel, Step
from hector_nb.runtime.runtime import Runtime
from hector_nb.service import SessionService
from hector_nb.stores.in_memory import InMemoryStore
from hector_nb.transports.engine import Engine
from hector_nb.transports.listen import Listen
from hector_nb.transports.standalone import HectorServer
from hector_nb.wire.openapi import document

load_all_checks()
WITHOUT_TOKENS = {key: value for key, value in document().items() if key != "security"}
SCHEMA = schemathesis.openapi.from_dict(WITHOUT_TOKENS)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
CASES = [(GenerationMode.POSITIVE, each) for each in OPERATIONS]


def can_be_wrong(operation: Any) -> bool:
    """Whether there is anything but names in its path, which may be any text."""
    parameters = [each for each in operation.iter_parameters() if each.location != "path" or each.name == "session_id"]
    return bool(parameters or operation.body)


CASES += [(GenerationMode.NEGATIVE, each) for each in OPERATIONS if can_be_wrong(each)]
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ANSWERS: dict[str, list[list[Step]]] = {
    "assistant": [["Hello", ThinkingDelta(text="Hm."), " world"], ["Yes."]],
    "broken": [[ModelError()], ["Well", ModelTimeout()], [ModelTimeout()]],
}
QUICK = {"streaming": {"heartbeat": 0.05, "resume_grace": 0}}
EXAMPLES = 12
READ_FOR = 0.15
"""Seconds for which a stream without end is read."""


class FuzzedEngine(Engine):
    """An engine with a model that works and one that does not."""

    turns = 0

    def __init__(self) -> None:
        config = Config(agents={name: AgentConfig.model_validate(QUICK) for name in ANSWERS})
        scripted = LLMConfig(provider="scripted")
        self.runtime = Runtime(
            store=InMemoryStore(),
            agents={
                name: make_agent(name, agent, config, scripted, ScriptedModel(ANSWERS[name], repeat=True))
                for name, agent in config.agents.items()
            },
        )

    async def allowed_origins(self) -> list[str]:
        return []

    async def service(self, user: str) -> SessionService:
        return self.runtime.for_user(user)

    async def aclose(self) -> None:
        await self.runtime.aclose()


class Complaints(logging.Handler):
    """What the server logs as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))


async def serve(started: "list[Any]", ready: threading.Event) -> None:
    engine = FuzzedEngine()
    await engine.runtime.aopen()
    server = HectorServer.start_listening(Listen(host="127.0.0.1", port=0, users={}), engine)
    complaints = Complaints()
    logs = [server.log, logging.getLogger("tornado"), logging.getLogger("hector_nb"), logging.getLogger("asyncio")]
    for log in logs:
        log.addHandler(complaints)
    stop = asyncio.Event()
    started += [server.port, complaints, asyncio.get_running_loop(), stop]
    ready.set()
    await stop.wait()
    await server.stop_listening()
    for log in logs:
        log.removeHandler(complaints)


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The address of a server on a thread of its own, which must have nothing to complain of in the end."""
    started: list[Any] = []
    ready = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve(started, ready)))
    thread.start()
    assert ready.wait(60)
    port, complaints, loop, stop = started
    yield f"http://127.0.0.1:{port}"
    loop.call_soon_threadsafe(stop.set)
    thread.join(60)
    assert not thread.is_alive()
    assert complaints.heard == []


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def read(response: requests.Response) -> None:
    """The body; of a stream, what comes in a while."""
    pieces: list[bytes] = []
    until = time.monotonic() + READ_FOR
    for piece in response.iter_content(None):
        pieces.append(piece)
        if time.monotonic() > until:
            break
    response._content = b"".join(pieces)
    response._content_consumed = True  # type: ignore[attr-defined]
    response.close()


numbers = itertools.count()


@pytest.mark.parametrize(("mode", "operation"), CASES, ids=[f"{mode} {each.label}" for mode, each in CASES])
def test_every_answer_is_as_the_contract_says(
    mode: GenerationMode, operation: Any, base: str, http: requests.Session
) -> None:
    strategy = operation.as_strategy(generation_mode=mode)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    @given(strategy, st.sampled_from(["assistant", "broken", "assistant", "assistant", ""]))
    def ask(case: Any, agent: str) -> None:
        if agent and "agent" in case.path_parameters:
            where = {"agent": agent}
            if "session_id" in case.path_parameters:
                where["session_id"] = f"s{next(numbers)}"
                made = http.post(f"{base}/agents/{agent}/sessions", json={"session_id": where["session_id"]})
                assert made.status_code == 201
            case.path_parameters = {**case.path_parameters, **where}
        kwargs = case.as_transport_kwargs(base_url=base)
        response = http.request(**kwargs, timeout=30, stream=True)
        read(response)
        if response.status_code >= 500:
            assert agent == "broken"
            assert response.status_code in {502, 504}
        is_stream = response.headers.get("Content-Type", "").startswith("text/event-stream")
        case.validate_response(
            response, checks=CHECKS, excluded_checks=[response_schema_conformance] if is_stream else []
        )

    ask()
