"""What may stand in a configuration, apart from files."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from hector_nb.config.schema import BUILTIN_TOOLS, AgentConfig, Config, ServerConfig, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("24h", 86400),
        ("7d", 604800),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        (2, 2),
        (0.5, 0.5),
    ],
)
def test_durations_are_seconds(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("written", ["", "5", "5x", "m", "-5m", "5 m", "1h 30m", True, None, [], "5m5", "٣s"])
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(written)


@pytest.mark.parametrize("written", [-1, float("nan"), float("inf"), 10**400, "36501d", "9" * 400 + "d"])
def test_durations_have_bounds(written):
    with pytest.raises(ValueError, match="from 0 to 36500d"):
        parse_duration(written)


def test_the_defaults_are_those_of_the_contract():
    agent, config = AgentConfig(), Config()
    working = agent.memory.working
    assert (working.strategy, working.window_size, working.budget) == ("summary_buffer", 20, None)
    assert (working.threshold, working.target, working.summarizer) == (0.8, 0.6, None)
    assert agent.memory.longterm is None
    reasoning = agent.reasoning
    assert (reasoning.enable_streaming, reasoning.show_tool_execution, reasoning.max_iterations) == (True, True, 25)
    assert (reasoning.show_thinking, reasoning.show_debug_info) == (False, False)
    streaming = agent.streaming
    assert (streaming.chunk_size, streaming.delay_ms, streaming.buffer_size) == (None, 0, 1024)
    assert (streaming.heartbeat, streaming.on_disconnect, streaming.resume_grace) == (5, "cancel", 15)
    assert (config.sessions.timeout, config.sessions.max_duration, config.sessions.keep_events) == (None, None, 3600)
    assert (config.server.host, config.server.port, config.server.grpc_port) == ("127.0.0.1", 8080, None)
    assert config.storage.url is None


def test_longterm_memory_is_on_once_the_block_is_there():
    longterm = Config.model_validate({"agents": {"a": {"memory": {"longterm": {}}}}}).agents["a"].memory.longterm
    assert longterm is not None
    assert (longterm.enabled, longterm.storage_scope, longterm.recall_limit) == (True, "session", 5)


def test_an_agent_overrides_sessions_key_by_key():
    config = Config.model_validate(
        {
            "sessions": {"timeout": "30m", "max_duration": "24h"},
            "agents": {"short": {"sessions": {"timeout": "1m"}}, "plain": {}, "never": {"sessions": {"timeout": None}}},
        }
    )
    assert (config.sessions_of("short").timeout, config.sessions_of("short").max_duration) == (60, 86400)
    assert (config.sessions_of("plain").timeout, config.sessions_of("plain").max_duration) == (1800, 86400)
    assert (config.sessions_of("never").timeout, config.sessions_of("never").max_duration) == (None, 86400)


def test_a_configuration_does_not_show_its_secrets():
    config = Config.model_validate(
        {
            "llms": {"a": {"provider": "openai", "api_key": "hunter2", "base_url": "http://u:hunter2@h"}},
            "tools": {"t": {"type": "mcp", "env": {"KEY": "hunter2"}}},
            "storage": {"url": "postgresql://u:hunter2@host/db"},
            "server": {"token": "hunter2", "tokens": {"hunter2": "ada"}},
        }
    )
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config)
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"server": {"port": "hunter2"}})
    assert "hunter2" not in str(caught.value)


def test_the_configuration_cannot_be_changed():
    with pytest.raises(ValidationError):
        ServerConfig().port = 1  # type: ignore[misc]


def test_the_built_in_tools_have_names():
    assert BUILTIN_TOOLS == ("write_file", "execute_command", "search", "agent_call", "read_file", "list_files")


def test_importing_the_schema_and_the_loader_brings_nothing_heavy():
    heavy = [
        "tornado",
        "jupyter_server",
        "IPython",
        "aiohttp",
        "numpy",
        "apsw",
        "tiktoken",
        "typer",
        "rich",
        "jsonschema",
        "asyncio",
    ]
    code = f"import sys, hector_nb.config.loader; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
