"""What people do in the chat."""

import asyncio
import json
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from hector_nb.errors import ModelRateLimited, ModelRefused, ModelUnavailable
from hector_nb.frontends.widget import protocol
from hector_nb.messages import ToolCall
from hector_nb.runtime.sessions import UserSessions
from hector_nb.service import SendMessage, SessionService, collect
from hector_nb.sessions import Session
from tests.frontends.widget.world import View, World

COMMAND = ToolCall(call_id="c", name="execute_command", arguments={"command": "echo hi"})
LONG = ToolCall(call_id="w", name="write_file", arguments={"path": "a.txt", "content": "one\ntwo \u202e\n"})


def told(view: View, text: str, turns: int) -> str:
    """Send a message and wait for the whole answer; the turn's id."""
    view.ask("send", text=text)
    view.until_over(turns=turns)
    return str(view.last["turn_id"])


def test_every_command_of_the_protocol_is_known() -> None:
    text = Path("jupyter_extension/src/protocol.ts").read_text()
    block = text[text.index("export type Command") : text.index("export interface SessionPage")]
    described = {
        name: set(re.findall(r"(\w+):", rest))
        for name, rest in re.findall(r'\{ t: "(\w+)"((?:; \w+: [^;}]+)*) \}', block)
    }
    known = {
        cls.__name__.lower(): set(cls.model_fields) - {"t", "id"}
        for cls in vars(protocol).values()
        if isinstance(cls, type) and issubclass(cls, BaseModel) and "t" in cls.model_fields
    }
    assert described == known


@pytest.mark.parametrize(
    "content",
    [{"t": "explode"}, {"t": "send"}, {"t": "send", "text": 3}, {"t": "stop", "turn_id": "x", "more": 1}, {}],
)
def test_what_is_no_command_is_refused_and_nothing_happens(world: World, content: dict[str, object]) -> None:
    world.agent("assistant")
    view = world.chat()
    view._controller.command({"id": "odd", **content})
    view._controller.command("nonsense")
    view._controller.command({"t": "sync"})
    view.until(lambda: "odd" in view.replies)
    assert view.replies["odd"][0]["error"]["title"] == "The kernel does not know this command."
    assert view.state["turns"] == []


def test_a_view_that_missed_something_asks_for_all(world: World) -> None:
    world.agent("assistant", ["Hello"])
    view = world.chat()
    told(view, "Hi", 1)
    view.state, view.n = {}, 0
    view.ask("sync")
    assert view.text == "Hello"


def test_an_empty_message_is_refused(world: World) -> None:
    world.agent("assistant")
    view = world.chat()
    assert view.do("send", text="  \n")["error"]["code"] == "invalid_request"
    assert view.state["session"] is None


def test_a_session_is_stored_with_its_first_message(world: World) -> None:
    world.agent("assistant", ["Hello"])
    view = world.chat()
    view.ask("rename", title="Mine")
    assert world.ask(lambda service: service.list_sessions()).items == []
    told(view, "Hi", 1)
    [session] = world.ask(lambda service: service.list_sessions()).items
    assert (session.session_id, session.title) == (view.state["session"]["session_id"], "Mine")


def test_a_new_title_is_not_replaced_by_what_was_read_before(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.agent("assistant", ["Hello"], ["Hello again"])
    view = world.chat()
    told(view, "Hi", 1)
    read, gate = UserSessions.get_session, asyncio.Event()
    reading, renaming = threading.Event(), threading.Event()

    async def slowly(*names: Any) -> Session:
        session = await read(*names)
        if not renaming.is_set():
            reading.set()
            await gate.wait()
        return session

    monkeypatch.setattr(UserSessions, "get_session", slowly)
    told(view, "Hi again", 2)
    assert reading.wait(30)
    renaming.set()
    view.ask("rename", title="Mine")
    world.release(gate)
    view.ask("sessions", query="", cursor=None)
    assert view.state["session"]["title"] == "Mine"


def test_try_again_asks_the_question_in_its_place(world: World) -> None:
    world.agent("assistant", ["One"], ["Two"], ["Two again"])
    view = world.chat()
    told(view, "first", 1)
    turn = told(view, "second", 2)
    view.ask("retry", turn_id=turn)
    view.until(lambda: view.last["turn_id"] != turn)
    view.until_over(turns=2)
    assert (view.last["question"]["text"], view.text) == ("second", "Two again")
    asked = [message.content for message in world.models["assistant"].requests[-1].messages]
    assert asked == ["first", "One", "second"]


def test_a_question_is_edited_and_replaces_what_followed(world: World) -> None:
    world.agent("assistant", ["One"], ["Two"], ["Else"])
    view = world.chat()
    first = told(view, "first", 1)
    told(view, "second", 2)
    view.ask("edit", turn_id=first, text="other", fork=False)
    view.until(lambda: view.text == "Else")
    view.until_over(turns=1)
    assert [turn["question"]["text"] for turn in view.turns] == ["other"]


@pytest.mark.parametrize("at", [0, 1])
def test_an_edit_in_a_fork_leaves_the_session_as_it_was(world: World, at: int) -> None:
    world.agent("assistant", ["One"], ["Two"], ["Else"])
    view = world.chat()
    turns = [told(view, "first", 1), told(view, "second", 2)]
    old = view.state["session"]["session_id"]
    view.ask("edit", turn_id=turns[at], text="other", fork=True)
    view.until(lambda: view.text == "Else")
    view.until_over(turns=at + 1)
    assert view.state["session"]["session_id"] != old
    assert world.ask(lambda service: service.get_session("assistant", old)).message_count == 4


def test_a_fork_goes_on_in_a_copy(world: World) -> None:
    world.agent("assistant", ["One"], ["Two"], ["Three"])
    view = world.chat()
    first = told(view, "first", 1)
    told(view, "second", 2)
    old = view.state["session"]["session_id"]
    view.ask("fork", turn_id=first)
    assert view.state["session"]["session_id"] != old
    assert [turn["question"]["text"] for turn in view.turns] == ["first"]
    told(view, "third", 2)
    assert view.text == "Three"


def test_a_rewind_takes_back_what_follows_a_turn(world: World) -> None:
    world.agent("assistant", ["One"], ["Two"], ["Three"])
    view = world.chat()
    first = told(view, "first", 1)
    told(view, "second", 2)
    view.ask("rewind", turn_id=first)
    assert [turn["question"]["text"] for turn in view.turns] == ["first"]
    told(view, "third", 2)
    asked = [message.content for message in world.models["assistant"].requests[-1].messages]
    assert asked == ["first", "One", "third"]


def test_nothing_is_taken_back_while_an_answer_is_under_way(world: World) -> None:
    world.agent("assistant", ["One"], ["Two", asyncio.Event()])
    view = world.chat()
    first = told(view, "first", 1)
    view.ask("send", text="second")
    view.until(lambda: view.text == "Two")
    for command in ({"t": "retry"}, {"t": "rewind"}, {"t": "edit", "text": "x", "fork": False}):
        assert view.do(**command, turn_id=first)["error"]["code"] == "session_busy"
    view.ask("stop", turn_id=view.last["turn_id"])
    assert view.until_over(turns=2)["status"] == "stopped"


def test_a_stale_click_does_nothing(world: World) -> None:
    world.agent("assistant", ["One"])
    view = world.chat()
    turn = told(view, "first", 1)
    before = view.turns
    view.ask("stop", turn_id=turn)
    view.ask("stop", turn_id="turn_gone")
    view.ask("retry", turn_id="turn_gone")
    view.ask("decide", turn_id=turn, call_id="call_gone", decision="approve", always=False)
    assert view.turns == before


def test_an_open_session_shows_what_others_say_in_it(world: World) -> None:
    world.agent("assistant", ["One"], ["Two"])
    view = world.chat()
    told(view, "first", 1)
    session = view.state["session"]["session_id"]
    other = world.chat(session_id=session)
    assert [turn["question"]["text"] for turn in other.turns] == ["first"]
    told(other, "second", 2)
    view.until(lambda: len(view.turns) == 2)
    view.until_over(turns=2)
    assert (view.last["question"]["text"], view.text) == ("second", "Two")
    assert view.last["question"]["message_id"] == other.last["question"]["message_id"]


def test_a_second_view_sees_a_running_turn_from_its_beginning(world: World) -> None:
    gate = asyncio.Event()
    world.agent("assistant", ["One ", gate, "two"])
    view = world.chat()
    view.ask("send", text="first")
    view.until(lambda: view.text == "One ")
    other = world.chat(session_id=view.state["session"]["session_id"])
    other.until(lambda: other.turns and other.text == "One ")
    world.release(gate)
    assert other.until_over()["status"] == "done"
    assert other.text == "One two"
    assert other.last["question"]["text"] == "first"
    view.until_over()


def test_sessions_are_found_and_opened(world: World) -> None:
    world.agent("assistant", ["One"], repeat=True)
    world.agent("other", ["Two"])
    view = world.chat("assistant")
    told(view, "about apples", 1)
    apples = view.state["session"]["session_id"]
    view.ask("new", agent="other")
    assert (view.state["agent"]["name"], view.turns, view.state["session"]) == ("other", [], None)
    told(view, "about pears", 1)
    page = view.ask("sessions", query="", cursor=None)
    assert [(each["title"], each["agent"]) for each in page["sessions"]] == [
        ("about pears", "other"),
        ("about apples", "assistant"),
    ]
    assert [each["session_id"] for each in view.ask("sessions", query="apples", cursor=None)["sessions"]] == [apples]
    view.ask("open", session_id=apples)
    assert (view.state["agent"]["name"], view.last["question"]["text"]) == ("assistant", "about apples")
    assert view.do("open", session_id="sess_gone")["error"]["code"] == "session_not_found"
    assert view.last["question"]["text"] == "about apples"


def test_an_ended_session_can_only_be_forked(world: World) -> None:
    world.agent("assistant", ["One"], ["Two"])
    view = world.chat()
    told(view, "first", 1)
    view.ask("end")
    assert view.state["session"]["status"] == "ended"
    assert view.do("send", text="more")["error"]["code"] == "session_ended"
    view.ask("fork", turn_id=None)
    told(view, "second", 2)
    assert view.text == "Two"


def test_a_session_is_deleted_and_an_empty_chat_is_left(world: World) -> None:
    world.agent("assistant", ["One"])
    view = world.chat()
    told(view, "first", 1)
    view.ask("delete", forget=True)
    assert (view.turns, view.state["session"]) == ([], None)
    assert world.ask(lambda service: service.list_sessions()).items == []


@pytest.mark.parametrize("form", ["markdown", "json", "ipynb"])
def test_the_conversation_is_a_file(world: World, form: str) -> None:
    world.agent("assistant", ["One"])
    view = world.chat()
    assert view.do("export", format=form)["error"]["code"] == "session_not_found"
    told(view, "first", 1)
    file = view.ask("export", format=form)
    assert file["filename"] == f"first.{ {'markdown': 'md'}.get(form, form) }".replace(" ", "")
    assert "One" in (file["text"] if form == "markdown" else json.dumps(json.loads(file["text"])))


def test_a_long_session_opens_at_its_end_and_brings_more(world: World) -> None:
    world.agent("assistant", ["answer"], repeat=True)

    async def fill(service: SessionService) -> str:
        session, _ = await service.create_session("assistant")
        for number in range(70):
            await collect(
                await service.stream_message(
                    "assistant", SendMessage(message=f"q{number}", session_id=session.session_id)
                )
            )
        return session.session_id

    view = world.chat(session_id=world.ask(fill))
    assert view.state["more"] is True
    shown = [turn["question"]["text"] for turn in view.turns]
    assert shown == [f"q{number}" for number in range(70 - len(shown), 70)]
    assert 30 <= len(shown) <= 31
    while view.state["more"]:
        view.ask("earlier")
    assert [turn["question"]["text"] for turn in view.turns] == [f"q{number}" for number in range(70)]
    view.ask("earlier")
    assert len(view.turns) == 70


def test_a_command_waits_for_a_word_and_runs(world: World) -> None:
    world.agent("assistant", [COMMAND], ["Done"], tools=["execute_command"])
    view = world.chat()
    assert view.state["agent"]["asks"] == ["runs a command"]
    view.ask("send", text="Run it")
    turn = view.until_status("approval")
    [part] = turn["parts"]
    assert part["status"] == "waiting"
    assert part["approval"]["question"] == "Run this command?"
    assert part["approval"]["subject"] == "echo hi"
    assert part["approval"]["deadline"] > time.time()
    assert part["approval"]["wider"] == "Allow execute_command for the rest of this session"
    view.ask("decide", turn_id=turn["turn_id"], call_id=part["call_id"], decision="approve", always=False)
    turn = view.until_over()
    assert (turn["parts"][0]["status"], turn["parts"][0]["verb"], turn["parts"][0]["approval"]) == ("done", "Ran", None)
    assert "hi" in turn["parts"][0]["output"]
    assert view.text == "Done"
    assert "hi" in view.ask("output", call_id=turn["parts"][0]["call_id"])["text"]


def test_a_denied_call_is_not_made(world: World) -> None:
    world.agent("assistant", [LONG], ["Well"], tools=["write_file"])
    view = world.chat()
    view.ask("send", text="Write it")
    turn = view.until_status("approval")
    [part] = turn["parts"]
    assert part["approval"]["question"] == "Write this file?"
    assert part["approval"]["body"] == "one\ntwo \\u202e\n"
    view.ask("decide", turn_id=turn["turn_id"], call_id=part["call_id"], decision="deny", always=False)
    assert view.until_over()["parts"][0]["status"] == "denied"
    assert not (world.folder / "a.txt").exists()


def test_what_is_always_allowed_is_not_asked_for_again(world: World) -> None:
    world.agent("assistant", [COMMAND], ["One"], [COMMAND], ["Two"], tools=["execute_command"])
    view = world.chat()
    view.ask("send", text="Run it")
    turn = view.until_status("approval")
    view.ask("decide", turn_id=turn["turn_id"], call_id=turn["parts"][0]["call_id"], decision="approve", always=True)
    view.until_over()
    view.ask("send", text="Again")
    view.until_over(turns=2)
    assert view.text == "Two"


def test_a_word_given_elsewhere_closes_the_card(world: World) -> None:
    world.agent("assistant", [COMMAND], ["Done"], tools=["execute_command"])
    view = world.chat()
    view.ask("send", text="Run it")
    turn = view.until_status("approval")
    session = view.state["session"]["session_id"]
    call = turn["parts"][0]["call_id"]
    world.ask(lambda service: service.decide_approval("assistant", session, call, "approve"))
    view.until_over()
    assert view.text == "Done"


def test_a_rate_limit_is_waited_out(world: World) -> None:
    limited = ModelRateLimited("`model` asks to slow down.", hint="Try again in 1 s.")
    world.agent("assistant", [limited], ["Here"])
    view, sent = world.chat(), time.time()
    view.ask("send", text="Hi")
    retry_at = view.until(lambda: view.turns and (view.last["problem"] or {}).get("retry_at"))
    assert retry_at > sent
    view.until_status("done")
    assert (view.text, len(view.turns)) == ("Here", 1)


def test_a_rate_limit_that_is_stopped_is_not_tried_again(world: World) -> None:
    world.agent("assistant", [ModelRateLimited("Slower.", hint="Try again in 30 s.")], ["Here"])
    view = world.chat()
    view.ask("send", text="Hi")
    view.until(lambda: view.turns and (view.last["problem"] or {}).get("retry_at"))
    view.ask("stop", turn_id=view.last["turn_id"])
    assert view.last["problem"]["retry_at"] is None
    view.ask("retry", turn_id=view.last["turn_id"])
    view.until_status("done")
    assert view.text == "Here"


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (ModelUnavailable("`127.0.0.1:1` refused the connection."), "assistant-model cannot be reached."),
        (ModelRefused("`gpt` needs a key.", hint="Set OPENAI_API_KEY."), "assistant-model needs a key."),
    ],
)
def test_a_problem_says_what_happened_what_is_kept_and_what_to_do(world: World, error: Exception, title: str) -> None:
    world.agent("assistant", [error])
    view = world.chat()
    view.ask("send", text="Hi")
    problem = view.until_over()["problem"]
    assert problem["title"] == title
    assert "Your message is kept, and the session is intact." in problem["text"]
    assert "Traceback" not in problem["details"]


def test_what_cannot_be_reached_is_said_once(world: World) -> None:
    world.agent(
        "assistant", [ModelUnavailable("`assistant-model` cannot be reached: 127.0.0.1:1 refused the connection.")]
    )
    view = world.chat()
    view.ask("send", text="Hi")
    problem = view.until_over()["problem"]
    assert problem["text"].startswith("127.0.0.1:1 refused the connection. Your message")


def test_the_queue_waits_while_something_is_wrong_and_goes_on_after_it(world: World) -> None:
    gate = asyncio.Event()
    world.agent("assistant", [gate, ModelUnavailable("Gone.")], ["One"], ["Two"])
    view = world.chat()
    view.ask("send", text="first")
    view.ask("send", text="second")
    world.release(gate)
    view.until_status("failed")
    assert len(view.state["queue"]) == 1
    view.ask("retry", turn_id=view.last["turn_id"])
    view.until_over(turns=2)
    assert [turn["question"]["text"] for turn in view.turns] == ["first", "second"]
    assert view.text == "Two"


def test_a_file_that_is_there_is_compared_with_what_would_be_written(world: World) -> None:
    (world.folder / "a.txt").write_text("zero\ntwo \u202e\n")
    world.agent("assistant", [LONG], ["Well"], tools=["write_file"])
    view = world.chat()
    view.ask("send", text="Write it")
    turn = view.until_status("approval")
    view.until(lambda: view.last["parts"][0]["approval"]["diff"])
    assert view.last["parts"][0]["approval"]["diff"].split("\n")[2:] == [
        "@@ -1,2 +1,2 @@",
        "-zero",
        "+one",
        " two \\u202e",
    ]
    call = turn["parts"][0]["call_id"]
    view.ask("decide", turn_id=turn["turn_id"], call_id=call, decision="approve", always=False)
    view.until_over()
    assert (world.folder / "a.txt").read_text() == "one\ntwo \u202e\n"


def test_what_was_taken_back_elsewhere_goes_when_the_next_turn_comes(world: World) -> None:
    world.agent("assistant", ["One"], ["Two"], ["Three"], ["Four"])
    view = world.chat()
    told(view, "first", 1)
    told(view, "second", 2)
    session = view.state["session"]["session_id"]

    async def again(service: SessionService) -> None:
        messages = (await service.list_messages("assistant", session)).items
        await service.rewind_session("assistant", session, after=messages[1].message_id)
        await collect(await service.stream_message("assistant", SendMessage(message="other", session_id=session)))

    world.ask(again)
    view.until(lambda: [turn["question"]["text"] for turn in view.turns] == ["first", "other"])
    assert view.until_over(turns=2)["status"] == "done"

    async def anew(service: SessionService) -> None:
        await service.rewind_session("assistant", session, after=None)
        await collect(await service.stream_message("assistant", SendMessage(message="new", session_id=session)))

    world.ask(anew)
    view.until(lambda: [turn["question"]["text"] for turn in view.turns] == ["new"])
    view.until_over(turns=1)
    assert view.text == "Four"


def test_a_turn_of_a_session_that_was_left_goes_on(world: World) -> None:
    gate = asyncio.Event()
    world.agent("assistant", ["Half ", gate, "whole"])
    view = world.chat()
    view.ask("send", text="first")
    view.until(lambda: view.turns and view.text == "Half ")
    session = view.state["session"]["session_id"]
    view.ask("new", agent=None)
    assert view.turns == []
    world.release(gate)
    view.ask("open", session_id=session)
    view.until_over()
    assert view.text == "Half whole"
