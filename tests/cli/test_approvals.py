"""Tool calls that wait for a word: asked at a terminal, refused where nobody is, answered from another terminal."""

import asyncio
import contextlib
import io
import json
import os
import sys
import time
from unittest import mock

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from hector_nb.errors import Conflict
from hector_nb.events import ApprovalAsked
from hector_nb.frontends.cli.approving import Question
from hector_nb.frontends.cli.person import PersonAtTerminal
from hector_nb.frontends.connect import open_service
from hector_nb.service import SendMessage
from tests.cli.terminal import code
from tests.stores.making import make_approval

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals need a Unix")

CONFIG = """\
llms:
  default: {provider: scripted, model: script.yaml}
agents:
  coder: {tools: [write_file, execute_command]}
"""
CHOICES = r"y yes · n no · a for this session · e edit — no answer in \d:\d\d means no"


def write(content="print('Hello')\n", path="hello.py"):
    return {"tool_call": {"name": "write_file", "arguments": {"path": path, "content": content}}}


def execute(command="echo hi"):
    return {"tool_call": {"name": "execute_command", "arguments": {"command": command}}}


@pytest.fixture
def coder(home):
    """A home whose agent may write files and run commands, if it is allowed."""
    home.config(CONFIG)
    return home


def results(home, session):
    return [m["content"] for m in home.json("sessions", "show", session)["messages"] if m["role"] == "tool"]


def leave_waiting(home, session):
    """A turn waits for a word, and the process that held it is gone; the call's id."""

    async def ask():
        async with open_service() as service:
            await service.create_session("coder", session_id=session)
            stream = await service.stream_message("coder", SendMessage(message="go", session_id=session))
            async with stream, asyncio.timeout(30):
                async for _, event in stream:
                    if isinstance(event, ApprovalAsked):
                        return event.call_id
            raise AssertionError("nothing is asked")

    with mock.patch.dict(os.environ, home.env, clear=True), contextlib.chdir(home.folder):
        return asyncio.run(ask())


# -- at the terminal


def test_yes_lets_the_tool_run_and_the_answer_goes_on(coder, start):
    coder.script(["Writing.", write()], ["It is **there**."])
    child = start("chat", "-s", "abc")
    child.expect("> ")
    child.send("go\r")
    child.expect("Write this file\\?")
    child.expect("  hello.py\r\n")
    child.expect("  │ print\\('Hello'\\)\r\n")
    child.expect(CHOICES)
    assert not (coder.folder / "hello.py").exists()
    child.send("y\r")
    child.expect("Approved\\.")
    child.expect("✓ .*Wrote hello.py")
    child.expect("It is .*there")
    child.expect("> ")
    child.sendeof()
    assert code(child) == 0
    assert (coder.folder / "hello.py").read_text() == "print('Hello')\n"


def test_no_tells_the_model(coder, start):
    coder.script([execute()], ["As you wish."])
    child = start("call", "-s", "abc", "go")
    child.expect("Run this command\\?")
    child.expect(CHOICES)
    child.send("maybe\r")
    child.expect("Answer y, n, a or e\\.")
    child.send("n\r")
    child.expect("Denied\\.")
    child.expect("As you wish\\.")
    assert code(child) == 0
    assert results(coder, "abc") == ["The user did not allow this call."]


def test_always_holds_for_the_tool_and_the_session(coder, start):
    coder.script([execute("echo one")], [execute("echo two")], [write()], ["Done."])
    child = start("chat")
    child.expect("> ")
    child.send("go\r")
    child.expect("echo one")
    child.expect(CHOICES)
    child.send("a\r")
    child.expect("Approved, for the rest of this session\\.")
    child.expect("✓ .*Ran echo two")
    child.expect("Write this file\\?")
    child.expect(CHOICES)
    child.send("n\r")
    child.expect("Done\\.")
    child.expect("> ")
    child.send("/new\r")
    child.expect("New session")
    child.expect("> ")
    child.send("go\r")
    child.expect("Run this command\\?")


def test_edited_arguments_are_asked_for_until_they_fit(coder, start):
    coder.script([execute("rm -r x")], ["Done."])
    child = start("call", "-s", "abc", "go")
    child.expect(CHOICES)
    child.send("e\r")
    child.expect("Arguments as JSON\\.")
    child.expect('"command": "rm -r x"')
    child.send("!\r")
    child.expect("This is not JSON")
    child.send("\x7f" * 40 + "[1]\r")
    child.expect("They are one JSON object")
    child.send("\x7f" * 3 + '{"command": 1}\r')
    child.expect("The arguments of execute_command are wrong")
    child.send("\x7f" * 40 + '{"command": "echo other"}\r')
    child.expect("Approved, with other arguments\\.")
    child.expect("✓ .*Ran echo other")
    assert code(child) == 0
    assert "echo other" in results(coder, "abc")[0]
    assert results(coder, "abc")[0].endswith("other")


def test_ctrl_c_at_a_question_stops_the_turn_not_the_chat(coder, start):
    coder.script([write()], ["Done."])
    child = start("chat", "-s", "abc")
    child.expect("> ")
    child.send("go\r")
    child.expect(CHOICES)
    child.sendintr()
    child.expect("Stopped · ")
    child.expect("> ")
    child.send("/quit\r")
    assert code(child) == 0
    assert not (coder.folder / "hello.py").exists()
    assert coder.json("approvals")["approvals"] == []


def test_nothing_of_a_call_is_hidden(coder, start):
    command = "echo \u202eevil\u2066 \x1b[2J\x1b]0;title\x07 " + "long " * 60 + "; rm -rf ~"
    coder.script([write(command)], ["Done."])
    child = start("call", "go", NO_COLOR="1")
    child.expect("Write this file\\?")
    child.expect(CHOICES)
    shown = "".join(line.strip().removeprefix("│ ") for line in child.before.replace("\r", "").split("\n")[1:])
    assert r"echo \u202eevil\u2066 \u001b[2J\u001b]0;title\u0007" in shown
    assert shown.count("long") == 60
    assert "rm -rf ~" in shown
    assert "\u202e" not in child.before
    assert "\x1b]0" not in child.before


def test_no_answer_in_time_means_no(coder, start):
    coder.config(f"{CONFIG}tools:\n  execute_command: {{approval_timeout: 4s}}\n")
    coder.script([execute()], ["Never mind."])
    child = start("call", "-s", "abc", "go")
    child.expect("Run this command\\?")
    child.expect("No answer in time, which means no\\.")
    child.expect("Never mind\\.")
    assert code(child) == 0


def test_what_was_typed_before_the_question_does_not_answer_it(coder, start):
    coder.config(f"{CONFIG}tools:\n  execute_command: {{require_approval: rules, allow: [cat]}}\n")
    gate = coder.folder / "gate"
    os.mkfifo(gate)
    coder.script(["begun", execute("cat gate")], [write()], ["Done."])
    child = start("chat")
    child.expect("> ")
    child.send("go\r")
    child.expect("begun")
    child.send("y\r")
    let_through(gate)
    child.expect(CHOICES)
    child.send("n\r")
    child.expect("Denied\\.")


def test_whoever_answers_when_somebody_else_has_is_told_so():
    async def submit(_):
        raise Conflict("somebody was faster")

    async def ask():
        with create_pipe_input() as typed, create_app_session(input=typed, output=DummyOutput()):
            typed.send_text("y\r")
            async with asyncio.timeout(30):
                await PersonAtTerminal(Console(file=screen)).ask(
                    Question(approval=make_approval(), agent="coder", session_id="s"), submit
                )

    screen = io.StringIO()
    asyncio.run(ask())
    assert screen.getvalue().rstrip().endswith("Decided elsewhere, or too late.")


def let_through(gate):
    """Let a program that waits for somebody to write into this pipe end, once it does."""
    until = time.monotonic() + 30
    while True:
        try:
            os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            assert time.monotonic() < until, "nobody reads"
            time.sleep(0.01)
        else:
            return


# -- where nobody is


def test_without_a_terminal_it_means_no_with_an_explanation(coder):
    coder.script([execute("echo \u202ehi")], ["Done."])
    done = coder.run("call", "-s", "abc", "go")
    assert (done.returncode, done.stdout) == (0, b"Done.\n")
    said = done.stderr.decode()
    assert "Not allowed, for nobody is at the terminal to be asked: execute_command" in said
    assert r"echo \u202ehi" in said
    assert "require_approval" in said
    assert results(coder, "abc") == ["The user did not allow this call."]


@pytest.mark.parametrize("command", [("call", "--json", "go"), ("chat",)], ids=" ".join)
def test_json_and_a_piped_chat_do_not_wait_for_a_word(coder, command):
    coder.script([write()], ["Done."])
    done = coder.run(*command, stdin=b"go\n")
    assert done.returncode == 0
    assert b"Done." in done.stdout
    assert b"Not allowed" in done.stderr
    assert not (coder.folder / "hello.py").exists()


def test_a_pipe_gets_the_lines_of_tools_beside_the_answer(coder):
    coder.config(CONFIG.replace("execute_command]", "execute_command], require_approval: never"))
    coder.script([write()], [execute("cat hello.py")], ["Done."])
    done = coder.run("call", "go")
    assert done.stdout == b"Done.\n"
    assert done.stderr.decode() == (
        '[Tool: write_file("hello.py", "print(\'Hello\')\\n")]\n'
        '[Tool: execute_command("cat hello.py")]\n'
        "Output: print('Hello')\n"
    )


# -- from another terminal


def test_a_waiting_call_is_answered_from_another_terminal(coder, start):
    coder.script([execute("echo one")], [execute("echo two")], ["Done."])
    child = start("chat", "-s", "abc")
    child.expect("> ")
    child.send("go\r")
    child.expect(CHOICES)
    (waiting,) = coder.json("approvals")["approvals"]
    assert (waiting["session_id"], waiting["agent"], waiting["name"]) == ("abc", "coder", "execute_command")
    assert waiting["arguments"] == {"command": "echo one"}
    done = coder.run("approve", waiting["call_id"])
    assert (done.returncode, done.stdout) == (0, b"")
    assert "Approved.\nThe turn goes on where it runs." in done.stderr.decode()
    child.expect("Elsewhere: Approved\\.")
    child.expect("✓ .*Ran echo one")
    child.expect("echo two")
    (line,) = coder.run("approvals", "coder").stdout.decode().splitlines()
    call_id, session, agent, name, _, arguments = line.split("\t")
    assert (session, agent, name, json.loads(arguments)) == ("abc", "coder", "execute_command", {"command": "echo two"})
    assert coder.run("deny", call_id, "--session", "abc").returncode == 0
    child.expect("Elsewhere: Denied\\.")
    child.expect("Done\\.")


def test_a_turn_whose_process_is_gone_goes_on_where_the_word_is_given(coder):
    coder.script([write()])
    call_id = leave_waiting(coder, "abc")
    coder.script([execute()], ["Done."])
    done = coder.run("approve", call_id)
    assert done.returncode == 0
    said = done.stderr.decode()
    assert '[Tool: write_file("hello.py"' in said
    assert (coder.folder / "hello.py").exists()
    (waiting,) = coder.json("approvals", "--session", "abc")["approvals"]
    assert said.splitlines()[-1] == f"The turn waits for another word: hector approve {waiting['call_id']}"
    coder.script(["Done."])
    done = coder.run("deny", waiting["call_id"])
    assert (done.returncode, done.stdout.strip()) == (0, b"Done.")
    assert coder.json("sessions", "show", "abc")["running_turn"] is None


def test_a_turn_that_waits_for_two_words_goes_on_with_the_second(coder):
    coder.script([write(), write(path="other.py")])
    first = leave_waiting(coder, "abc")
    second = coder.json("approvals", "--session", "abc")["approvals"][1]["call_id"]
    coder.script(["Done."])
    done = coder.run("approve", first)
    assert done.returncode == 0
    assert done.stderr.decode().splitlines()[-1] == f"The turn waits for another word: hector approve {second}"
    assert not (coder.folder / "hello.py").exists()
    done = coder.run("approve", second)
    assert (done.returncode, done.stdout.strip()) == (0, b"Done.")
    assert (coder.folder / "hello.py").exists()
    assert (coder.folder / "other.py").exists()


def test_a_turn_waits_for_the_configuration_that_it_began_with_and_says_so(coder, monkeypatch):
    monkeypatch.setattr("hector_nb.frontends.cli.approvals._HEARD_WITHIN", 0.2)
    coder.script([write()])
    call_id = leave_waiting(coder, "abc")
    coder.script(["Done."])
    kept = (coder.folder / "hector.yaml").rename(coder.folder / "other.yaml")
    done = coder.run_here("--config", str(kept), "approve", call_id)
    assert done.returncode == 0
    assert "Your word is kept" in done.stderr.decode()
    assert not (coder.folder / "hello.py").exists()
    kept.rename(coder.folder / "hector.yaml")
    assert coder.json("approvals", "--session", "abc")["approvals"] == []


def test_a_chat_shows_the_turn_that_waits_in_its_session(coder, start):
    coder.script(["Writing.", write()])
    leave_waiting(coder, "abc")
    coder.script(["It is there."])
    child = start("chat", "-s", "abc")
    child.expect("A turn is under way here:")
    child.expect("Writing\\.")
    child.expect("Write this file\\?")
    child.expect(CHOICES)
    child.send("y\r")
    child.expect("✓ .*Wrote hello.py")
    child.expect("It is there\\.")
    child.expect("> ")


def test_nothing_waits(coder):
    done = coder.run_here("approvals")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"Nothing waits.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("approve", "call_1"), "No call 'call_1' waits."),
        (("deny", "call_1"), "hector approvals lists what waits."),
        (("approve", "call_1", "--session", "nowhere"), "There is no session 'nowhere'."),
        (("approvals", "nobody"), "There is no agent 'nobody'."),
    ],
)
def test_what_does_not_wait_cannot_be_answered(coder, arguments, words):
    done = coder.run_here(*arguments)
    assert (done.returncode, done.stdout) == (4, b"")
    assert words in done.stderr.decode()
