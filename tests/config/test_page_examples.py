"""Every YAML block of the page loads, and each of its values lands where it belongs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLES = Path(__file__).parent / "page_examples.yaml"


@dataclass(frozen=True)
class Block:
    """One block of the page: its heading and its text."""

    name: str
    text: str

    def merged(self) -> Any:
        """As plain data; a repeated `agents:` goes on with the first."""
        parts = [yaml.safe_load("agents:\n" + part) for part in self.text.split("agents:\n")[1:]]
        if not parts:
            return yaml.safe_load(self.text)
        return {"agents": {name: agent for part in parts for name, agent in part["agents"].items()}}


def read_blocks() -> list[Block]:
    blocks = []
    for document in EXAMPLES.read_text(encoding="utf-8").split("\n--- # ")[1:]:
        heading, _, text = document.partition("\n")
        blocks.append(Block(name=heading.split(" (")[0], text=text + "\n"))
    return blocks


BLOCKS = read_blocks()
SESSION_MEMORY = {
    "agents.assistant.memory.working.strategy": "summary_buffer",
    "agents.assistant.memory.working.budget": 4000,
    "agents.assistant.memory.longterm.storage_scope": "session",
    "agents.assistant.memory.longterm.enabled": True,
}
EXPECTED: dict[str, dict[str, Any]] = {
    "Session Configuration": SESSION_MEMORY,
    "Enabling Streaming": {"agents.assistant.reasoning.enable_streaming": True},
    "Streaming with Tools": {
        "agents.coder.reasoning.enable_streaming": True,
        "agents.coder.reasoning.show_tool_execution": True,
        "agents.coder.tools": ("write_file", "execute_command"),
    },
    "Sessions + Streaming": {"agents.assistant.reasoning.enable_streaming": True, **SESSION_MEMORY},
    "Session Timeout": {
        "sessions.timeout": 1800,
        "sessions.max_duration": 86400,
        "agents.assistant.description": "",
    },
    "Streaming Options": {
        "agents.assistant.reasoning.enable_streaming": True,
        "agents.assistant.reasoning.show_tool_execution": True,
        "agents.assistant.reasoning.show_thinking": False,
        "agents.assistant.reasoning.show_debug_info": False,
    },
    "Streaming Customization": {
        "agents.custom.streaming.chunk_size": 10,
        "agents.custom.streaming.delay_ms": 50,
        "agents.custom.streaming.buffer_size": 1024,
    },
    "Chat Applications": {
        "agents.chatbot.reasoning.enable_streaming": True,
        "agents.chatbot.memory.working.strategy": "buffer_window",
        "agents.chatbot.memory.working.window_size": 20,
        "agents.chatbot.memory.longterm.storage_scope": "session",
    },
    "Customer Support": {
        "agents.support.reasoning.enable_streaming": True,
        "agents.support.reasoning.show_tool_execution": True,
        "agents.support.tools": ("search", "agent_call"),
        "agents.support.memory.longterm.storage_scope": "conversational",
    },
    "Code Assistants": {
        "agents.coder.reasoning.enable_streaming": True,
        "agents.coder.reasoning.show_tool_execution": True,
        "agents.coder.reasoning.show_thinking": True,
        "agents.coder.tools": ("write_file", "execute_command", "search"),
    },
    "Session Tracking": {"agents.debug.reasoning.show_debug_info": True},
    "Best Practices: Session Management": {
        "agents.support.memory.longterm.storage_scope": "session",
        "agents.risky.memory.longterm.storage_scope": "all",
    },
    "Best Practices: Streaming Performance": {
        "agents.fast.reasoning.enable_streaming": True,
        "agents.slow.reasoning.enable_streaming": False,
    },
}


def test_no_block_is_left_out():
    assert [block.name for block in BLOCKS] == list(EXPECTED)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.name for block in BLOCKS])
def test_a_block_of_the_page_loads_and_its_values_land_in_their_fields(block, load):
    config = load(block.text)
    for path, value in EXPECTED[block.name].items():
        here: Any = config
        for step in path.split("."):
            here = here[step] if isinstance(here, dict) else getattr(here, step)
        assert here == value, path


@pytest.mark.parametrize("block", BLOCKS, ids=[block.name for block in BLOCKS])
def test_a_block_of_the_page_needs_no_trust(block, folder):
    from hector_nb.config.loader import load_config

    (folder / "hector.yaml").write_text(block.text, encoding="utf-8")
    assert not load_config(environ={}, cwd=folder).named
