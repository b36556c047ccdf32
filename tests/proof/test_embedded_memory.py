"""The whole engine with the embedded model: a fact told in one session answers a question in another.

The instruction and the question are those of the notebook about memory, which hold whatever day stands beside a memory.
"""

import asyncio
from pathlib import Path

import pytest

from hector_nb.bootstrap.engine import open_runtime
from hector_nb.config.loader import load_config
from hector_nb.service import SendMessage, SessionService, collect
from tests.models.conftest import CACHE

pytestmark = [pytest.mark.anyio, pytest.mark.embedded]
CONFIG = """
llms:
  default: {provider: local, temperature: 0.0, max_tokens: 32}
agents:
  friend:
    instruction: &short You are a helpful assistant. Answer in one short sentence.
    memory: {longterm: {storage_scope: conversational}}
  stranger:
    instruction: *short
    memory: {longterm: {storage_scope: session}}
"""
FACT, QUESTION = "My sister Clara keeps bees in Lyon.", "Where does my sister Clara keep bees?"


async def in_a_new_session(service: SessionService, agent: str, text: str) -> tuple[str, str]:
    """The answer and the turn's id."""
    session, _ = await service.create_session(agent)
    reply = await collect(await service.stream_message(agent, SendMessage(message=text, session_id=session.session_id)))
    return reply.response, reply.turn_id


@pytest.mark.usefixtures("embedded_file")
async def test_the_embedded_model_answers_from_a_fact_of_another_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hector_nb.bootstrap.models.cache_folder", lambda: CACHE)
    (tmp_path / "hector.yaml").write_text(f"{CONFIG}storage: {{url: 'sqlite:///{tmp_path}/hector.db'}}\n")
    runtime = await open_runtime(load_config(tmp_path / "hector.yaml"))
    try:
        service = runtime.for_user("ada")
        async with asyncio.timeout(240):
            await in_a_new_session(service, "friend", FACT)
            await in_a_new_session(service, "stranger", FACT)
            answer, turn = await in_a_new_session(service, "friend", QUESTION)
            blind, _ = await in_a_new_session(service, "stranger", QUESTION)
        assert "Lyon" in answer
        assert "Lyon" not in blind
        ledger = await service.get_context("friend", turn)
        (memory,) = (part for part in ledger.parts if part.kind == "memory")
        assert FACT in (memory.text or "")
        assert ledger.budget <= 1500
    finally:
        await runtime.aclose()
