"""`hector_nb.connect()` and `hector_nb.aconnect()`: the same sessions for plain and for asynchronous code."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import hector_nb
from hector_nb.errors import (
    AgentNotFound,
    HectorError,
    InvalidRequest,
    MemoryNotFound,
    ModelInterrupted,
    ModelTimeout,
    SessionEnded,
    SessionNotFound,
)
from hector_nb.frontends.plain import Hector, PlainSession
from hector_nb.runtime import remembering
from tests.frontends.scripts import ROOT

FOREVER = {"wait_ms": 600_000}
WRITE = {"tool_call": {"name": "write_file", "arguments": {"path": "a.txt", "content": "hi"}}}
LONGTERM = {"longterm": {"storage_scope": "conversational"}}
SCRIPTS: dict[str, list[Any]] = {
    "assistant": [["Hello ", "**there**."]],
    "halting": [["Half", FOREVER]],
    "broken": [["Half", {"error": "model_timeout", "message": "Nothing came."}]],
    "keeper": [["Noted."]],
    "writer": [[WRITE], ["It is done."]],
    "namer": [[{"tool_call": {"name": "name_it", "arguments": {}}}], ["Named."]],
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(remembering, "_WAIT_FOR_OTHERS", 30.0)  # however slow this machine is
    agents: dict[str, Any] = {}
    for name, replies in SCRIPTS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"repeat": True, "replies": replies}))
        agents[name] = {"llm": name, "memory": LONGTERM}
    agents["writer"]["tools"] = ["write_file"]
    path = tmp_path / "hector.yaml"
    llms = {name: {"provider": "scripted", "model": f"{name}.json"} for name in SCRIPTS}
    path.write_text(json.dumps({"llms": llms, "agents": agents}))
    return path


@pytest.fixture
def hector(config: Path) -> Iterator[Hector]:
    with hector_nb.connect(config) as hector:
        yield hector


def test_a_message_is_answered_by_a_value_that_looks_like_its_text(hector: Hector) -> None:
    answer = hector.session().send("Hi")
    assert (str(answer), repr(answer), answer.finish_reason) == ("Hello **there**.",) * 2 + ("stop",)
    assert answer._repr_markdown_() == "Hello **there**."
    assert answer.usage.completion_tokens > 0


def test_a_stream_gives_the_text_and_then_the_answer(hector: Hector) -> None:
    stream = hector.session().stream("Hi")
    with pytest.raises(ModelInterrupted, match="not complete"):
        _ = stream.answer
    assert "".join(stream) == "Hello **there**."
    assert stream.answer.text == "Hello **there**."
    assert stream.answer.context.turn_id == stream.turn_id


def test_an_answer_says_what_its_model_saw(hector: Hector) -> None:
    session = hector.session()
    session.send("My cat is called Wilma.")
    answer = session.send("Say hello to her.")
    seen = [(part.role, part.text) for part in answer.context.parts if part.kind == "message"]
    assert seen == [
        ("user", "My cat is called Wilma."),
        ("assistant", "Hello **there**."),
        ("user", "Say hello to her."),
    ]
    assert session.context(answer.turn_id).tokens == answer.context.tokens
    assert list(answer.context.to_dataframe()["kind"]) == ["system", "message", "message", "message"]


def test_one_question_needs_no_session(hector: Hector) -> None:
    answer = hector.ask("Hi", "assistant")
    assert answer.text == "Hello **there**."
    assert answer.context.tokens > 0
    assert list(hector.sessions()) == []


def test_a_session_is_found_again_by_its_id(hector: Hector) -> None:
    hector.session("assistant", "mine", title="First").send("Hi")
    again = hector.session("assistant", "mine")
    assert [message.role for message in again.messages()] == ["user", "assistant"]
    assert again.info().title == "First"
    assert [each.session_id for each in hector.sessions(query="Hi")] == ["mine"]
    assert "mine" in repr(hector.sessions())


def test_a_fork_goes_its_own_way(hector: Hector) -> None:
    session = hector.session()
    session.send("one")
    fork = session.fork()
    fork.send("two")
    assert (len(session.messages()), len(fork.messages())) == (2, 4)
    fork.rewind(after=session.messages()[-1].message_id)
    assert len(fork.messages()) == 2
    fork.rename("Other")
    assert fork.info().title == "Other"
    fork.delete()
    with pytest.raises(SessionNotFound):
        fork.info()


def test_what_is_remembered_can_be_searched_corrected_and_forgotten(hector: Hector) -> None:
    hector.session("keeper").send("My sister Clara keeps bees in Lyon.")
    session = hector.session("keeper")
    [memory] = session.memory.memories
    assert "Clara" in memory.text
    session.correct_memory(memory.memory_id, "Clara keeps bees in Nantes.")
    [found] = session.search_memory("Where does Clara keep bees?")
    assert (found.text, found.version) == ("Clara keeps bees in Nantes.", 2)
    answer = session.send("Where does Clara keep bees?")
    [recalled] = [part for part in answer.context.parts if part.kind == "memory"]
    assert recalled.text == "Clara keeps bees in Nantes."
    session.forget_memory(memory.memory_id)
    assert memory.memory_id not in [each.memory_id for each in session.memory.memories]
    with pytest.raises(MemoryNotFound):
        session.forget_memory(memory.memory_id)
    with pytest.raises(InvalidRequest):
        session.search_memory(" ")


def test_what_goes_wrong_has_a_class_that_says_so(hector: Hector) -> None:
    with pytest.raises(AgentNotFound):
        hector.session("nobody")
    with pytest.raises(ModelTimeout, match="Nothing came"):
        hector.session("broken").send("Hi")
    session = hector.session()
    session.end()
    with pytest.raises(SessionEnded):
        session.send("Hi")


def test_an_error_shows_the_line_that_caused_it_and_not_the_engine_behind_it(hector: Hector) -> None:
    with pytest.raises(AgentNotFound) as caught:
        hector.session("nobody")
    assert [each.name for each in caught.traceback][1:] == ["session", "run"]


def test_after_closing_everything_says_so_and_closing_again_is_nothing(hector: Hector) -> None:
    session = hector.session()
    hector.close()
    hector.close()
    for call in (hector.agents, lambda: session.send("Hi"), lambda: session.memory, session.info):
        with pytest.raises(HectorError, match="closed"):
            call()


def test_a_turn_under_way_ends_with_its_connection(config: Path) -> None:
    hector = hector_nb.connect(config)
    stream = hector.session("halting", "s").stream("Hi")
    assert next(iter(stream)) == "Half"
    hector.close()
    with hector_nb.connect(config) as again:
        assert again.session("halting", "s").messages()[-1].status in ("interrupted", "cancelled")


def test_a_turn_is_stopped_from_another_thread(hector: Hector) -> None:
    session = hector.session("halting")
    answers = []
    sender = threading.Thread(target=lambda: answers.append(session.send("Hi")))
    sender.start()
    while not session.cancel():
        pass
    sender.join(timeout=30)
    assert [answer.finish_reason for answer in answers] == ["cancelled"]


def _approvals(session: PlainSession) -> Any:
    while not (found := session.approvals()):
        pass
    return found


def test_a_call_waits_for_whoever_decides(config: Path, tmp_path: Path) -> None:
    with hector_nb.connect(config) as hector:
        session = hector.session("writer")
        answers = []
        sender = threading.Thread(target=lambda: answers.append(session.send("Write")))
        sender.start()
        [approval] = _approvals(session)
        session.decide(approval.call_id, "approve", edited={"path": "b.txt", "content": "ho"})
        sender.join(timeout=30)
        assert [str(answer) for answer in answers] == ["It is done."]
        assert (tmp_path / "b.txt").read_text() == "ho"


@pytest.mark.parametrize(("answer", "written"), [(True, "hi"), (False, None), ({"path": "a.txt", "content": "x"}, "x")])
def test_a_function_gives_the_word(config: Path, tmp_path: Path, answer: Any, written: str | None) -> None:
    asked = []

    def approve(approval: Any) -> Any:
        asked.append((approval.name, dict(approval.arguments), threading.current_thread()))
        return answer

    with hector_nb.connect(config, approve=approve) as hector:
        assert hector.session("writer").send("Write").text == "It is done."
    assert asked == [("write_file", {"path": "a.txt", "content": "hi"}, threading.main_thread())]
    file = tmp_path / "a.txt"
    assert (file.read_text() if file.exists() else None) == written


def test_a_function_that_fails_stops_the_turn(config: Path) -> None:
    with hector_nb.connect(config, approve=lambda _: "yes") as hector:  # type: ignore[arg-type,return-value]
        session = hector.session("writer")
        with pytest.raises(TypeError, match="True, False"):
            session.send("Write")
        assert session.info().running_turn is None


def test_the_person_at_the_terminal_is_asked(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = iter(["what?", "a"])
    prompts = []
    monkeypatch.setattr("builtins.input", lambda prompt: prompts.append(prompt) or next(lines))
    with hector_nb.connect(config, approve="ask") as hector:
        session = hector.session("writer")
        session.send("Write")
        session.send("Write again")
    assert (tmp_path / "a.txt").read_text() == "hi"
    shown = capsys.readouterr().out
    assert (
        "Write this file?\nwrite_file\n  path: a.txt\n  content: hi\ny yes · n no · a always for this session · e edit — no answer in "
        in shown
    )
    assert prompts == ["y/n/a/e: "] * 2


def test_where_nobody_can_be_asked_it_means_no(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", gone)
    with hector_nb.connect(config, approve="ask") as hector:
        hector.session("writer").send("Write")
    assert not (tmp_path / "a.txt").exists()
    assert "means no" in capsys.readouterr().out


def test_an_agent_calls_a_function_of_this_program_while_a_plain_call_waits(hector: Hector) -> None:
    from hector_nb.tools import decorator

    threads = []

    def name_it() -> str:
        """Names it."""
        threads.append(threading.current_thread())
        return hector.ask("A name?", "assistant").text

    decorator._offer("name_it", hector_nb.tool(name_it))
    assert hector.session("namer").send("Name it").text == "Named."
    assert threads == [threading.main_thread()]
    del name_it
    gc.collect()


_SCRIPT = """
import os, signal, threading
import hector_nb
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin without
hector = hector_nb.connect()
session = hector.session("halting", "s")
try:
    for text in session.stream("Hi"):
        print(text, flush=True)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
except KeyboardInterrupt:
    print("interrupted", session.messages()[-1].status)
print(session.fork().messages()[-1].content)
"""


@pytest.mark.parametrize("program", [(), ("-m", "IPython", "--colors=NoColor")], ids=["python", "ipython"])
def test_an_interrupt_stops_the_turn_of_a_script_which_ends_in_time(
    config: Path, tmp_path: Path, program: tuple[str, ...]
) -> None:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    environment = {**os.environ, "HECTOR_CONFIG": str(config), "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path)}
    command = [sys.executable, *program, str(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("Half\ninterrupted cancelled\nHalf\n", 0), done.stderr


_FORKS = """
import os, threading
import hector_nb
from hector_nb.errors import HectorError

def talk():
    while not over.is_set():
        hector.session("keeper").send("My sister Clara keeps bees in Lyon.")

hector, over = hector_nb.connect(), threading.Event()
talking = threading.Thread(target=talk)
hector.session("keeper").send("My sister Clara keeps bees in Lyon.")
talking.start()
for _ in range(50):
    child = os.fork()
    if child == 0:
        try:
            hector.agents()
        except HectorError as error:
            os._exit(7 if "another process" in str(error) else 1)
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
over.set()
talking.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_is_forked_in_the_midst_of_work_goes_on_and_is_told_to_connect_again(
    config: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(_FORKS)
    environment = {**os.environ, "HECTOR_CONFIG": str(config), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", str(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("7\n" * 50, 0), done.stderr


@pytest.mark.anyio
async def test_the_same_names_are_awaited(config: Path) -> None:
    async with hector_nb.aconnect(config) as hector:
        session = await hector.session("keeper")
        await session.send("My sister Clara keeps bees in Lyon.")
        stream = await session.stream("Where does Clara keep bees?")
        assert "".join([text async for text in stream]) == "Noted."
        assert (await session.context(stream.answer)).tokens > 0
        assert len((await session.memory()).memories) >= 1
        assert len(await session.messages()) == 4
        assert (await hector.ask("Hi", "assistant")).text == "Hello **there**."
        with pytest.raises(ModelTimeout):
            await (await hector.session("broken")).send("Hi")
    with pytest.raises(HectorError, match="closed"):
        await session.info()
    async with hector:
        assert len(await hector.sessions()) == 2


async def _end_when_half(session: hector_nb.AsyncSession, limit: asyncio.Timeout) -> None:
    """No time is left from when the first words are there."""
    while not (await session.info()).running_turn:
        await asyncio.sleep(0)
    async with session.follow() as stream:
        async for text in stream:
            assert text == "Half"
            break
    limit.reschedule(asyncio.get_running_loop().time())


@pytest.mark.anyio
async def test_who_is_cancelled_stops_the_turn(config: Path) -> None:
    async with hector_nb.aconnect(config) as hector:
        session = await hector.session("halting")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30) as limit, asyncio.TaskGroup() as beside:
                beside.create_task(_end_when_half(session, limit))
                await session.send("Hi")
        last = (await session.messages())[-1]
        assert (last.content, last.status) == ("Half", "cancelled")


@pytest.mark.anyio
async def test_an_asynchronous_function_gives_the_word(config: Path, tmp_path: Path) -> None:
    async def approve(_: object) -> bool:
        await asyncio.sleep(0)
        return True

    async with hector_nb.aconnect(config, approve=approve) as hector:
        assert (await hector.ask("Write", "writer")).text == "It is done."
    assert (tmp_path / "a.txt").exists()


def test_what_no_type_checker_has_refused_is_refused_in_words(hector: Hector) -> None:
    session = hector.session("assistant")
    with pytest.raises(InvalidRequest, match="A message is a text, not NoneType"):
        session.send(cast(Any, None))
    with pytest.raises(InvalidRequest, match="There is no if_busy 'wait'"):
        session.send("Hi", if_busy=cast(Any, "wait"))
    with pytest.raises(InvalidRequest, match=r"There is no status .open.\.\nOne of active, ended, expired"):
        hector.sessions(status=cast(Any, "open"))
    with pytest.raises(InvalidRequest, match="There is no decision 'yes'"):
        session.decide("call_1", cast(Any, "yes"))
    with pytest.raises(InvalidRequest, match="approve is a function, 'ask' or None"):
        hector_nb.connect(approve=cast(Any, "yes"))


def test_a_title_that_an_import_would_refuse_is_refused_at_once(hector: Hector) -> None:
    session = hector.session("assistant")
    with pytest.raises(InvalidRequest, match="at most 500 characters"):
        session.rename("x" * 501)
    with pytest.raises(InvalidRequest, match="at most 500 characters"):
        hector.session("assistant", title="x" * 501)
