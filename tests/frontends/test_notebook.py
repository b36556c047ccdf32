"""What the magics do, over a real engine, without a kernel."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from hector_nb.bootstrap.agents import make_agent
from hector_nb.config.schema import AgentConfig, Config, LLMConfig
from hector_nb.errors import (
    AgentNotFound,
    Conflict,
    InvalidRequest,
    ModelError,
    ModelTimeout,
    SessionBusy,
    SessionNotFound,
    TurnNotFound,
)
from hector_nb.events import ThinkingDelta
from hector_nb.frontends import cell_turn, inline, notebook, widget
from hector_nb.frontends.code_cells import CodeCells
from hector_nb.frontends.connect import LoopThread
from hector_nb.frontends.inline import Bundle
from hector_nb.frontends.notebook import Notebook, footer
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.reply import CellReply
from hector_nb.frontends.widget.belonging import CellChat
from hector_nb.messages import Usage
from hector_nb.models.scripted import ScriptedModel, Step, Wait
from hector_nb.runtime.runtime import Runtime
from hector_nb.service import SendMessage, SessionService
from hector_nb.stores.in_memory import InMemoryStore


class Shell(SimpleNamespace):
    """As much of a kernel's shell as the magics look at."""

    def __init__(self) -> None:
        super().__init__(user_ns={}, user_ns_hidden={}, execution_count=1, kernel=object())


class World:
    """A notebook whose outputs are kept. `replies` is by agent."""

    def __init__(self, replies: dict[str, Sequence[Sequence[Step]]], monkeypatch: pytest.MonkeyPatch) -> None:
        self.models = {agent: ScriptedModel(script, name=f"{agent}-model") for agent, script in replies.items()}
        self.opened = 0
        self._monkeypatch = monkeypatch
        self.outputs: list[tuple[Bundle, Any, bool]] = []
        self.shell = Shell()
        self.notebook = Notebook(self.shell, NotebookService(self._open))
        self.on_output = lambda: None
        monkeypatch.setattr(notebook, "publish", self._publish)

    def cell(self, line: str, cell: str) -> str:
        """The Markdown that a cell leaves."""
        self.run(line, cell)
        return self.markdown

    def run(self, line: str, cell: str) -> None:
        """Run a cell that may leave none."""
        # pytest sets it again for each phase of a test.
        self._monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
        del self.outputs[:]
        self.notebook.cell(line, cell)

    @property
    def markdown(self) -> str:
        return [bundle["text/markdown"] for bundle, _, _ in self.outputs if "text/markdown" in bundle][-1]

    @property
    def plain(self) -> list[str]:
        return [bundle.get("text/plain", "") for bundle, _, _ in self.outputs]

    @property
    def metadata(self) -> dict[str, Any]:
        return [metadata["hector"] for _, metadata, _ in self.outputs if metadata][-1]

    def prompts(self, agent: str = "assistant") -> list[str]:
        return [request.messages[-1].content for request in self.models[agent].requests]

    def _publish(self, bundle: Bundle, metadata: Any, display_id: str, there: bool) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.outputs.append((bundle, metadata, there))
        self.on_output()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[SessionService]:
        self.opened += 1
        config = Config(agents={name: AgentConfig() for name in self.models})
        runtime = Runtime(
            store=InMemoryStore(),
            agents={
                name: make_agent(name, config.agents[name], config, LLMConfig(provider="scripted"), model)
                for name, model in self.models.items()
            },
        )
        await runtime.aopen()
        try:
            yield runtime.for_user("ada")
        finally:
            await runtime.aclose()


@pytest.fixture
def open_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("PYTEST_VERSION", "HECTOR_NB_STREAM", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cell_turn, "_LAST_WORDS", 30.0)  # however slow this machine is
    worlds = []

    def make(*replies: Sequence[Step], **agents: Sequence[Sequence[Step]]) -> World:
        worlds.append(World({"assistant": replies, **agents}, monkeypatch))
        return worlds[-1]

    yield make
    for world in worlds:
        world.notebook.close()


def test_a_cell_is_answered_and_the_next_one_goes_on(open_world: Any) -> None:
    world = open_world(["Hello ", "**Ada**"], ["You said hi"])
    assert world.cell("", "Hi\n") == "Hello **Ada**"
    assert world.cell("", "What did I say?\n") == "You said hi"
    seen = [message.content for message in world.models["assistant"].requests[1].messages]
    assert seen == ["Hi", "Hello **Ada**", "What did I say?"]
    assert world.opened == 1


def test_nothing_is_opened_before_it_is_needed(open_world: Any) -> None:
    world = open_world(["x"])
    world.notebook.line("version")
    assert world.opened == 0


def test_the_output_says_where_it_came_from(open_world: Any) -> None:
    world = open_world(["Hi"])
    world.cell("", "Hello")
    reply = world.shell.user_ns["_hector"]
    assert world.metadata["agent"] == "assistant"
    assert world.metadata["model"] == "assistant-model"
    assert world.metadata["session_id"] == reply.session_id
    assert world.metadata["turn_id"] == reply.turn_id
    assert world.metadata["status"] == "complete"
    assert world.metadata["usage"]["completion_tokens"] > 0
    assert world.plain[-1].startswith("assistant · assistant-model · ~")


def test_the_reply_can_be_kept(open_world: Any) -> None:
    world = open_world(["One"], ["Two"])
    world.cell("--out answer", "1")
    assert str(world.shell.user_ns["answer"]) == "One"
    assert repr(world.notebook.line("2")) == "Two"
    assert world.shell.user_ns["_hector"].text == "Two"


def test_another_agent_has_another_session_for_this_cell_only(open_world: Any) -> None:
    world = open_world(["a"], ["a again"], helper=[["b"]])
    world.cell("", "1")
    world.cell("helper", "2")
    world.cell("", "3")
    assert world.prompts() == ["1", "3"]
    assert world.prompts("helper") == ["2"]
    assert len(world.models["assistant"].requests[1].messages) == 3


def test_use_changes_the_agent_from_now_on(open_world: Any) -> None:
    world = open_world(helper=[["b"], ["c"]])
    world.notebook.line("use helper --session my-session")
    world.cell("", "1")
    assert world.shell.user_ns["_hector"].session_id == "my-session"
    assert world.cell("-s other", "2") == "c"
    assert world.shell.user_ns["_hector"].session_id == "other"


def test_new_begins_another_session(open_world: Any) -> None:
    world = open_world(["a"], ["b"], ["c"])
    ids = []
    world.cell("", "1")
    ids.append(world.shell.user_ns["_hector"].session_id)
    world.notebook.line("new")
    world.cell("", "2")
    ids.append(world.shell.user_ns["_hector"].session_id)
    world.cell("--new", "3")
    ids.append(world.shell.user_ns["_hector"].session_id)
    assert len(set(ids)) == 3
    assert len(world.models["assistant"].requests[-1].messages) == 1
    assert len(world.notebook.line("sessions")) == 3


def test_the_session_is_titled_like_the_notebook(open_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/first steps.ipynb")
    world = open_world(["a"])
    world.cell("", "1")
    [session] = world.notebook.line("sessions")
    assert session.title == "first steps"
    assert session.metadata == {"notebook": "/home/ada/first steps.ipynb"}


def test_the_history_is_a_conversation(open_world: Any) -> None:
    world = open_world(["<b>two</b>"], ["four"])
    world.cell("", "one")
    world.cell("", "three")
    history = world.notebook.line("history")
    assert [message.content for message in history] == ["one", "<b>two</b>", "three", "four"]
    assert "&lt;b>two" in history._repr_markdown_()
    assert [message.content for message in world.notebook.line("history -n 1")] == ["four"]


def test_the_agents_are_listed(open_world: Any) -> None:
    world = open_world(helper=[])
    assert [info.name for info in world.notebook.line("agents")] == ["assistant", "helper"]
    assert "helper-model" in repr(world.notebook.line("agents"))


def test_variables_are_filled_in_unless_told_otherwise(open_world: Any) -> None:
    world = open_world(["a"], ["b"])
    world.shell.user_ns.update(name="Ada", hidden=1)
    world.shell.user_ns_hidden.update(hidden=world.shell.user_ns["hidden"])
    world.cell("", "{name} {hidden} {unknown}")
    world.cell("--raw", "{name}")
    assert world.prompts() == ["Ada {hidden} {unknown}", "{name}"]


def release_when(world: World, shown: str, gate: asyncio.Event) -> None:
    """Let the script go on as soon as the last output has this."""

    async def let() -> None:
        gate.set()

    def look() -> None:
        if shown in str(world.outputs[-1][0]):
            LoopThread.shared().submit(let())

    world.on_output = look


def test_the_answer_grows_in_one_output(open_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inline, "QUIET", 60.0)  # however slow this machine is
    gate = asyncio.Event()
    world = open_world(["one ", gate, "two ", Wait(0.15), "three"])
    release_when(world, "one", gate)
    world.cell("", "count")
    answers = [(bundle["text/markdown"], there) for bundle, _, there in world.outputs if "text/markdown" in bundle]
    assert answers[0] == ("one ", False)
    assert answers[-1] == ("one two three", True)
    assert [there for _, there in answers] == [False] + [True] * (len(answers) - 1)


def test_a_recorded_cell_has_one_output(open_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(["one ", "two"], ["a"], ["b"])
    monkeypatch.setenv("PYTEST_VERSION", "9")
    world.cell("", "x")
    assert len(world.outputs) == 1
    monkeypatch.delenv("PYTEST_VERSION")
    monkeypatch.setenv("HECTOR_NB_STREAM", "0")
    world.cell("", "y")
    assert len(world.outputs) == 1
    monkeypatch.delenv("HECTOR_NB_STREAM")
    world.cell("--no-stream", "z")
    assert len([bundle for bundle, *_ in world.outputs if "text/markdown" in bundle]) == 1


def test_an_interrupt_keeps_what_was_said_and_goes_on_upwards(open_world: Any) -> None:
    world = open_world(["half ", Wait(60), "never"], ["next"])

    def interrupt() -> None:
        if any("half" in bundle.get("text/markdown", "") for bundle, _, _ in world.outputs):
            world.on_output = lambda: None
            raise KeyboardInterrupt

    world.on_output = interrupt
    with pytest.raises(KeyboardInterrupt):
        world.cell("", "go")
    assert world.markdown == "half \n\n*■ stopped*"
    assert world.metadata["status"] == "cancelled"
    assert world.shell.user_ns["_hector"].finish_reason == "cancelled"
    assert world.models["assistant"].closed == 1
    assert world.cell("", "go on") == "next"
    assert [message.status for message in world.notebook.line("history")][1] == "cancelled"


def test_an_interrupt_before_the_first_word_stops_the_model(open_world: Any) -> None:
    world = open_world([Wait(60), "never"], ["next"])

    def interrupt() -> None:
        world.on_output = lambda: None
        raise KeyboardInterrupt

    world.on_output = interrupt  # the first output says what is waited for
    with pytest.raises(KeyboardInterrupt):
        world.cell("", "go")
    assert world.models["assistant"].closed == 1
    assert world.cell("", "go on") == "next"


def test_a_turn_that_will_not_end_does_not_hold_an_interrupted_cell(
    open_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = open_world([Wait(60)])
    monkeypatch.setattr(cell_turn, "_LAST_WORDS", 0.0)
    monkeypatch.setattr("hector_nb.frontends.running_turn.RunningTurn.stop", lambda self: None)

    def interrupt() -> None:
        world.on_output = lambda: None
        raise KeyboardInterrupt

    world.on_output = interrupt
    with pytest.raises(KeyboardInterrupt):
        world.cell("", "go")
    assert world.plain[-1] == "■ stopped"


def test_a_failing_model_raises_and_keeps_what_was_said(open_world: Any) -> None:
    world = open_world(["half ", ModelTimeout("Nothing came for 60 s.")], ["next"])
    with pytest.raises(ModelTimeout, match="60 s") as caught:
        world.cell("", "go")
    assert world.markdown == "half "
    assert world.metadata["status"] == "failed"
    assert caught.value._render_traceback_() == ["ModelTimeout: Nothing came for 60 s."]  # type: ignore[attr-defined]
    assert world.cell("", "again") == "next"


def test_a_model_that_fails_at_once_leaves_no_output(open_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inline, "QUIET", 60.0)  # however slow this machine is
    world = open_world([ModelError("No.")])
    with pytest.raises(ModelError):
        world.cell("", "go")
    assert world.outputs == []


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("use nobody", AgentNotFound),
        ("-a nobody hi", AgentNotFound),
        ("history -s nothing", SessionNotFound),
        ("new nobody", AgentNotFound),
    ],
)
def test_what_is_not_there_is_an_error(open_world: Any, line: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        open_world(["x"]).notebook.line(line)


def test_a_session_of_another_agent_is_refused(open_world: Any) -> None:
    world = open_world(["a"], helper=[["b"]])
    world.cell("-s shared", "1")
    with pytest.raises(Conflict):
        world.cell("helper -s shared", "2")


def test_thinking_is_shown_on_request_and_is_no_part_of_the_answer(open_world: Any) -> None:
    thought = [ThinkingDelta(text="Hm <b> $x$"), "Yes"]
    world = open_world(thought, thought)
    assert world.cell("", "?") == "Yes"
    assert not any("Hm" in plain for plain in world.plain)
    assert world.cell("--thinking", "?") == "Yes"
    shown = [bundle["text/html"] for bundle, _, _ in world.outputs if "Hm" in bundle.get("text/plain", "")][-1]
    assert shown.startswith("<details style")
    assert "Hm &lt;b&gt; <span>$</span>x" in shown
    assert world.shell.user_ns["_hector"].thinking == "Hm <b> $x$"


def test_debugging_shows_session_message_and_tokens(open_world: Any) -> None:
    world = open_world(["Hi"])
    world.cell("--debug", "1")
    text = next(plain for plain in reversed(world.plain) if "[Session:" in plain)
    assert "[Message: 1]" in text
    assert "[Memory: " in text
    assert "tokens, stop]" in text


def test_the_terminal_gets_the_text(open_world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    world = open_world(["Hello ", "there"])
    del world.shell.kernel
    world.run("", "hi")
    assert capsys.readouterr().out == "Hello there\n"
    assert world.outputs == []


def test_the_terminal_keeps_thinking_apart(open_world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    world = open_world([ThinkingDelta(text="Hm"), ThinkingDelta(text=" hm"), "Yes", "."])
    del world.shell.kernel
    world.run("--thinking --debug", "hi")
    out = capsys.readouterr().out
    assert "Hm hm\nYes.\n[Response: " in out


def test_a_closed_notebook_opens_again(open_world: Any) -> None:
    world = open_world(["a"], ["b"])
    world.cell("", "1")
    world.notebook.close()
    world.notebook.line("new")
    assert world.cell("", "2") == "b"
    assert world.opened == 2


def reply(**changes: Any) -> CellReply:
    values: dict[str, Any] = {
        "text": "<b>",
        "agent": "assistant",
        "model": "m",
        "host": None,
        "session_id": "s",
        "turn_id": "t",
        "message_id": None,
        "finish_reason": "stop",
        "usage": Usage(completion_tokens=1234, estimated=True),
        "seconds": 1.26,
    }
    return CellReply(**{**values, **changes})


def test_the_footer_says_who_how_much_and_how_long() -> None:
    assert footer(reply(host="api.example.org")) == "assistant · m at api.example.org · ~1,234 tokens · 1.3 s"
    assert footer(reply(usage=Usage(completion_tokens=1)), timed=False) == "assistant · m · 1 token"


def test_a_reply_is_its_text_and_shows_safely() -> None:
    assert str(reply()) == repr(reply()) == "<b>"
    assert reply()._repr_markdown_() == "&lt;b>"


def test_what_was_beside_the_answer_takes_the_place_of_the_line_that_waits(open_world: Any) -> None:
    """So that it stands above the answer, though the answer's line came first."""
    gate = asyncio.Event()
    world = open_world([gate, ThinkingDelta(text="Hm"), Wait(0.4), "Yes"])
    release_when(world, "Waiting", gate)
    world.cell("--thinking", "x")
    kinds = [
        ("waits" if "Waiting" in str(bundle) else "beside" if "Thinking" in str(bundle) else "answer", there)
        for bundle, _, there in world.outputs
    ]
    assert kinds[:2] == [("waits", False), ("beside", True)]
    assert ("answer", False) in kinds or ("waits", False) in kinds[2:]


def test_a_reply_knows_what_its_model_saw(open_world: Any) -> None:
    world = open_world(["Hello"])
    world.cell("", "Hi")
    reply = world.shell.user_ns["_hector"]
    assert [part.text for part in reply.context.parts if part.kind == "message"] == ["Hi"]
    assert repr(world.notebook.line("why")) == repr(reply.context)
    assert repr(world.notebook.line("why {_hector.turn_id}")) == repr(reply.context)


def test_memory_is_shown_before_the_first_message(open_world: Any) -> None:
    world = open_world(["Hello"])
    view = world.notebook.line("memory")
    assert "no long-term memory" in repr(view)
    assert [part.kind for part in view.context.parts] == ["system"]
    world.cell("", "Hi")
    assert world.shell.user_ns["_hector"].session_id == view.context.ledger.session_id


def test_the_line_below_an_answer_says_how_many_memories_it_used() -> None:
    reply = CellReply(
        text="x",
        agent="a",
        model="m",
        host=None,
        session_id="s",
        turn_id="t",
        message_id=None,
        finish_reason="stop",
        usage=Usage(completion_tokens=1),
        recalled=3,
    )
    assert footer(reply, timed=False) == "a · m · 1 token · used 3 memories"
    with pytest.raises(TurnNotFound):
        _ = reply.context


def test_the_chat_widget_opens_on_the_notebooks_session(open_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widget, "open_chat", lambda *_, agent, session_id, allowed, belonging: (agent, session_id))
    world = open_world(["a"], helper=[["b"]])
    world.cell("", "Hi")
    assert world.notebook.line("chat") == ("assistant", world.shell.user_ns["_hector"].session_id)
    agent, session_id = world.notebook.line("chat helper")
    assert agent == "helper"
    assert world.notebook.line("chat -s {_hector.session_id}")[0] == "assistant"
    world.cell("", "Hi")
    assert world.shell.user_ns["_hector"].session_id == session_id


def test_a_form_that_the_answer_has_not_is_an_error_and_the_answer_stays(open_world: Any) -> None:
    world = open_world(["No, "], ['{"a":', " 1}"])
    with pytest.raises(InvalidRequest, match="not JSON"):
        world.cell("-f json --out found", "x")
    assert world.markdown == "No, "
    assert world.shell.user_ns["found"].text == "No, "
    assert world.cell("-f json --out found", "x") == '```json\n{\n  "a": 1\n}\n```'
    assert world.shell.user_ns["found"] == {"a": 1}


def test_a_stopped_answer_is_not_asked_for_its_form(open_world: Any) -> None:
    world = open_world(['{"half": ', Wait(60), "never"])

    def interrupt() -> None:
        if any("half" in str(bundle) for bundle, _, _ in world.outputs):
            world.on_output = lambda: None
            raise KeyboardInterrupt

    world.on_output = interrupt
    with pytest.raises(KeyboardInterrupt):
        world.cell("-f json", "x")
    assert world.markdown.endswith("*■ stopped*")


def test_laid_out_json_is_written_once_in_a_terminal(open_world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    world = open_world(['{"a":', "1}"])
    del world.shell.kernel
    world.run("-f json", "x")
    assert capsys.readouterr().out == '```json\n{\n  "a": 1\n}\n```\n'


def test_a_session_that_cannot_be_rewound_keeps_its_cell_from_running(open_world: Any) -> None:
    """And leaves no copy behind."""
    world = open_world(["a"], ["b"], [Wait(60)])
    world.shell.get_parent = lambda: {"metadata": {"cellId": "one"}}
    world.cell("", "1")
    world.shell.get_parent = lambda: {"metadata": {"cellId": "two"}}
    world.shell.execution_count = 2
    world.cell("", "2")
    session_id = world.shell.user_ns["_hector"].session_id
    request = SendMessage(message="busy", session_id=session_id, on_disconnect="continue")
    running = world.notebook._service.start("assistant", request)
    next(running.batches())
    world.shell.get_parent = lambda: {"metadata": {"cellId": "one"}}
    world.shell.execution_count = 3
    with pytest.raises(SessionBusy):
        world.cell("", "1")
    assert len(world.notebook.line("sessions")) == 1


@pytest.mark.parametrize("found", [None, 7, ["one"], {"one": {"two": 3}, "two": [[]]}], ids=repr)
def test_cells_run_again_whatever_somebody_wrote_into_the_session(open_world: Any, found: Any) -> None:
    world = open_world(["a"], ["b"], ["c"], ["d"])
    for number, cell in enumerate(("one", "two"), 1):
        world.shell.execution_count = number
        world.shell.get_parent = lambda cell=cell: {"metadata": {"cellId": cell}}
        world.cell("", cell)
    session_id = world.shell.user_ns["_hector"].session_id

    def write(**metadata: Any) -> None:
        world.notebook._service.ask(lambda asked: asked.update_session("assistant", session_id, metadata=metadata))

    def said() -> list[str]:
        found = world.notebook._service.ask(lambda asked: asked.list_messages("assistant", session_id))
        return [message.content for message in found.items]

    written = world.notebook._service.ask(lambda asked: asked.find_session(session_id)).metadata
    write(cells=written["cells"], kept=found)
    world.shell.execution_count = 3
    world.shell.get_parent = lambda: {"metadata": {"cellId": "one"}}
    world.cell("", "one")
    assert said() == ["one", "c"]
    write(cells=found, chats=found, code_cells=found)
    world.shell.execution_count = 4
    world.cell("", "one")
    assert said() == ["one", "c", "one", "d"]
    assert world.notebook._service.ask(lambda asked: CellChat("/home/ada/a.ipynb#one").last(asked, None)) is None
    assert world.notebook._service.ask(
        lambda asked: CodeCells().is_new(asked, "assistant", session_id, cell="one", code="1")
    )
