"""`hector call` as a program: what goes where, and how it ends."""

import json
import signal

import pytest

ANSWER = ["# Hi\n\n**bo", "ld** \x1b[31m é", " 👋\n"]


def test_the_line_of_the_page_prints_the_answer(home):
    home.script(["Quantum", " computing", " uses qubits."])
    done = home.run("call", "assistant", "Explain quantum computing")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Quantum computing uses qubits.\n", b"")


def test_a_pipe_gets_the_exact_bytes_of_the_answer_and_a_newline(home):
    home.script(ANSWER)
    assert home.run("call", "hi").stdout == "".join(ANSWER).encode() + b"\n"


def test_the_answer_comes_piece_by_piece(home):
    home.script(["first", {"wait_ms": 600_000}, "second"])
    with home.start("call", "hi") as running:
        assert running.stdout.read(5) == b"first"
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130


def test_a_dash_reads_the_message_from_standard_input(home):
    home.run("call", "-s", "chat", "assistant", "-", stdin="zwei\nZeilen é\n".encode())
    messages = home.json("sessions", "show", "chat")["messages"]
    assert messages[0]["content"] == "zwei\nZeilen é"


def test_standard_input_that_is_no_text_is_refused(home):
    done = home.run("call", "-", stdin=b"\xff\xfe")
    assert (done.returncode, done.stderr) == (2, b"Standard input is not UTF-8 text.\n")


def test_json_gives_the_whole_reply(home):
    home.script(ANSWER)
    reply = home.json("call", "hi")
    assert reply["response"] == "".join(ANSWER)
    assert reply["finish_reason"] == "stop"
    assert reply["session_id"].startswith("sess_")
    assert set(reply) == {"session_id", "turn_id", "message_id", "response", "finish_reason", "usage", "tool_calls"}


def test_with_a_session_the_conversation_goes_on(home):
    home.script(["one"], ["two"])
    for text in ("first", "second"):
        assert home.run("call", "--session", "sess_abc123", "assistant", text).returncode == 0
    shown = home.json("sessions", "show", "sess_abc123")
    assert [(m["role"], m["content"]) for m in shown["messages"][:3]] == [
        ("user", "first"),
        ("assistant", "one"),
        ("user", "second"),
    ]


def test_without_a_session_nothing_is_listed(home):
    home.run("call", "hi")
    assert home.json("sessions", "list")["sessions"] == []


def test_what_is_not_the_answer_goes_to_standard_error(home):
    home.script([{"thinking": "Let me see."}, "42"])
    done = home.run("call", "--thinking", "--debug", "hi")
    assert done.stdout == b"42\n"
    assert b"Let me see." in done.stderr
    assert b"[Message: 1]" in done.stderr
    assert b"tokens, stop]" in done.stderr


def test_an_interrupt_stops_the_turn_and_keeps_what_was_said(home):
    home.script(["first", {"wait_ms": 600_000}])
    with home.start("call", "-s", "kept", "hi") as running:
        assert running.stdout.read(5) == b"first"
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (130, b"\n")
    assert err.startswith(b"Stopped")
    messages = home.json("sessions", "show", "kept")["messages"]
    assert [(m["content"], m["status"]) for m in messages] == [("hi", "complete"), ("first", "cancelled")]


def test_an_interrupted_json_call_prints_what_was_said(home):
    home.script(["first", {"wait_ms": 600_000}])
    with home.start("call", "--json", "-s", "kept", "hi") as running:
        wait_for_message(home, "kept")
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=30)
    assert running.returncode == 130
    assert json.loads(out)["finish_reason"] == "cancelled"


def wait_for_message(home, session):
    while b'"content": "hi"' not in home.run("sessions", "show", session, "--json").stdout:
        pass


def test_a_reader_that_leaves_stops_the_turn(home):
    home.script(["x" * 10, {"wait_ms": 300}, *["y" * 70_000] * 3, {"wait_ms": 600_000}])
    with home.start("call", "-s", "left", "hi") as running:
        running.stdout.read(10)
        running.stdout.close()
        err = running.stderr.read()
        assert running.wait(30) == 1
    assert b"Traceback" not in err
    assert home.json("sessions", "show", "left")["messages"][-1]["status"] == "cancelled"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("call", "nobody", "hi"), 4, "There is no agent 'nobody'."),
        (("call", "asistant", "hi"), 4, "There is no agent 'asistant'. Did you mean 'assistant'?"),
        (("call", " "), 2, "The message is empty."),
        (("call", "assistant", "two", "words"), 2, "Put the text in quotes"),
        (("call", "assistant"), 2, "What shall assistant be told?"),
        (("call",), 2, "Missing argument"),
        (("call", "-s", "no/id", "hi"), 2, "`session_id` must be 1 to 64 letters"),
        (("call", "-c", "nowhere.yaml", "hi"), 3, "nowhere.yaml"),
        (("--config", "nowhere.yaml", "call", "hi"), 3, "nowhere.yaml"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_with_its_exit_code(home, arguments, code, words):
    done = home.run(*arguments)
    assert (done.returncode, done.stdout) == (code, b"")
    assert words in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_model_that_fails_keeps_what_it_said_and_ends_with_1(home):
    home.script(["first ", {"error": "model_timeout", "message": "No data for 60 s."}])
    done = home.run("call", "-s", "kept", "hi")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"first \n", b"No data for 60 s.\n")


def test_the_traceback_is_shown_only_on_request(home):
    home.script([{"error": "model_timeout", "message": "No data for 60 s."}])
    assert b"Traceback" not in home.run("call", "hi").stderr
    assert b"Traceback" in home.run("call", "hi", HECTOR_DEBUG="1").stderr


def test_with_several_agents_and_none_called_assistant_one_must_be_named(home):
    home.config("llms: {default: {provider: scripted, model: script.yaml}}\nagents: {coder: {}, writer: {}}\n")
    done = home.run("call", "hi")
    assert done.returncode == 2
    assert b"Name one of them: coder, writer." in done.stderr
    home.config("llms: {default: {provider: scripted, model: script.yaml}}\nagents: {coder: {}}\n")
    assert home.run("call", "hi").returncode == 0


def test_a_call_in_a_session_goes_to_its_agent(home):
    home.config("llms: {default: {provider: scripted, model: script.yaml}}\nagents: {coder: {}, assistant: {}}\n")
    home.run("call", "-s", "codes", "coder", "hi")
    assert home.run("call", "-s", "codes", "again").returncode == 0
    assert home.json("sessions", "show", "codes")["agent"] == "coder"


def test_a_pipe_gets_utf8_whatever_the_locale(home):
    home.script(["é 👋"])
    assert home.run("call", "hi", PYTHONIOENCODING="ascii", LC_ALL="C").stdout == "é 👋\n".encode()
