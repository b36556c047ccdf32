"""The other commands as programs."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from hector_nb.frontends.cli.app import app
from tests.cli import terminal
from tests.cli.conftest import PROGRAM

COMMANDS = [
    *(
        [],
        ["call"],
        ["chat"],
        ["serve"],
        ["agents"],
        ["validate"],
        ["schema"],
        ["trust"],
        ["models"],
        ["models", "fetch"],
        ["approvals"],
        ["approve"],
        ["deny"],
    ),
    *(
        ["memory"],
        ["memory", "show"],
        ["memory", "search"],
        ["memory", "correct"],
        ["memory", "forget"],
        ["memory", "reindex"],
    ),
    *(["sessions"], *(["sessions", each] for each in ("list", "show", "fork", "export", "end", "delete"))),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command):
    done = CliRunner().invoke(app, [*command, "--help"], prog_name="hector")
    assert done.exit_code == 0
    assert f"Usage: {' '.join(['hector', *command])}" in done.stdout


def test_the_exit_codes_are_in_the_help(home):
    text = " ".join(home.run("--help").stdout.decode().split())
    assert "0 done, 1 failed" in text
    assert "130 interrupted" in text


def test_help_loads_nothing_heavy(home):
    code = "import sys; sys.argv = ['hector', '--help']\nfrom hector_nb.frontends.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=home.env, cwd=home.folder)
    loaded = set(done.stdout.decode().split())
    assert "typer" in loaded
    assert not loaded & {
        "pydantic",
        "tornado",
        "aiohttp",
        "apsw",
        "asyncio",
        "numpy",
        "prompt_toolkit",
        "yaml",
        "IPython",
    }


def test_the_version(home):
    from hector_nb import __version__

    assert home.run("--version").stdout.decode() == f"hector {__version__}\n"


def test_agents_with_their_models(home):
    assert (
        home.run_here("agents").stdout.decode()
        == "assistant\tscripted script.yaml · on this machine\t\tsummary_buffer 4,000\tAnswers questions\n"
    )
    assert home.json("agents")["agents"][0]["name"] == "assistant"


def test_agents_with_their_tools_and_memory(home):
    home.config(
        "llms: {default: {provider: scripted, model: script.yaml}}\nagents: {coder: {tools: [write_file, execute_command], "
        "memory: {working: {strategy: token_window, budget: 900}, longterm: {storage_scope: conversational}}}}\n"
    )
    _, _, tools, memory, _ = home.run_here("agents").stdout.decode().split("\t")
    assert (tools, memory) == ("write_file execute_command", "token_window 900 · keeps conversational")


def test_models_says_which_and_why(home):
    home.config(
        "llms: {default: {provider: scripted, model: script.yaml}}\nagents: {a: {llm: default}, assistant: {}}\n"
    )
    said = home.json("models")
    assert [(agent["model"], agent["reason"]) for agent in said["agents"]] == [
        ("scripted script.yaml", "the agent's `llm: default`"),
        ("scripted script.yaml", "`llms.default`"),
    ]
    assert [choice["provider"] for choice in said["available"]] == ["openai", "anthropic", "google", "ollama", "local"]
    assert [choice["available"] for choice in said["available"]] == [False, False, False, False, True]
    assert said["embedded"]["fetched"] is False
    assert b"is not here yet" in home.run("models").stdout


def test_without_configuration_a_key_in_the_environment_decides(home):
    home.config("agents: {}\n")
    done = home.run("models", "--json", ANTHROPIC_API_KEY="secret")
    agent = json.loads(done.stdout)["agents"][0]
    assert (agent["provider"], agent["host"]) == ("anthropic", "api.anthropic.com")
    assert agent["reason"] == "no `llm` is set; anthropic is the first that is available; in its own protocol"
    assert b"secret" not in done.stdout + done.stderr


def test_an_agent_whose_model_cannot_call_its_tools_is_told_of(home):
    home.config("llms: {small: {provider: local}}\nagents: {coder: {llm: small, tools: [write_file]}}\n")
    agent = home.json("models")["agents"][0]
    assert agent["reason"] == "the agent's `llm: small`; it cannot call this agent's tools"


def test_sessions_page_by_page(home):
    for number in range(3):
        home.run("call", "-s", f"s{number}", "hi")
    first = home.run("sessions", "list", "--limit", "2")
    assert [line.split(b"\t")[0] for line in first.stdout.splitlines()] == [b"s2", b"s1"]
    cursor = first.stderr.decode().split("--cursor ")[1].strip()
    second = home.run("sessions", "list", "--limit", "2", "--cursor", cursor)
    assert [line.split(b"\t")[0] for line in second.stdout.splitlines()] == [b"s0"]
    assert second.stderr == b""
    assert home.run("sessions", "list", "--agent", "nobody").returncode == 4
    assert home.run("sessions", "list", "--cursor", "nonsense").returncode == 2


def test_a_session_is_shown_as_it_was_said(home):
    home.script(["**Hi**\n\n- a"])
    home.run("call", "-s", "abc", "Hello *there*")
    assert home.run("sessions", "show", "abc").stdout == b"user\nHello *there*\n\nassistant\n**Hi**\n\n- a\n"
    assert home.run("sessions", "show", "nope").returncode == 4


def test_a_session_is_deleted_only_when_that_is_sure(home):
    home.run("call", "-s", "abc", "hi")
    refused = home.run("sessions", "delete", "abc")
    assert refused.returncode == 2
    assert b"Add --yes." in refused.stderr
    assert home.run("sessions", "delete", "abc", "--yes").returncode == 0
    assert home.run("sessions", "show", "abc").returncode == 4
    assert home.run("sessions", "delete", "abc", "--yes").returncode == 4


def test_validate_prints_every_problem_at_once(home):
    home.config(
        "llms: {default: {provider: scripted, model: script.yaml}}\nagents:\n  a: {strategi: 1}\n  b: {llm: nope}\n"
    )
    done = home.run("validate")
    assert done.returncode == 1
    assert b"hector.yaml:3" in done.stderr
    assert b"hector.yaml:4" in done.stderr
    home.config("agents: {}\n")
    assert (good := home.run("validate", "hector.yaml")).returncode == 0
    assert b"OK" in good.stdout


def test_validate_takes_its_file_as_every_command_does_too(home):
    home.config("agents: {}\n")
    (home.folder / "broken.yaml").write_text("agents: {a: {llm: nope}}\n")
    assert home.run_here("validate", "-c", "hector.yaml").stdout == home.run_here("validate", "hector.yaml").stdout
    assert home.run_here("validate", "--config", "broken.yaml").returncode == 1
    both = home.run_here("validate", "-c", "hector.yaml", "broken.yaml")
    assert both.returncode == 2
    assert b"Name one file" in both.stderr


@pytest.mark.parametrize(
    "command", ["models", "models fetch", "memory reindex", "trust", "validate", "schema", "serve", "migrate"]
)
def test_a_server_is_refused_by_what_works_on_this_machine(home, command):
    done = home.run_here(*command.split(), "--server=http://x")
    assert done.returncode == 2
    told = " ".join(done.stderr.decode().replace("│", " ").split())
    assert f"`hector {command}` works on this machine, not on a server." in told


@pytest.mark.parametrize(
    "command",
    ["models", "models fetch", "memory reindex", "trust hector.yaml", "validate", "schema", "serve", "migrate a b"],
)
def test_a_server_that_is_named_before_them_is_refused_too(home, command):
    home.config("agents: {}\n")
    done = home.run_here("--server=http://x", *command.split())
    assert done.returncode == 2
    assert "works on this machine, not on a" in done.stderr.decode()
    assert done.stdout == b""


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX closes the streams")
@pytest.mark.parametrize(("closed", "said"), [(">&-", b""), ("2>&-", b"Hello\n"), ("<&-", b"Hello\n")])
def test_a_stream_that_is_closed_gets_nothing_and_harms_nothing(home, closed, said):
    shell = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *PROGRAM, "call", "--session", "plan", "Hi"],
        env=home.env,
        cwd=home.folder,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (shell.returncode, shell.stdout, shell.stderr) == (0, said, b"")
    assert home.run("sessions", "show", "plan").stdout.endswith(b"Hello\n")


def test_a_server_that_is_named_inside_a_command_is_told_where_it_belongs(home):
    done = home.run_here("sessions", "--server=http://x", "list")
    assert done.returncode == 2
    assert "hector --server URL" in done.stderr.decode()


def test_a_terminal_shows_of_each_agent_what_it_has_and_cuts_nothing(home, start):
    home.config(
        "llms: {default: {provider: local}}\nagents:\n  assistant: {}\n"
        "  coder: {tools: [write_file, read_file, list_files, execute_command], memory: {longterm: {storage_scope: conversational}}}\n"
    )
    child = start("agents")
    assert terminal.code(child) == 0
    assistant, coder = child.before.split("coder")
    assert "tools" not in assistant
    assert "SmolLM2-135M-Instruct · on this machine" in coder
    assert "write_file read_file list_files execute_command" in coder
    assert "summary_buffer 1,500 · keeps conversational" in coder


def test_validate_finds_every_budget_that_is_smaller_than_its_system_prompt(home):
    home.config(
        "llms: {small: {provider: local}}\nagents:\n  a: {memory: {working: {budget: 3}}}\n"
        "  b: {}\n  c: {memory: {working: {budget: 2}}}\n"
    )
    done = home.run("validate")
    assert done.returncode == 1
    assert b"agents.a.memory.working.budget: the system prompt has" in done.stderr
    assert b"agents.c.memory.working.budget: the system prompt has" in done.stderr
    assert b"agents.b" not in done.stderr


def test_the_schema_is_json(home):
    assert "agents" in json.loads(home.run("schema").stdout)["properties"]


def test_a_trusted_file_may_use_the_environment_until_it_changes(home):
    home.config("llms: {default: {provider: scripted, model: '${SCRIPT:-script.yaml}'}}\n")
    del home.env["HECTOR_CONFIG"]
    refused = home.run("call", "hi")
    assert refused.returncode == 3
    assert b"hector trust" in refused.stderr
    assert home.run("trust", "hector.yaml").returncode == 0
    assert home.run("call", "hi").stdout == b"Hello\n"
    home.config("llms: {default: {provider: scripted, model: '${SCRIPT:-script.yaml}'}}\n# changed\n")
    assert home.run("call", "hi").returncode == 3


def test_serve_says_what_is_wrong_with_its_options(home):
    done = home.run("serve", "--host", "0.0.0.0", "--no-token", "--port", "0")
    assert done.returncode == 3
    assert b"127.0.0.1" in done.stderr


def test_chat_from_a_pipe_answers_every_line(home):
    home.script(["one"], ["two"])
    done = home.run("chat", "--session", "piped", stdin=b"first\n\n/second")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"one\ntwo\n", b"")
    messages = home.json("sessions", "show", "piped")["messages"]
    assert [m["content"] for m in messages] == ["first", "one", "/second", "two"]


def test_chat_from_a_pipe_goes_on_after_a_failure_and_says_so_in_its_exit_code(home):
    home.script([{"error": "model_timeout", "message": "No data."}], ["two"])
    done = home.run("chat", stdin=b"first\nsecond\n")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"two\n", b"No data.\n")


def test_chat_finds_the_agent_of_a_session(home):
    home.config("llms: {default: {provider: scripted, model: script.yaml}}\nagents: {coder: {}, assistant: {}}\n")
    home.run("call", "-s", "codes", "coder", "hi")
    home.run("chat", "-s", "codes", stdin=b"again\n")
    assert home.json("sessions", "show", "codes")["message_count"] == 4
    refused = home.run("chat", "assistant", "-s", "codes", stdin=b"again\n")
    assert refused.returncode == 1
    assert b"coder" in refused.stderr


def test_validate_warns_of_tools_that_the_embedded_model_cannot_call(home):
    home.config(
        "llms: {small: {provider: local}}\nagents: {coder: {llm: small, tools: [read_file]}, plain: {llm: small}}\n"
    )
    done = home.run_here("validate")
    assert done.returncode == 0
    assert "Warning: agents.coder.tools: the embedded model cannot call tools" in done.stderr.decode()
    assert "plain" not in done.stderr.decode()


def test_validate_warns_of_a_file_that_wants_trust_where_it_is_found(home):
    home.config("agents: {coder: {tools: [here]}}\ntools: {here: {type: function, function: 'mine:tool'}}\n")
    told = home.run_here("validate", "hector.yaml").stderr.decode()
    assert "Where it is just found, run first: hector trust" in " ".join(told.split())
    home.config("agents: {coder: {}}\n")
    assert home.run_here("validate", "hector.yaml").stderr == b""


def test_the_shell_completes_agents(home):
    home.config("agents: {coder: {}, clerk: {}, writer: {}}\n")
    done = home.run(_HECTOR_COMPLETE="complete_bash", COMP_WORDS="hector chat c", COMP_CWORD="2")
    assert done.stdout.split() == [b"coder", b"clerk"]
