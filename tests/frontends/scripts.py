"""A configuration whose agents play scripts, for kernels and servers of their own process."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.frontends.hostile_markdown import HOSTILE

ROOT = Path(__file__).parent.parent.parent
FOREVER = {"wait_ms": 600_000}
SCRIPTS: dict[str, list[list[Any]]] = {
    "assistant": [["Hello ", "**there**."]],
    "counter": [[str(number)] for number in range(1, 6)],
    "silent": [[FOREVER, "never"]],
    "halting": [["Half of ", "it", FOREVER, "never"]],
    "broken": [["Half", {"error": "model_timeout", "message": "Nothing came."}]],
    "actor": [[{"tool_call": {"name": "act", "arguments": {"what": "it"}}}], ["It is done."]],
    "writer": [
        [{"tool_call": {"name": "write_file", "arguments": {"path": "a.txt", "content": "hi \u202e there"}}}],
        ["It is done."],
    ],
    "runner": [
        [
            {"thinking": "One, then the other."},
            {"tool_call": {"name": "execute_command", "arguments": {"command": "echo one"}}},
            {"tool_call": {"name": "execute_command", "arguments": {"command": "echo two"}}},
        ],
        ["Both ran."],
    ],
    "keeper": [["Noted."]],
    "coder": [["Do this:\n\n```python\nx = 41\n```\n\nand then\n\n```py\nprint(x + 1)\n```\n"]],
    "talker": [["No code, <img src=x onerror=alert(1)> no cry."]],
    "lister": [["```json\n", '{"cities": ["Lyon", "`Oslo`"]}', "\n```"]],
    "slow": [[step for number in range(120) for step in (f"word{number} ", {"wait_ms": 25})]],
    "hostile": [[text] for text in HOSTILE if text.isprintable() or "\x00" not in text],
}


_MORE: dict[str, dict[str, Any]] = {
    "writer": {"tools": ["write_file"]},
    "runner": {"tools": ["execute_command"], "reasoning": {"show_thinking": True}},
    "hostile": {"memory": {"longterm": {"storage_scope": "conversational"}}},
    "keeper": {"memory": {"longterm": {"storage_scope": "conversational"}}},
}


def write_scripts(folder: Path, more: Mapping[str, Mapping[str, Any]] | None = None) -> Path:
    """Make the configuration in a folder; `more` has other models and agents."""
    lines: dict[str, Any] = {"llms": {}, "agents": {}}
    for name, replies in SCRIPTS.items():
        (folder / f"{name}.json").write_text(json.dumps({"repeat": True, "replies": replies}))
        lines["llms"][name] = {"provider": "scripted", "model": f"{name}.json"}
        lines["agents"][name] = {"llm": name, **_MORE.get(name, {})}
    for block, entries in (more or {}).items():
        lines[block] = {**lines.get(block, {}), **entries}
    config = folder / "hector.yaml"
    config.write_text(json.dumps(lines))
    return config


def environment(folder: Path, more: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, str]:
    """The environment of a process that uses it, untouched by this test run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "HECTOR", "JPY"))}
    return {
        **kept,
        "HECTOR_CONFIG": str(write_scripts(folder, more)),
        "HECTOR_HOME": str(folder / "home"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": str(ROOT),
    }
