"""`hector` in a real pseudo-terminal: what people see, and what Ctrl-C does."""

import re
import stat
import sys

import pytest

pexpect = pytest.importorskip("pexpect", reason="pseudo-terminals need a Unix")
from tests.cli.terminal import code  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals need a Unix")
ENDLESS = {"wait_ms": 600_000}
PASTE = "\x1b[200~{}\x1b[201~"


def test_call_names_the_model_and_draws_markdown(home, start):
    home.script(["Some **bo", "ld** text\n\n- it", "em\n"])
    child = start("call", "hi", NO_COLOR="1")
    child.expect("assistant · scripted script.yaml · on this machine")
    child.expect("Some .*bold.* text")
    child.expect(" • .*item")
    assert code(child) == 0


def test_ctrl_c_stops_a_call_and_keeps_what_was_said(home, start):
    home.script(["So far\n\nso good", ENDLESS])
    child = start("call", "-s", "kept", "hi")
    child.expect("so good")
    child.sendintr()
    child.expect("Stopped · ~2 tokens|Stopped · ~\\d+ tokens")
    assert code(child) == 130
    assert home.json("sessions", "show", "kept")["messages"][-1]["status"] == "cancelled"


def test_ctrl_c_before_the_first_token_ends_a_call(home, start):
    home.script([ENDLESS])
    child = start("call", "hi")
    child.expect("Waiting for scripted script.yaml")
    child.sendintr()
    assert code(child) == 130


def test_a_chat_from_greeting_to_goodbye(home, start):
    home.script(["Hello **you**"])
    child = start("chat", "--session", "sess_abc123")
    child.expect("assistant.* · scripted script.yaml")
    child.expect("New session sess_abc123")
    child.expect("> ")
    child.send("hi\r")
    child.expect("Hello .*you")
    child.expect(r"~\d+ tokens · \d+\.\d s")
    child.expect("> ")
    child.send("/memory\r")
    child.expect("of 4,000 tokens")
    child.expect("System prompt")
    child.expect("Long-term memory is off for assistant")
    child.expect("> ")
    child.send("/history\r")
    child.expect("user.*hi.*assistant.*Hello")
    child.expect("> ")
    child.sendeof()
    child.expect("Continue with: hector chat assistant --session sess_abc123")
    assert code(child) == 0


def test_ctrl_c_in_a_chat_stops_the_answer_not_the_program(home, start):
    home.script(["partial", ENDLESS], ["the next answer"])
    child = start("chat", "-s", "kept")
    child.expect("> ")
    child.send("first\r")
    child.expect("partial")
    child.sendintr()
    child.expect("Stopped · ")
    child.expect("> ")
    child.send("second\r")
    child.expect("the next answer")
    child.expect("> ")
    child.sendintr()
    child.expect("Ctrl-D or /quit leaves.")
    child.expect("> ")
    child.send("/quit\r")
    assert code(child) == 0
    messages = home.json("sessions", "show", "kept")["messages"]
    assert [m["status"] for m in messages] == ["complete", "cancelled", "complete", "complete"]


def test_pasted_lines_are_one_message_and_history_is_private(home, start):
    child = start("chat", "-s", "pasted")
    child.expect("> ")
    child.send(PASTE.format("one\rtwo"))
    child.expect("two")
    child.send("\r")
    child.expect("Hello")
    child.expect(r"tokens? · ")
    child.expect("> ")
    child.sendeof()
    assert code(child) == 0
    assert home.json("sessions", "show", "pasted")["messages"][0]["content"] == "one\ntwo"
    history = home.folder / "home" / "history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "two" in history.read_text(encoding="utf-8")


def test_slash_commands(home, start):
    home.config(
        "llms: {default: {provider: scripted, model: script.yaml}}\nagents: {assistant: {}, coder: {description: Writes code}}\n"
    )
    home.run("call", "-s", "older", "hi")
    child = start("chat")
    for typed, answer in [
        ("/help", "/sessions"),
        ("/nonsense", "There is no command /nonsense"),
        ("/agents", "coder.*Writes code"),
        ("/sessions", r"1.*\bhi\b"),
        ("/open 1", "Session older · 2 messages"),
        ("/fork", "Session sess_.*, with the same history.*/open older goes back"),
        ("/history", r"\bhi\b"),
        ("/open older", "Session older · 2 messages"),
        ("/open nowhere", "There is no session 'nowhere'"),
        ("/new", "New session sess_"),
        ("/memory", "Nothing kept yet"),
        ("/fork", "Nothing kept yet"),
        ("/history", "Nothing has been said"),
        ("/agent coder", "coder.*scripted"),
        ("/etc/hosts is a file", "Hello"),
    ]:
        child.expect("> ")
        child.send(f"{typed}\r")
        child.expect(answer)
    child.expect("> ")
    child.send("/quit\r")
    assert code(child) == 0
    assert home.json("sessions", "list", "--agent", "coder")["sessions"][0]["title"] == "/etc/hosts is a file"


def test_memory_in_a_chat(home, start):
    home.config(
        "llms: {default: {provider: scripted, model: script.yaml}}\n"
        "agents: {assistant: {memory: {longterm: {storage_scope: conversational}}}}\n"
    )
    home.script(["Noted."])
    home.run_here("call", "-s", "older", "The stores in North opened in October.")
    (memory,) = home.json("memory", "show")["longterm"]["memories"]
    child = start("chat", "-s", "newer")
    for typed, answer in [
        ("When did the North stores open?", "Noted"),
        ("/memory", r"of 4,000 tokens(.|\n)*Memories(.|\n)*North opened in October(.|\n)*scope conversational"),
        ("/why", rf"{memory['memory_id']}(.|\n)*words"),
        ("/memory October stores", r"\d\.\d\d(.|\n)*North opened in October"),
        ("/forget", "Which memory"),
        ("/forget mem_1", "There is no memory 'mem_1'"),
        (f"/forget {memory['memory_id']}", "Forgotten: “The stores in North opened"),
        ("/memory", "1 memory|Nothing kept yet"),
    ]:
        child.expect("> ")
        child.send(f"{typed}\r")
        child.expect(answer)
    child.expect("> ")
    child.send("/quit\r")
    assert code(child) == 0
    assert memory["memory_id"] not in {m["memory_id"] for m in home.json("memory", "show")["longterm"]["memories"]}


def test_a_chat_without_a_message_leaves_no_session(home, start):
    child = start("chat")
    child.expect("> ")
    child.sendeof()
    assert code(child) == 0
    assert home.json("sessions", "list")["sessions"] == []


def test_what_is_typed_while_an_answer_comes_does_not_disturb_it_and_is_not_lost(home, start):
    home.script(["begun ", {"wait_ms": 1500}, "ended"], ["again"])
    child = start("chat", "-s", "typed")
    child.expect("> ")
    child.send("first\r")
    child.expect("begun")
    child.send("second\r")
    child.expect("ended")
    assert "second" not in child.before
    child.expect("> .*second")
    child.expect("again")
    child.expect("> ")
    child.sendeof()
    assert code(child) == 0


def test_an_error_leaves_the_chat_open(home, start):
    home.script([{"error": "model_timeout", "message": "No data for 60 s."}], ["better"])
    child = start("chat")
    for answer in ("No data for 60 s.", "better"):
        child.expect("> ")
        child.send("hi\r")
        child.expect(answer)
    child.expect("> ")
    child.sendeof()
    assert code(child) == 0


def test_a_dumb_terminal_gets_plain_and_safe_text(home, start):
    home.script(["**bold** \x1b]0;ow", "ned\x07text"])
    child = start("call", "hi", TERM="dumb")
    child.expect(pexpect.EOF)
    assert "**bold** text" in child.before
    assert "\x1b" not in child.before


def test_hostile_text_does_not_reach_the_terminal(home, start):
    home.script(["a\x1b", "]0;owned\x07b \x1b[2Jc \u202ed"])
    child = start("call", "hi", NO_COLOR="1")
    child.expect(pexpect.EOF)
    assert "ab c d" in child.before
    assert not re.search("owned|\x1b\\[2J|\u202e", child.before)


def test_deleting_asks_first(home, start):
    home.run("call", "-s", "abc", "hi")
    child = start("sessions", "delete", "abc")
    child.expect("abc · hi · 2 messages")
    child.expect("Erase this")
    child.send("n\r")
    assert code(child) == 1
    child = start("sessions", "delete", "abc")
    child.expect("Erase this")
    child.send("y\r")
    assert code(child) == 0
    assert home.json("sessions", "list")["sessions"] == []


def test_lists_fit_a_narrow_terminal(home, start):
    home.run("call", "-s", "abc", "hi")
    child = start("sessions", "list", COLUMNS="40")
    child.expect("SESSION")
    child.expect("abc")
    assert code(child) == 0
