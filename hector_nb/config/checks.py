"""Rules that involve more than one key: names that must exist, keys that belong together, settings that would have no effect."""

import re
from collections.abc import Collection, Iterator

from hector_nb.config.document import Document, Finding, Place
from hector_nb.config.outline import KeyPath
from hector_nb.config.schema import BUILTIN_TOOLS, Config, LLMConfig, ServerConfig, ToolConfig, WorkingMemoryConfig
from hector_nb.config.wording import did_you_mean, shown_value

_ALL_TOOLS = frozenset({"timeout", "max_output", "require_approval", "approval_timeout"})
_KEYS_OF: dict[str, frozenset[str]] = {
    "write_file": frozenset({"root", "max_size"}),
    "read_file": frozenset({"root"}),
    "list_files": frozenset({"root"}),
    "execute_command": frozenset({"root", "allow", "shell"}),
    "search": frozenset({"folders"}),
    "agent_call": frozenset({"max_depth"}),
    "mcp": frozenset({"type", "command", "url", "env", "headers", "prefix"}),
    "function": frozenset({"type", "function"}),
}
_NOTEBOOK = "; a notebook's own functions (@hector_nb.tool) are offered without being named here"
_EMBEDDING = ("openai", "google", "ollama", "openai-compatible")
"""Providers that embed by OpenAI's protocol; of the first two an embedding model is known."""
_STORES = ("sqlite", "postgresql", "postgres")


def check(config: Config, document: Document, *, llms: Collection[str], tools: Collection[str]) -> Iterator[Finding]:
    """What is wrong between keys; `llms` and `tools` are all names of the file, also those whose blocks are wrong."""
    known_llms = _written("llms", llms, document)
    known_tools = [*BUILTIN_TOOLS, *_written("tools", set(tools).difference(BUILTIN_TOOLS), document)]
    for name, llm in config.llms.items():
        yield from _llm(("llms", name), llm)
    for path, reference in _references(config):
        if reference not in llms:
            yield _unknown("model", path, reference, known_llms, document)
    for name, agent in config.agents.items():
        if not name.strip("."):
            yield Finding(path=("agents", name), message="a name cannot consist of dots alone", on_key=True)
        for index, tool in enumerate(agent.tools):
            if tool not in BUILTIN_TOOLS and tool not in tools:
                yield _unknown("tool", ("agents", name, "tools", index), tool, known_tools, document)
        yield from _working_memory(("agents", name, "memory", "working"), agent.memory.working)
        if agent.memory.longterm and agent.memory.longterm.embedder in config.llms:
            yield from _embedder(name, agent.memory.longterm.embedder, config)
    for name, settings in config.tools.items():
        yield from _tool(("tools", name), name, settings)
    yield from _storage(config)
    yield from _server(config.server)


def _written(block: str, names: Collection[str], document: Document) -> list[str]:
    """The names that stand in the file as they are; one that comes from the environment is not told."""
    return sorted(name for name in names if document.places[block, name].key == name)


def _unknown(what: str, path: KeyPath, name: str, known: Collection[str], document: Document) -> Finding:
    place = document.places.get(path, Place(key_line=1, line=1))
    near = did_you_mean(None if place.variable else name, known, what=f"{what}s")
    hint = near or "; there is nothing under `llms`"
    if what == "tool" and "did you mean" not in near:
        hint += _NOTEBOOK
    return Finding(path=path, message=f"unknown {what} {shown_value(name, place)}{hint}")


def _references(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Every name of a model, with its place."""
    for name, agent in config.agents.items():
        memory: KeyPath = ("agents", name, "memory")
        if agent.llm is not None:
            yield ("agents", name, "llm"), agent.llm
        if agent.memory.working.summarizer is not None:
            yield (*memory, "working", "summarizer"), agent.memory.working.summarizer
        if agent.memory.longterm and agent.memory.longterm.embedder is not None:
            yield (*memory, "longterm", "embedder"), agent.memory.longterm.embedder


def _llm(path: KeyPath, llm: LLMConfig) -> Iterator[Finding]:
    address = (*path, "base_url")
    if llm.provider == "openai-compatible" and not llm.base_url:
        message = "this key is missing; `provider: openai-compatible` needs it, for example http://localhost:8000/v1"
        yield Finding(path=address, message=message, unless=((*path, "provider"),))
    elif llm.base_url and not re.match(r"https?://[^/\s]", llm.base_url):
        yield Finding(path=address, message="an address begins with http:// or https://")


def _working_memory(path: KeyPath, memory: WorkingMemoryConfig) -> Iterator[Finding]:
    if memory.target >= memory.threshold:
        key = "target" if "target" in memory.model_fields_set else "threshold"
        message = f"`target` ({memory.target:g}) must be smaller than `threshold` ({memory.threshold:g})"
        yield Finding(path=(*path, key), message=message, unless=((*path, "target"), (*path, "threshold")))


def _embedder(agent: str, name: str, config: Config) -> Iterator[Finding]:
    llm = config.llms[name]
    if llm.provider not in _EMBEDDING:
        message = f"an embedder's `provider` is one of {', '.join(_EMBEDDING)}; that of '{name}' is {llm.provider}"
        path: KeyPath = ("agents", agent, "memory", "longterm", "embedder")
        yield Finding(path=path, message=message, unless=(("llms", name, "provider"),))
    elif llm.model is None and llm.provider not in _EMBEDDING[:2]:
        message = (
            f"this key is missing; an embedder of `provider: {llm.provider}` needs it, for example nomic-embed-text"
        )
        yield Finding(path=("llms", name, "model"), message=message, unless=(("llms", name, "provider"),))


def _tool(path: KeyPath, name: str, tool: ToolConfig) -> Iterator[Finding]:
    builtin = name in BUILTIN_TOOLS
    if builtin and tool.type:
        yield Finding(path=(*path, "type"), message=f"'{name}' is a built-in tool; give yours another name")
        return
    if not builtin and not tool.type:
        near = did_you_mean(name, BUILTIN_TOOLS, what="built-in tools")
        message = f"this key is missing; a tool of your own needs `type: mcp` or `type: function`{near}"
        yield Finding(path=(*path, "type"), message=message)
        return
    kind = tool.type or name
    for key in ToolConfig.model_fields:
        if key in tool.model_fields_set and key not in _ALL_TOOLS | _KEYS_OF[kind]:
            what = f"a tool of `type: {kind}`" if tool.type else f"'{kind}'"
            near = did_you_mean(key, sorted(_KEYS_OF[kind] | _ALL_TOOLS), what="keys")
            yield Finding(path=(*path, key), message=f"{what} has no such setting{near}", on_key=True)
    folders = {(*path, "root"): tool.root, **{(*path, "folders", at): each for at, each in enumerate(tool.folders)}}
    for place, folder in folders.items():
        if folder is not None and not folder.strip():
            yield Finding(path=place, message="expected the path of a folder")
    if kind == "mcp":
        yield from _mcp(path, tool)
    if kind == "function":
        yield from _function(path, tool)
    if kind == "execute_command":
        yield from _execute_command(path, tool)


def _mcp(path: KeyPath, tool: ToolConfig) -> Iterator[Finding]:
    command, url = (*path, "command"), (*path, "url")
    if tool.command and tool.url:
        yield Finding(path=url, message="`type: mcp` has either `command` or `url`, not both")
    elif not tool.command and not tool.url:
        message = "this key is missing; `type: mcp` needs `command` (a list) or `url`"
        yield Finding(path=command, message=message, unless=(url,))
    elif tool.url and not re.match(r"https?://[^/\s]", tool.url):
        yield Finding(path=url, message="an address begins with http:// or https://")
    if tool.url and tool.env:
        yield Finding(
            path=(*path, "env"), message="`env` is for `command`; a server at a `url` has its own", on_key=True
        )
    if tool.command and tool.headers:
        yield Finding(path=(*path, "headers"), message="`headers` are for `url`; a `command` gets `env`", on_key=True)


def _function(path: KeyPath, tool: ToolConfig) -> Iterator[Finding]:
    if not tool.function:
        message = "this key is missing; `type: function` needs it, as `package.module:name`"
        yield Finding(path=(*path, "function"), message=message)
    elif not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*", tool.function):
        yield Finding(path=(*path, "function"), message="expected an import path such as package.module:name")


def _execute_command(path: KeyPath, tool: ToolConfig) -> Iterator[Finding]:
    if tool.shell and tool.allow:
        message = "a shell runs any program, so `allow` cannot go with `shell: true`"
        yield Finding(path=(*path, "allow"), message=message, on_key=True, unless=((*path, "shell"),))
    for index, program in enumerate(tool.allow):
        if not program or (re.search(r"\s", program) and "/" not in program):
            message = "expected the name of one program, such as git, without arguments"
            yield Finding(path=(*path, "allow", index), message=message)


def _storage(config: Config) -> Iterator[Finding]:
    url = config.storage.url
    if url is None:
        return
    scheme, found, rest = url.partition("://")
    if not found or scheme not in _STORES:
        message = "a store's address begins with sqlite:/// or postgresql://"
        yield Finding(path=("storage", "url"), message=message)
    elif scheme == "sqlite" and not re.match(r"/.", rest):
        yield Finding(
            path=("storage", "url"),
            message="write sqlite:///file.db (three slashes) or sqlite:////folder/file.db (four)",
        )


def _server(server: ServerConfig) -> Iterator[Finding]:
    certfile, keyfile = ("server", "certfile"), ("server", "keyfile")
    if server.certfile and not server.keyfile:
        yield Finding(path=keyfile, message="this key is missing; `certfile` needs it")
    if server.keyfile and not server.certfile:
        yield Finding(path=certfile, message="this key is missing; `keyfile` needs it")
    if server.token is not None and not server.token.get_secret_value():
        yield Finding(
            path=("server", "token"), message="a token cannot be empty; leave the key out for a new one at each start"
        )
    for token, user in server.tokens.items():
        if not token or not user:
            yield Finding(path=("server", "tokens", token), message="neither token nor user can be empty", on_key=True)
    for index, origin in enumerate(server.allow_origins):
        if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s?#*@]+", origin):
            message = "expected an origin such as https://example.org, without a path or a slash at its end"
            yield Finding(path=("server", "allow_origins", index), message=message)
