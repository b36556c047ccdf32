"""The tools that agents use, by their names in the configuration."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from hector_nb.config.home import cache_folder
from hector_nb.config.schema import AgentConfig, Config, ToolConfig
from hector_nb.errors import ConfigError
from hector_nb.memory.embedders import WordllamaEmbedder
from hector_nb.tools.agent_call import AGENT_CALL, AgentCall
from hector_nb.tools.base import AgentTurns, ToolSource
from hector_nb.tools.builtin import BuiltinSource
from hector_nb.tools.notebook import NotebookTools
from hector_nb.tools.read_output import OutputReader
from hector_nb.tools.toolbox import Toolbox

_CHARACTERS_PER_TOKEN = 4


def make_sources(
    config: Config, folder: Path, given: Mapping[str, ToolSource] = MappingProxyType({})
) -> dict[str, ToolSource]:
    """Every tool that some agent uses, by its name in the configuration; agents that use the same one share it. Some are `given`."""
    used = dict.fromkeys(tool for agent in config.agents.values() for tool in agent.tools if tool != AGENT_CALL)
    return {name: given.get(name) or make_source(name, config.tools.get(name, ToolConfig()), folder) for name in used}


def agent_calls(agent: str, config: Config, turns: AgentTurns | None) -> dict[str, ToolSource]:
    """The tool by which an agent calls the others, where there are any."""
    others = {name: other.description for name, other in config.agents.items() if name != agent}
    if not others or turns is None:
        return {}
    settings = config.tools.get(AGENT_CALL, ToolConfig())
    return {AGENT_CALL: BuiltinSource(AgentCall.from_config(settings, agents=others, turns=turns))}


def make_source(name: str, settings: ToolConfig, folder: Path) -> ToolSource:
    """One tool, or all that a server offers; `folder` is what relative paths start from.

    Raises:
        ConfigError: there is no such tool.
    """
    match settings.type or name:
        case "function":
            from hector_nb.tools.function import FunctionTools

            return FunctionTools.from_config(name, settings, folder=folder)
        case "mcp":
            from hector_nb.tools.mcp import McpServer

            return McpServer.from_config(name, settings, folder=folder)
        case "write_file":
            from hector_nb.tools.write_file import WriteFile

            return BuiltinSource(WriteFile.from_config(settings, folder=folder))
        case "read_file":
            from hector_nb.tools.read_file import ReadFile

            return BuiltinSource(ReadFile.from_config(settings, folder=folder))
        case "list_files":
            from hector_nb.tools.list_files import ListFiles

            return BuiltinSource(ListFiles.from_config(settings, folder=folder))
        case "execute_command":
            from hector_nb.tools.execute_command import ExecuteCommand

            return BuiltinSource(ExecuteCommand.from_config(settings, folder=folder))
        case "search":
            from hector_nb.tools.search import Search

            return Search.from_config(
                settings, folder=folder, cache=cache_folder() / "search", embedder=WordllamaEmbedder()
            )
        case kind:
            raise ConfigError(f"There is no tool {kind!r}.")


def make_toolbox(
    agent: AgentConfig,
    sources: Mapping[str, ToolSource],
    *,
    budget: int,
    outputs: OutputReader | None = None,
    can_call_tools: Callable[[], bool] = lambda: True,
) -> Toolbox:
    """An agent's tools, and what this process's notebook offers to those that can call tools.

    One output takes at most about half of the `budget`, which is in tokens.
    """
    named = [sources[name] for name in dict.fromkeys(agent.tools) if name in sources]
    return Toolbox(
        [*named, NotebookTools(wanted=can_call_tools)],
        require_approval=agent.require_approval,
        max_output=budget * _CHARACTERS_PER_TOKEN // 2,
        outputs=outputs,
    )
