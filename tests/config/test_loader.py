"""Which file is read, and what it may hold."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hector_nb.config.loader import load_config
from hector_nb.config.schema import Config
from hector_nb.errors import ConfigError
from tests.config.conftest import loaded
from tests.config.test_errors import TABLE
from tests.config.test_page_examples import EXAMPLES


def write(path: Path, agent: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"agents: {{{agent}: {{}}}}\n", encoding="utf-8")
    return path


def test_without_any_file_there_is_one_agent(folder):
    found = load_config(environ={}, cwd=folder)
    assert list(found.config.agents) == ["assistant"]
    assert found.config.model_copy(update={"agents": {}}) == Config()
    assert (found.path, found.named, found.folder) == (None, False, folder)


def test_the_named_file_comes_first_then_the_variable_then_the_folder_then_the_users(folder, user):
    named, variable = write(folder / "named.yaml", "named"), write(folder / "variable.yaml", "variable")
    found, users = write(folder / "hector.yaml", "found"), write(user / "config/hector_nb/hector.yaml", "users")
    environ = {"HECTOR_CONFIG": "variable.yaml"}

    def agent(explicit, environ):
        result = load_config(explicit, environ=environ, cwd=folder)
        assert result.path is not None
        assert result.folder == result.path.parent
        return next(iter(result.config.agents)), result.path, result.named

    assert agent("named.yaml", environ) == ("named", named, True)
    assert agent(named, {}) == ("named", named, True)
    assert agent(None, environ) == ("variable", variable, True)
    assert agent(None, {"HECTOR_CONFIG": ""}) == ("found", found, False)
    found.unlink()
    assert agent(None, {}) == ("users", users, True)


def test_the_nearest_parent_with_a_file_is_found(folder):
    write(folder / "hector.yaml", "far")
    near = write(folder / "a/hector.yaml", "near")
    (folder / "a/b/c").mkdir(parents=True)
    found = load_config(environ={}, cwd=folder / "a/b/c")
    assert (found.path, found.folder, found.named) == (near, folder / "a", False)


def test_the_users_file_is_named_also_where_it_is_found_in_the_working_directory(user):
    users = write(user / "config/hector_nb/hector.yaml", "users")
    assert load_config(environ={}, cwd=users.parent).named


def test_the_process_supplies_environment_and_working_directory(folder, monkeypatch):
    write(folder / "hector.yaml", "found")
    monkeypatch.chdir(folder)
    assert list(load_config().config.agents) == ["found"]
    monkeypatch.setenv("HECTOR_CONFIG", str(write(folder / "other.yaml", "other")))
    assert list(load_config().config.agents) == ["other"]


def test_a_folder_of_that_name_is_no_configuration(folder):
    (folder / "hector.yaml").mkdir()
    assert load_config(environ={}, cwd=folder).path is None


def test_a_named_file_that_is_missing_is_an_error(folder):
    with pytest.raises(ConfigError) as caught:
        load_config("none.yaml", environ={}, cwd=folder)
    assert caught.value.problems == ("none.yaml: there is no such file",)

    with pytest.raises(ConfigError):
        load_config(environ={"HECTOR_CONFIG": "none.yaml"}, cwd=folder)


def test_a_server_without_its_scheme_is_told_from_a_file(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config("127.0.0.1:8080", environ={}, cwd=tmp_path)
    assert "there is no such file; if it is a server, its address is http://127.0.0.1:8080" in str(caught.value)


def test_a_named_folder_is_an_error(folder):
    with pytest.raises(ConfigError) as caught:
        load_config(folder, environ={}, cwd=folder.parent)
    assert caught.value.problems == ("work: this is a folder, not a file",)


def test_a_file_that_cannot_be_read_is_an_error(folder, monkeypatch):
    path = write(folder / "hector.yaml", "a")

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ={}, cwd=folder)
    assert caught.value.problems == ("hector.yaml: cannot be read: Permission denied",)


def test_a_name_that_is_none_is_an_error(folder):
    with pytest.raises(ConfigError) as caught:
        load_config("a\0b", environ={}, cwd=folder)
    assert "cannot be read" in caught.value.problems[0]


def test_a_home_of_nobody_is_a_name_like_any_other(folder):
    with pytest.raises(ConfigError) as caught:
        load_config("~nobody-of-this-name/h.yaml", environ={}, cwd=folder)
    assert caught.value.problems == ("~nobody-of-this-name/h.yaml: there is no such file",)


def test_a_working_directory_that_is_gone_is_an_error(folder, monkeypatch):
    (folder / "gone").mkdir()
    monkeypatch.chdir(folder / "gone")
    (folder / "gone").rmdir()
    with pytest.raises(ConfigError, match="The working directory is gone"):
        load_config()


def test_an_endless_file_is_an_error(folder):
    if not Path("/dev/zero").exists():
        pytest.fail("this system has no /dev/zero to read from")
    with pytest.raises(ConfigError) as caught:
        load_config("/dev/zero", environ={}, cwd=folder)
    assert caught.value.problems == ("/dev/zero: the file is larger than 256 KiB",)


def test_a_file_outside_the_working_directory_is_told_with_its_whole_path(folder):
    (folder / "sub").mkdir()
    (folder / "hector.yaml").write_text("agent: {}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(environ={}, cwd=folder / "sub")
    assert caught.value.problems == (f"{folder}/hector.yaml:1: agent: unknown key; did you mean 'agents'?",)
    assert str(caught.value) == caught.value.problems[0]
    assert caught.value.details == {"problems": list(caught.value.problems)}


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing\n", "---\n", "{}\n", "null\n", "\ufeff", "agents:\n", "agents: {}\n"]
)
def test_an_empty_file_is_the_configuration_without_a_file(text, load, folder):
    assert load(text) == load_config(environ={}, cwd=folder.parent).config


def test_a_file_without_agents_has_the_assistant(load):
    config = load("llms: {main: {provider: openai}}\nsessions: {timeout: 5m}\n")
    assert list(config.agents) == ["assistant"]
    assert config.sessions.timeout == 300


def test_relative_paths_start_at_the_files_folder(folder, user, monkeypatch):
    (folder / "sub").mkdir()
    (folder / "sub/hector.yaml").write_text("")
    found = load_config("sub/hector.yaml", environ={}, cwd=folder)
    assert found.resolve("model.gguf") == folder / "sub/model.gguf"
    assert found.resolve("/model.gguf") == Path("/model.gguf")
    assert found.resolve("~/model.gguf") == user / "model.gguf"


def test_a_repeated_agents_block_is_merged(load):
    config = load(
        "agents:\n  a: {description: A}\nserver: {port: 1}\nagents:\n  b: {description: B}\nagents:\n  c: {}\n"
    )
    assert [(name, agent.description) for name, agent in config.agents.items()] == [("a", "A"), ("b", "B"), ("c", "")]
    assert config.server.port == 1


def test_an_empty_agents_block_is_merged_too(load):
    assert list(load("agents:\nserver:\nagents:\n  a: {}\n").agents) == ["a"]
    assert list(load("agents:\n  a: {}\nagents:\n").agents) == ["a"]


def test_anchors_and_merge_keys_work(load):
    config = load(
        """\
agents:
  a: &base
    description: base
    reasoning: &reasoning {show_thinking: true}
    tools: &tools [search]
  b:
    <<: *base
    description: b
  c:
    <<: [{description: first}, *base]
    tools: *tools
  d:
    reasoning:
      <<: *reasoning
      max_iterations: 3
"""
    )
    assert config.agents["b"].description == "b"
    assert config.agents["b"].reasoning.show_thinking
    assert config.agents["c"].description == "first"
    assert config.agents["c"].tools == ("search",)
    assert (config.agents["d"].reasoning.show_thinking, config.agents["d"].reasoning.max_iterations) == (True, 3)


def test_what_is_left_empty_is_an_empty_block_or_list(load):
    config = load(
        "llms:\nserver:\n  tokens:\nagents:\n  a:\n  b:\n    tools:\n    llm:\n    memory:\n      working:\n      longterm:\n"
    )
    assert config.llms == {}
    assert config.server.tokens == {}
    assert config.agents["a"].memory.longterm is None
    assert config.agents["b"].tools == ()
    assert config.agents["b"].memory.longterm is not None


def test_a_null_says_that_there_is_none(load):
    config = load("agents: {a: {memory: {longterm: null}, sessions: ~, llm: null}}")
    assert config.agents["a"].memory.longterm is None
    assert config.agents["a"].sessions is None


def test_keys_are_texts_as_they_are_written(load):
    config = load("agents: {yes: {}, 007: {}, 1.0: {}}\nserver: {tokens: {12345: ada, null: bob}}\n")
    assert list(config.agents) == ["yes", "007", "1.0"]
    assert config.server.tokens == {"12345": "ada", "null": "bob"}


def test_dates_are_texts_and_words_are_truth_values_as_in_yaml_1_1(load):
    agent = load("agents: {a: {description: 2024-01-01, reasoning: {show_thinking: on, enable_streaming: No}}}").agents[
        "a"
    ]
    assert (agent.description, agent.reasoning.show_thinking, agent.reasoning.enable_streaming) == (
        "2024-01-01",
        True,
        False,
    )


def test_numbers_and_lists_land_as_the_schema_wants_them(load):
    config = load(
        "llms: {a: {provider: openai, temperature: 1, timeout: 30, thinking: low}, b: {provider: local, thinking: true}}\n"
        "tools: {execute_command: {allow: [ls, cat], max_output: 10_000}}\n"
    )
    assert config.llms["a"].temperature == 1.0
    assert config.llms["a"].timeout == 30.0
    assert (config.llms["a"].thinking, config.llms["b"].thinking) == ("low", True)
    assert config.tools["execute_command"].allow == ("ls", "cat")
    assert config.tools["execute_command"].max_output == 10_000


def test_every_kind_of_tool_takes_its_settings(load):
    config = load(
        """\
tools:
  write_file: {root: out, max_size: 1000, require_approval: never}
  read_file: {root: in}
  list_files: {root: in, max_output: 100}
  execute_command: {root: ., allow: [ls], shell: false, timeout: 10s, require_approval: rules, approval_timeout: 1m}
  search: {folders: [notes], require_approval: always}
  agent_call: {max_depth: 2}
  files: {type: mcp, command: [npx, server], env: {HOME: /tmp}}
  remote: {type: mcp, url: https://example.org/mcp}
  add: {type: function, function: "my.tools:add", timeout: 5}
agents:
  a: {tools: [write_file, read_file, list_files, execute_command, search, agent_call, files, remote, add], require_approval: always}
"""
    )
    assert len(config.agents["a"].tools) == len(config.tools) == 9


@pytest.mark.parametrize(
    "url",
    ["sqlite:///a.db", "sqlite:////a/b.db", "sqlite:///~/a.db", "postgresql://u:p@h/db", "postgres://h/db"],
)
def test_stores_that_exist_may_be_named(url, load):
    assert load(f"storage: {{url: '{url}'}}").storage.url == url


@pytest.mark.parametrize("origin", ["https://example.org", "http://localhost:3000", "vscode-webview://abc"])
def test_origins_may_be_allowed(origin, load):
    assert load(f"server: {{allow_origins: ['{origin}']}}").server.allow_origins == (origin,)


def test_variables_are_filled_in(load):
    config = load(
        "agents:\n  a:\n    description: ${GREETING}, ${NAME:-you}!\n    instruction: '$${NAME} costs $5, $$'\n",
        {"GREETING": "Hello"},
    )
    assert config.agents["a"].description == "Hello, you!"
    assert config.agents["a"].instruction == "${NAME} costs $5, $$"


def test_a_default_stands_for_a_variable_that_is_unset_or_empty(load):
    text = "agents: {a: {description: '${X:-some text: here}'}}"
    assert load(text, {}).agents["a"].description == "some text: here"
    assert load(text, {"X": ""}).agents["a"].description == "some text: here"
    assert load(text, {"X": "set"}).agents["a"].description == "set"
    assert load("agents: {a: {description: 'x${X}'}}", {"X": ""}).agents["a"].description == "x"


def test_a_variable_that_stands_alone_takes_the_type_that_is_wanted(load):
    config = load(
        "server:\n  port: ${PORT}\n  grpc_port: ${GRPC:-50051}\n  token: ${PORT}\n  host: ${PORT}\n"
        "llms:\n  a:\n    provider: ${PROVIDER}\n    temperature: ${WARM}\n    timeout: ${WAIT}\n    thinking: ${THINK}\n"
        "agents:\n  a:\n    reasoning:\n      show_thinking: ${THINK}\n    streaming:\n      chunk_size: ${NONE:-}\n",
        {"PORT": "8081", "PROVIDER": "openai", "WARM": "1", "WAIT": "90", "THINK": "yes"},
    )
    assert (config.server.port, config.server.grpc_port, config.server.host) == (8081, 50051, "8081")
    assert config.server.token is not None
    assert config.server.token.get_secret_value() == "8081"
    assert (config.llms["a"].temperature, config.llms["a"].timeout, config.llms["a"].thinking) == (1.0, 90.0, True)
    assert config.agents["a"].reasoning.show_thinking
    assert config.agents["a"].streaming.chunk_size is None


@pytest.mark.parametrize("written", ["'${PORT}'", '"${PORT}"', "8${PORT}"])
def test_a_variable_in_quotes_or_among_other_text_stays_text(written, problems):
    assert problems(f"server: {{}}\nagents:\n  a:\n    streaming:\n      delay_ms: {written}\n", {"PORT": "1"}) == [
        "hector.yaml:5: agents.a.streaming.delay_ms: expected a whole number, which the value of '"
        + written.strip("'\"")
        + "' is not"
    ]


def test_a_variable_cannot_bring_structure(load):
    environ = {"X": "a\nserver: {port: 1}\n"}
    config = load("agents: {a: {description: '${X}'}}\n", environ)
    assert config.agents["a"].description == environ["X"]
    assert config.server.port == 8080
    assert load("agents:\n  a:\n    description: ${X}\n", {"X": "[1, 2]"}).agents["a"].description == "[1, 2]"


def test_a_value_of_the_environment_that_is_not_utf_8_is_told(problems):
    assert problems("agents:\n  a:\n    description: ${X}\n", {"X": "caf\udce9"}) == [
        "hector.yaml:3: agents.a.description: this text holds a NUL or half a character (a lone surrogate)"
    ]


def test_tokens_may_be_variables(load):
    config = load('server: {tokens: {"${ADA}": ada}}\n', {"ADA": "s3cret"})
    assert config.server.tokens == {"s3cret": "ada"}


def test_a_variable_that_only_looks_like_a_number_is_text(problems):
    assert problems("server:\n  port: ${PORT}\n", {"PORT": "0x_"}) == [
        "hector.yaml:2: server.port: expected a whole number, which the value of '${PORT}' is not"
    ]


def test_a_variable_of_the_wrong_kind_is_told_by_its_name(problems):
    text = "server:\n  port: ${PORT}\nllms:\n  a:\n    provider: ${PROVIDER}\n    timeout: ${WAIT}\n"
    assert problems(text, {"PORT": "70000", "PROVIDER": "opnai", "WAIT": "soon"}) == [
        "hector.yaml:2: server.port: must be at most 65535",
        "hector.yaml:5: llms.a.provider: unknown value '${PROVIDER}'; "
        "known values: openai, anthropic, google, ollama, openai-compatible, local, scripted",
        "hector.yaml:6: llms.a.timeout: expected a duration such as 30s, 5m or 24h, not '${WAIT}'",
    ]


def check_that_it_loads_or_says_why(folder, content):
    problems = None
    try:
        loaded(folder, content, {"A": "5"})
    except ConfigError as error:
        problems = error.problems
    assert problems is None or (problems and all(problem.count("\n") == 0 for problem in problems))


SEEDS = [row[1] if isinstance(row[1], str) else row[1].decode("latin-1") for row in TABLE if len(row[1]) < 1000]
SEEDS.append(EXAMPLES.read_text(encoding="utf-8")[:2000])
SCALARS = st.one_of(
    st.text("ab${}:-&*!<>[]{}'\"#|%@\n\t \u2028\ud800é", max_size=12),
    st.sampled_from(["yes", "5", "5m", "~", "${A}", "*a", "&a x"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_file_holds_nothing_but_a_config_error_is_raised(data, folder):
    seed = data.draw(st.sampled_from(SEEDS))
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 20)))
    text = seed[:start] + data.draw(SCALARS) + seed[end:]
    check_that_it_loads_or_says_why(folder, text.encode("utf-8", "surrogatepass"))


KEYS = st.sampled_from(
    [
        "agents",
        "llms",
        "tools",
        "server",
        "sessions",
        "storage",
        "a",
        "memory",
        "working",
        "longterm",
        "provider",
        "type",
        "function",
        "command",
        "url",
        "env",
        "strategy",
        "timeout",
        "reasoning",
        "streaming",
        "tokens",
        "port",
        "allow_origins",
        "llm",
        "summarizer",
        "<<",
    ]
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(["mcp", "openai", "5m", "${A}", "a"]),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(KEYS, VALUES, max_size=5))
def test_whatever_the_data_is_nothing_but_a_config_error_is_raised(data, folder):
    check_that_it_loads_or_says_why(folder, json.dumps(data))


def test_the_search_survives_a_folder_that_may_not_be_read(folder, monkeypatch):
    real = os.stat

    def refuse(path, *args, **kwargs):
        if str(path).endswith("hector.yaml"):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    write(folder / "hector.yaml", "a")
    monkeypatch.setattr(os, "stat", refuse)
    assert load_config(environ={}, cwd=folder).path is None
