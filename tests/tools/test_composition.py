"""A configuration becomes toolboxes."""

import asyncio

import pytest

from hector_nb.bootstrap.engine import open_runtime
from hector_nb.bootstrap.tools import agent_calls, make_sources, make_toolbox
from hector_nb.config.loader import load_config
from hector_nb.config.schema import BUILTIN_TOOLS, Config
from hector_nb.events import TextDelta, ToolReturned
from hector_nb.runtime.nested import NestedTurns
from hector_nb.service import SendMessage
from hector_nb.tools.toolbox import CheckedCall
from tests.tools.calling import call, context

pytestmark = pytest.mark.anyio

PAGE = {"agents": {"coder": {"tools": ["write_file", "execute_command"]}}}


def boxes(config: dict, folder):
    made = Config.model_validate(config)
    sources = make_sources(made, folder)
    return {name: make_toolbox(agent, sources, budget=4000) for name, agent in made.agents.items()}


async def test_the_page_s_coder_writes_a_file_and_runs_it_and_both_are_asked_for(tmp_path):
    toolbox = boxes(PAGE, tmp_path)["coder"]
    assert [schema.name for schema in await toolbox.schemas()] == ["write_file", "execute_command"]
    said = []
    for wanted in (
        call("write_file", path="hello.py", content="print('Hello')"),
        call("execute_command", command="python hello.py"),
    ):
        checked = await toolbox.check(wanted)
        assert isinstance(checked, CheckedCall)
        assert toolbox.needs_approval(checked)
        assert checked.tool.approval_timeout == 300.0
        said.append((await toolbox.run(checked, context())).text)
    assert said == ["Wrote 14 bytes to hello.py.", "Hello"]


async def test_an_agent_s_never_asks_for_nothing(tmp_path):
    config = {"agents": {"coder": {**PAGE["agents"]["coder"], "require_approval": "never"}}}
    toolbox = boxes(config, tmp_path)["coder"]
    checked = await toolbox.check(call("execute_command", command="ls"))
    assert isinstance(checked, CheckedCall)
    assert not toolbox.needs_approval(checked)


async def test_each_agent_has_the_tools_that_it_names_once(tmp_path):
    config = {
        "agents": {"a": {"tools": ["read_file", "list_files", "read_file"]}, "b": {"tools": ["read_file"]}, "c": {}}
    }
    made = boxes(config, tmp_path)
    names = {name: [schema.name for schema in await each.schemas()] for name, each in made.items()}
    assert names == {"a": ["read_file", "list_files"], "b": ["read_file"], "c": []}


async def test_agents_share_a_source(tmp_path):
    config = Config.model_validate({"agents": {"a": {"tools": ["read_file"]}, "b": {"tools": ["read_file"]}}})
    assert list(make_sources(config, tmp_path)) == ["read_file"]


async def test_settings_of_the_file_reach_the_tool(tmp_path):
    config = {**PAGE, "tools": {"execute_command": {"allow": ["ls"], "timeout": "5s", "max_output": 7}}}
    checked = await boxes(config, tmp_path)["coder"].check(call("execute_command", command="ls"))
    assert isinstance(checked, CheckedCall)
    assert checked.tool.max_output == 7
    assert checked.tool.timeout == 15


async def test_one_output_leaves_room_for_the_conversation(tmp_path):
    (tmp_path / "big.txt").write_text("x" * 50_000)
    toolbox = boxes({"agents": {"a": {"tools": ["read_file"]}}}, tmp_path)["a"]
    checked = await toolbox.check(call("read_file", path="big.txt"))
    assert isinstance(checked, CheckedCall)
    assert (await toolbox.run(checked, context())).text.count("x") == 8000


async def test_every_built_in_tool_explains_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "home"))
    config = Config.model_validate({"agents": {"a": {"tools": list(BUILTIN_TOOLS)}, "b": {"description": "Knows b."}}})
    sources = {**make_sources(config, tmp_path), **agent_calls("a", config, NestedTurns())}
    schemas = await make_toolbox(config.agents["a"], sources, budget=4000).schemas()
    assert [schema.name for schema in schemas] == list(BUILTIN_TOOLS)
    for schema in schemas:
        assert schema.description
        assert all(each["description"] for each in schema.parameters["properties"].values())


async def test_an_agent_may_call_all_others_and_not_itself():
    config = Config.model_validate({"agents": {"a": {}, "b": {"description": "Knows\nb."}, "c": {}}})
    (tool,) = await agent_calls("a", config, NestedTurns())["agent_call"].tools()
    assert tool.schema.parameters["properties"]["agent"]["enum"] == ["b", "c"]
    assert tool.schema.description.endswith("Agents:\n- b: Knows b.\n- c")
    assert (tool.require_approval, tool.timeout) == ("never", None)


async def test_an_agent_that_is_alone_has_nobody_to_call():
    config = Config.model_validate({"agents": {"support": {"tools": ["agent_call"]}}})
    assert agent_calls("support", config, NestedTurns()) == {}


async def test_the_built_in_embedder_finds_files_by_what_they_mean(tmp_path, monkeypatch):
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "home"))
    work = tmp_path / "work"
    work.mkdir()
    (work / "a.md").write_text("The physician examined her patient.")
    (work / "b.md").write_text("The compiler rejected the program.")
    (source,) = make_sources(Config.model_validate({"agents": {"a": {"tools": ["search"]}}}), work).values()
    (tool,) = await source.tools()
    assert (await tool.call({"query": "doctor hospital"}, context())).startswith("a.md:1")
    await source.aclose()


SCRIPT = """
- - Let me create that file...
  - tool_call: {name: write_file, arguments: {path: hello.py, content: "print('Hello' * 20000)"}}
- - tool_call: {name: execute_command, arguments: {command: python hello.py}}
- - tool_call: {name: read_output, arguments: {call_id: CALL, offset: 99990}}
- - The program works correctly!
"""
CODER = """
llms:
  default: {provider: scripted, model: script.yaml}
agents:
  coder:
    tools: ["write_file", "execute_command"]
    require_approval: never
"""


async def test_an_engine_opened_from_a_file_has_the_tools_of_its_agents(tmp_path, monkeypatch):
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "home"))
    work = tmp_path / "work"
    work.mkdir()
    (work / "hector.yaml").write_text(CODER)
    (work / "script.yaml").write_text(SCRIPT)
    runtime = await open_runtime(load_config(work / "hector.yaml"))
    try:
        async with asyncio.timeout(20):
            service = runtime.for_user("ada")
            stream = await service.stream_message("coder", SendMessage(message="Go"))
            async with stream:
                events = [logged.event async for logged in stream]
        returned = [event.output for event in events if isinstance(event, ToolReturned)]
        assert returned[0] == "Wrote 22 bytes to hello.py."
        assert returned[1].startswith("HelloHello")
        assert "92,000 of 100,000 characters left out; read_output(call_id=" in returned[1]
        assert "No output of a call with this id" in returned[2]
        assert (work / "hello.py").read_text() == "print('Hello' * 20000)"
        assert "".join(event.text for event in events if isinstance(event, TextDelta)).endswith("works correctly!")
    finally:
        await runtime.aclose()
