"""Answers as they come, in Python: leaving them early, following them, all that happens in them."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hector_nb
from hector_nb.errors import InvalidRequest, ModelTimeout, TurnNotFound
from hector_nb.frontends.plain import Hector

FOREVER = {"wait_ms": 600_000}
SCRIPTS: dict[str, list[Any]] = {
    "assistant": [["Hello ", "**there**."]],
    "halting": [["Half", FOREVER]],
    "broken": [["Half", {"error": "model_timeout", "message": "Nothing came."}]],
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "home"))
    for name, replies in SCRIPTS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"repeat": True, "replies": replies}))
    llms = {name: {"provider": "scripted", "model": f"{name}.json"} for name in SCRIPTS}
    path = tmp_path / "hector.yaml"
    path.write_text(json.dumps({"llms": llms, "agents": {name: {"llm": name} for name in SCRIPTS}}))
    return path


@pytest.fixture
def hector(config: Path) -> Iterator[Hector]:
    with hector_nb.connect(config) as hector:
        yield hector


def _last(session: hector_nb.PlainSession) -> tuple[str, str]:
    message = session.messages()[-1]
    return message.content, message.status


def test_who_breaks_off_stops_the_turn_at_once_and_the_next_message_works(hector: Hector) -> None:
    session = hector.session("halting")
    for text in session.stream("Hi"):
        assert text == "Half"
        break
    assert session.info().running_turn is None
    assert _last(session) == ("Half", "cancelled")


def test_the_end_of_a_with_block_stops_the_turn(hector: Hector) -> None:
    session = hector.session("halting")
    with session.stream("Hi") as stream:
        assert "0 events" in repr(stream)
    assert session.info().running_turn is None
    assert session.messages()[0].content == "Hi"


def test_an_answer_that_was_read_can_be_followed_again_event_by_event(hector: Hector) -> None:
    session = hector.session()
    answer = session.send("Hi")
    stream = session.follow(answer)
    assert "".join(stream) == answer.text
    assert (stream.answer.message_id, stream.answer.usage) == (answer.message_id, answer.usage)
    events = list(session.follow(answer.turn_id).events())
    assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
    assert [event.type for _, event in events][0::] == ["session", "text", "text", "usage", "done"]
    [done] = session.follow(answer, after=len(events) - 1).events()
    assert done.event.type == "done"


def test_a_turn_that_runs_is_followed_and_goes_on_when_a_follower_leaves(hector: Hector) -> None:
    session = hector.session("halting")
    with pytest.raises(TurnNotFound, match="No turn runs"):
        session.follow()
    texts = iter(session.stream("Hi"))
    assert next(texts) == "Half"
    for text in session.follow():
        assert text == "Half"
        break
    assert session.info().running_turn is not None
    texts.close()  # type: ignore[attr-defined]
    assert session.info().running_turn is None


def test_a_stream_knows_where_another_reader_goes_on(hector: Hector) -> None:
    session = hector.session()
    turn = session.send("Hi").turn_id
    first = session.follow(turn)
    for _, event in first.events():
        if event.type == "text":
            break
    assert "".join(session.follow(turn, after=first.position)) == "**there**."


def test_a_failed_turn_raises_among_the_text_and_not_among_the_events(hector: Hector) -> None:
    session = hector.session("broken")
    stream = session.stream("Hi")
    with pytest.raises(ModelTimeout):
        "".join(stream)
    again = session.follow(stream.turn_id)
    assert [event.type for _, event in again.events()][-1] == "error"
    for each in (stream, again):
        with pytest.raises(ModelTimeout, match="Nothing came"):
            _ = each.answer


def test_unknown_turns_are_said_to_be_unknown(hector: Hector) -> None:
    with pytest.raises(TurnNotFound):
        hector.session().follow("turn_none")


def test_a_conversation_leaves_as_a_file_and_comes_back(hector: Hector, tmp_path: Path) -> None:
    session = hector.session(title="Greetings")
    session.send("Hi")
    file = tmp_path / "session.json"
    file.write_text(session.export())
    for source in (session.export(), file, json.loads(file.read_text()), file.read_bytes()):
        again = hector.import_session(source, "halting")
        assert (again.agent, again.info().title) == ("halting", "Greetings")
        assert [each.content for each in again.messages()] == ["Hi", "Hello **there**."]
    assert session.export("markdown").startswith("# Greetings")
    assert json.loads(session.export("ipynb"))["nbformat"] == 4
    for source in ("", "[]", '{"messages": [{"role": "nobody", "content": ""}]}', {"messages": 3}):
        with pytest.raises(InvalidRequest):
            hector.import_session(source)
    with pytest.raises(InvalidRequest, match="no format 'pdf'"):
        session.export("pdf")  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        hector.import_session(tmp_path / "nothing.json")


def test_a_part_of_a_conversation_reads_like_one(hector: Hector) -> None:
    session = hector.session()
    session.send("One")
    session.send("Two")
    assert repr(session.messages()[2:3]).startswith("user · ")
    assert session.messages()[2:][0].content == session.messages()[2].content == "Two"


def test_agents_and_tools_are_listed_and_all_sessions_over_all_pages(hector: Hector) -> None:
    assert [agent.name for agent in hector.agents()] == list(SCRIPTS)
    assert "halting" in repr(hector.agents())
    assert repr(hector.tools("assistant")) == "assistant has no tools."
    for number in range(103):
        hector.session(session_id=f"s{number}")
    assert len(hector.sessions()) == 50
    assert len(hector.sessions(limit=101)) == 101
    assert len(hector.sessions(limit=None)) == 103


def test_names_and_docstrings_are_there_for_completion() -> None:
    for name in hector_nb.__all__:
        assert name in dir(hector_nb)
        assert getattr(hector_nb, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hector_nb.nothing  # noqa: B018
    pairs = [
        (hector_nb.Hector, hector_nb.AsyncHector),
        (hector_nb.PlainSession, hector_nb.AsyncSession),
        (hector_nb.PlainStream, hector_nb.AsyncStream),
    ]
    for plain, asynchronous in pairs:
        names = {name for name in dir(asynchronous) if not name.startswith("_")} - {"aclose", "service"}
        for name in names - {"context"}:
            assert getattr(plain, name).__doc__, name


@pytest.mark.anyio
async def test_a_stream_is_awaited_or_read_at_once(config: Path) -> None:
    async with hector_nb.aconnect(config) as hector:
        session = await hector.session()
        assert "".join([text async for text in session.stream("Hi")]) == "Hello **there**."
        stream = await session.stream("Hi")
        assert "".join([text async for text in stream]) == stream.answer.text
        assert [seq async for seq, _ in (await session.follow(stream.turn_id)).events()] == [1, 2, 3, 4, 5]
        async with session.stream("Hi") as begun:
            assert begun.turn_id != stream.turn_id


@pytest.mark.anyio
async def test_who_breaks_off_in_asynchronous_code_stops_the_turn(config: Path) -> None:
    async with hector_nb.aconnect(config) as hector, asyncio.timeout(30):
        session = await hector.session("halting")
        async for _ in session.stream("Hi"):
            break
        # The iterator is closed by the event loop as soon as nobody holds it.
        while (await session.info()).running_turn:
            await asyncio.sleep(0)
        async with session.stream("Hi") as stream:
            async for _ in stream:
                break
        assert (await session.info()).running_turn is None
        assert [each.status for each in await session.messages()] == ["complete", "cancelled"] * 2


@pytest.mark.anyio
async def test_two_read_one_turn(config: Path) -> None:
    async with hector_nb.aconnect(config) as hector:
        session = await hector.session()
        stream = await session.stream("Hi")
        other = await session.follow(stream.turn_id)

        async def text(of: hector_nb.AsyncStream) -> str:
            return "".join([each async for each in of])

        assert await asyncio.gather(text(stream), text(other)) == ["Hello **there**."] * 2
