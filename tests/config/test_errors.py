"""What a wrong file is told: the file, the line, the key path, what is wrong, and the nearest known name."""

import time

import pytest

TABLE = [
    # unknown keys and words
    (
        "a misspelt word",
        "agents:\n  assistant:\n    memory:\n      working:\n\n        # how\n        strategy: sumary_buffer\n",
        "hector.yaml:7: agents.assistant.memory.working.strategy: unknown value 'sumary_buffer'; did you mean 'summary_buffer'?",
    ),
    (
        "a misspelt key",
        "agents:\n  assistant:\n    memry: {}\n",
        "hector.yaml:3: agents.assistant.memry: unknown key; did you mean 'memory'?",
    ),
    (
        "a key one level too high",
        "agents:\n  a:\n    show_thinking: true\n",
        "hector.yaml:3: agents.a.show_thinking: unknown key; did you mean 'reasoning.show_thinking'?",
    ),
    (
        "a key two levels too high",
        "agents:\n  a:\n    storage_scope: all\n",
        "hector.yaml:3: agents.a.storage_scope: unknown key; did you mean 'memory.longterm.storage_scope'?",
    ),
    (
        "a key unlike any other",
        "zzz: 1\n",
        "hector.yaml:1: zzz: unknown key; known keys: llms, agents, tools, sessions, storage, server",
    ),
    (
        "a word unlike any other",
        "agents: {a: {streaming: {on_disconnect: zzz}}}\n",
        "hector.yaml:1: agents.a.streaming.on_disconnect: unknown value 'zzz'; known values: cancel, continue",
    ),
    (
        "a word in capitals",
        "llms: {a: {provider: OpenAI}}\n",
        "hector.yaml:1: llms.a.provider: unknown value 'OpenAI'; did you mean 'openai'?",
    ),
    (
        "a word where true and false are words too",
        "llms: {a: {provider: openai, thinking: hihg}}\n",
        "hector.yaml:1: llms.a.thinking: unknown value 'hihg'; did you mean 'high'?",
    ),
    (
        "true where a word is wanted",
        "agents: {a: {streaming: {on_disconnect: yes}}}\n",
        "hector.yaml:1: agents.a.streaming.on_disconnect: expected cancel or continue, but in YAML yes means true",
    ),
    (
        "a missing key",
        "llms:\n  main:\n    model: x\n",
        "hector.yaml:2: llms.main.provider: this key is missing; "
        "known values: openai, anthropic, google, ollama, openai-compatible, local, scripted",
    ),
    # types
    (
        "true where text is wanted",
        "agents:\n  a:\n    instruction: on\n",
        "hector.yaml:3: agents.a.instruction: expected text, but in YAML on means true; put it in quotes",
    ),
    (
        "a number where text is wanted",
        "agents: {a: {instruction: 5}}\n",
        "hector.yaml:1: agents.a.instruction: expected text, but this is a number; put it in quotes",
    ),
    (
        "a list where text is wanted",
        "agents: {a: {instruction: [5]}}\n",
        "hector.yaml:1: agents.a.instruction: expected text, but this is a list",
    ),
    (
        "a mapping where text is wanted",
        "agents: {a: {instruction: {b: c}}}\n",
        "hector.yaml:1: agents.a.instruction: expected text, but this is a mapping",
    ),
    (
        "nothing where text is wanted",
        "agents:\n  a:\n    instruction:\n",
        "hector.yaml:3: agents.a.instruction: expected text, but nothing stands here",
    ),
    (
        "null where text is wanted",
        "agents: {a: {instruction: null}}\n",
        "hector.yaml:1: agents.a.instruction: expected text, but this is null",
    ),
    (
        "text where a number is wanted",
        "server: {port: http}\n",
        "hector.yaml:1: server.port: expected a whole number, but this is text",
    ),
    (
        "a number in quotes",
        "server: {port: '80'}\n",
        "hector.yaml:1: server.port: expected a whole number, but this is text; remove the quotes",
    ),
    (
        "a fraction where a whole number is wanted",
        "server: {port: 80.5}\n",
        "hector.yaml:1: server.port: expected a whole number, but this has a fraction",
    ),
    (
        "true where a number is wanted",
        "server: {port: yes}\n",
        "hector.yaml:1: server.port: expected a whole number, but in YAML yes means true",
    ),
    (
        "text where true or false is wanted",
        "agents: {a: {reasoning: {show_thinking: sometimes}}}\n",
        "hector.yaml:1: agents.a.reasoning.show_thinking: unknown value 'sometimes'; known values: true, false",
    ),
    (
        "a number where true or false is wanted",
        "agents: {a: {reasoning: {show_thinking: 1}}}\n",
        "hector.yaml:1: agents.a.reasoning.show_thinking: expected true or false, but this is a number",
    ),
    (
        "text where a list is wanted",
        "agents: {a: {tools: search}}\n",
        "hector.yaml:1: agents.a.tools: expected a list, such as [one, two], but this is text",
    ),
    (
        "a number in a list of texts",
        "agents:\n  a:\n    tools:\n      - search\n      - 5\n",
        "hector.yaml:5: agents.a.tools[1]: expected text, but this is a number; put it in quotes",
    ),
    (
        "text where a block is wanted",
        "agents: {a: {memory: big}}\n",
        "hector.yaml:1: agents.a.memory: expected a mapping of keys to values, but this is text",
    ),
    (
        "a list where names are wanted",
        "agents: [a]\n",
        "hector.yaml:1: agents: expected a mapping of keys to values, but this is a list",
    ),
    # ranges and forms
    ("too large", "server: {port: 70000}\n", "hector.yaml:1: server.port: must be at most 65535, not 70000"),
    (
        "too small",
        "agents: {a: {streaming: {chunk_size: 0}}}\n",
        "hector.yaml:1: agents.a.streaming.chunk_size: must be at least 1, not 0",
    ),
    (
        "far too large",
        f"agents: {{a: {{memory: {{working: {{budget: 1{'0' * 50}}}}}}}}}\n",
        "hector.yaml:1: agents.a.memory.working.budget: must be at most 1000000000, not 1" + "0" * 39 + "…",
    ),
    (
        "a number of a thousand pages",
        f"server: {{port: {'1' * 5000}}}\n",
        "hector.yaml:1: server.port: this number cannot be read",
    ),
    (
        "not above zero",
        "agents: {a: {memory: {working: {threshold: 0.0}}}}\n",
        "hector.yaml:1: agents.a.memory.working.threshold: must be greater than 0, not 0.0",
    ),
    (
        "not a finite number",
        "llms: {a: {provider: openai, temperature: .nan}}\n",
        "hector.yaml:1: llms.a.temperature: must be a finite number",
    ),
    (
        "a bad duration",
        "sessions: {timeout: 30 minutes}\n",
        "hector.yaml:1: sessions.timeout: expected a duration such as 30s, 5m or 24h, not '30 minutes'",
    ),
    (
        "a list as a duration",
        "sessions: {timeout: [5m]}\n",
        "hector.yaml:1: sessions.timeout: expected a duration such as 30s, 5m or 24h, but this is a list",
    ),
    (
        "a negative duration",
        "sessions: {timeout: -5}\n",
        "hector.yaml:1: sessions.timeout: must be a duration from 0 to 36500d",
    ),
    (
        "no duration at all",
        "agents: {a: {streaming: {heartbeat: 0s}}}\n",
        "hector.yaml:1: agents.a.streaming.heartbeat: must be greater than 0, not 0s",
    ),
    (
        "an agent's name with a space",
        "agents:\n  my agent: {}\n",
        'hector.yaml:2: agents."my agent": a name is 1 to 64 letters, digits and _.-',
    ),
    (
        "an agent's name that is too long",
        f"agents: {{? {'a' * 65} : {{}}}}\n",
        f'hector.yaml:1: agents."{"a" * 64}…": a name is 1 to 64 letters, digits and _.-',
    ),
    (
        "an agent's name that is a way up",
        "agents: {..: {}}\n",
        'hector.yaml:1: agents."..": a name cannot consist of dots alone',
    ),
    (
        "a tool's name with a dot",
        "tools: {a.b: {type: mcp, command: [x]}}\n",
        'hector.yaml:1: tools."a.b": a name is 1 to 64 letters, digits and _-',
    ),
    # repeated keys
    (
        "a repeated key",
        "server:\n  port: 1\n  host: a\n  port: 2\n",
        "hector.yaml:4: server.port: this key is repeated; it stands first in line 2",
    ),
    (
        "the same agent twice",
        "agents:\n  a: {}\nserver: {}\nagents:\n  b: {}\n  a: {}\n",
        "hector.yaml:6: agents.a: this key is repeated; it stands first in line 2",
    ),
    (
        "a repeated top-level key",
        "server: {}\nserver: {}\n",
        "hector.yaml:2: server: this key is repeated; it stands first in line 1",
    ),
    # names that must exist
    (
        "an unknown model",
        "llms:\n  main: {provider: openai}\nagents:\n  a:\n    llm: mian\n",
        "hector.yaml:5: agents.a.llm: unknown model 'mian'; did you mean 'main'?",
    ),
    (
        "a model where there are none",
        "agents: {a: {llm: gpt}}\n",
        "hector.yaml:1: agents.a.llm: unknown model 'gpt'; there is nothing under `llms`",
    ),
    (
        "an unknown summarizer",
        "llms: {main: {provider: openai}}\nagents:\n  a:\n    memory:\n      working:\n        summarizer: zzz\n",
        "hector.yaml:6: agents.a.memory.working.summarizer: unknown model 'zzz'; known models: main",
    ),
    (
        "an unknown embedder",
        "llms: {main: {provider: openai}}\nagents: {a: {memory: {longterm: {embedder: man}}}}\n",
        "hector.yaml:2: agents.a.memory.longterm.embedder: unknown model 'man'; did you mean 'main'?",
    ),
    (
        "an embedder that cannot embed",
        "llms: {main: {provider: local}}\nagents: {a: {memory: {longterm: {embedder: main}}}}\n",
        "hector.yaml:2: agents.a.memory.longterm.embedder: an embedder's `provider` is one of "
        "openai, google, ollama, openai-compatible; that of 'main' is local",
    ),
    (
        "an embedder without a model",
        "llms: {main: {provider: ollama}}\nagents: {a: {memory: {longterm: {embedder: main}}}}\n",
        "hector.yaml:1: llms.main.model: this key is missing; "
        "an embedder of `provider: ollama` needs it, for example nomic-embed-text",
    ),
    (
        "an unknown tool",
        "agents:\n  a:\n    tools: [search,\n      serch]\n",
        "hector.yaml:4: agents.a.tools[1]: unknown tool 'serch'; did you mean 'search'?",
    ),
    (
        "an unknown tool like none",
        "agents: {a: {tools: [plot]}}\n",
        "hector.yaml:1: agents.a.tools[0]: unknown tool 'plot'; "
        "known tools: write_file, execute_command, search, agent_call, read_file, list_files; "
        "a notebook's own functions (@hector_nb.tool) are offered without being named here",
    ),
    (
        "an unknown tool like one of the file",
        "tools: {weather: {type: mcp, command: [w]}}\nagents: {a: {tools: [wether]}}\n",
        "hector.yaml:2: agents.a.tools[0]: unknown tool 'wether'; did you mean 'weather'?",
    ),
    # keys that belong together
    (
        "a compatible provider without address",
        "llms:\n  a:\n    provider: openai-compatible\n",
        "hector.yaml:2: llms.a.base_url: this key is missing; "
        "`provider: openai-compatible` needs it, for example http://localhost:8000/v1",
    ),
    (
        "an address without scheme",
        "llms: {a: {provider: openai, base_url: localhost}}\n",
        "hector.yaml:1: llms.a.base_url: an address begins with http:// or https://",
    ),
    (
        "a target above the threshold",
        "agents:\n  a:\n    memory:\n      working:\n        threshold: 0.5\n        target: 0.7\n",
        "hector.yaml:6: agents.a.memory.working.target: `target` (0.7) must be smaller than `threshold` (0.5)",
    ),
    (
        "a target at the threshold",
        "agents:\n  a:\n    memory:\n      working: {target: 0.8}\n",
        "hector.yaml:4: agents.a.memory.working.target: `target` (0.8) must be smaller than `threshold` (0.8)",
    ),
    (
        "a threshold below the usual target",
        "agents: {a: {memory: {working: {threshold: 0.5}}}}\n",
        "hector.yaml:1: agents.a.memory.working.threshold: `target` (0.6) must be smaller than `threshold` (0.5)",
    ),
    (
        "a tool that is neither built in nor of a type",
        "tools:\n  serch: {timeout: 5s}\n",
        "hector.yaml:2: tools.serch.type: this key is missing; "
        "a tool of your own needs `type: mcp` or `type: function`; did you mean 'search'?",
    ),
    (
        "a built-in tool with a type",
        "tools: {search: {type: mcp, command: [x]}}\n",
        "hector.yaml:1: tools.search.type: 'search' is a built-in tool; give yours another name",
    ),
    (
        "a setting of another built-in tool",
        "tools:\n  write_file:\n    command: [x]\n",
        "hector.yaml:3: tools.write_file.command: 'write_file' has no such setting; "
        "known keys: approval_timeout, max_output, max_size, require_approval, root, timeout",
    ),
    (
        "a setting of another type of tool",
        "tools: {t: {type: function, function: 'a:b', url: 'http://x'}}\n",
        "hector.yaml:1: tools.t.url: a tool of `type: function` has no such setting; "
        "known keys: approval_timeout, function, max_output, require_approval, timeout, type",
    ),
    (
        "a function without function",
        "tools:\n  t:\n    type: function\n",
        "hector.yaml:2: tools.t.function: this key is missing; `type: function` needs it, as `package.module:name`",
    ),
    (
        "a function that is no import path",
        "tools: {t: {type: function, function: a.b}}\n",
        "hector.yaml:1: tools.t.function: expected an import path such as package.module:name",
    ),
    (
        "a server without command and address",
        "tools:\n  t:\n    type: mcp\n",
        "hector.yaml:2: tools.t.command: this key is missing; `type: mcp` needs `command` (a list) or `url`",
    ),
    (
        "a server with command and address",
        "tools: {t: {type: mcp, command: [x], url: 'http://x'}}\n",
        "hector.yaml:1: tools.t.url: `type: mcp` has either `command` or `url`, not both",
    ),
    (
        "a server whose address has no scheme",
        "tools: {t: {type: mcp, url: localhost}}\n",
        "hector.yaml:1: tools.t.url: an address begins with http:// or https://",
    ),
    (
        "an environment for a server elsewhere",
        "tools: {t: {type: mcp, url: 'http://x', env: {A: b}}}\n",
        "hector.yaml:1: tools.t.env: `env` is for `command`; a server at a `url` has its own",
    ),
    (
        "headers for a server that is started",
        "tools: {t: {type: mcp, command: [x], headers: {A: b}}}\n",
        "hector.yaml:1: tools.t.headers: `headers` are for `url`; a `command` gets `env`",
    ),
    (
        "a prefix that no name can have",
        "tools: {t: {type: mcp, command: [x], prefix: 'my tools.'}}\n",
        "hector.yaml:1: tools.t.prefix: a prefix is at most 32 letters, digits, _ and -",
    ),
    (
        "a folder without a name",
        'tools: {search: {folders: [docs, " "]}}\n',
        "hector.yaml:1: tools.search.folders[1]: expected the path of a folder",
    ),
    (
        "a list of programs for a shell, which runs any",
        "tools:\n  execute_command:\n    shell: true\n    allow: [git]\n",
        "hector.yaml:4: tools.execute_command.allow: a shell runs any program, so `allow` cannot go with `shell: true`",
    ),
    (
        "a command where a program is expected",
        "tools: {execute_command: {allow: [git, git status]}}\n",
        "hector.yaml:1: tools.execute_command.allow[1]: "
        "expected the name of one program, such as git, without arguments",
    ),
    (
        "a certificate without key",
        "server: {certfile: a.pem}\n",
        "hector.yaml:1: server.keyfile: this key is missing; `certfile` needs it",
    ),
    (
        "a key without certificate",
        "server: {keyfile: a.pem}\n",
        "hector.yaml:1: server.certfile: this key is missing; `keyfile` needs it",
    ),
    (
        "an origin with a path",
        "server: {allow_origins: ['https://example.org/']}\n",
        "hector.yaml:1: server.allow_origins[0]: "
        "expected an origin such as https://example.org, without a path or a slash at its end",
    ),
    (
        "an empty token",
        "server:\n  token: ${HECTOR_TOKEN:-}\n",
        "hector.yaml:2: server.token: a token cannot be empty; leave the key out for a new one at each start",
    ),
    (
        "an empty token of a user",
        "server: {tokens: {'': ada}}\n",
        "hector.yaml:1: server.tokens.***: neither token nor user can be empty",
    ),
    (
        "a token of nobody",
        "server: {tokens: {hunter2: ''}}\n",
        "hector.yaml:1: server.tokens.***: neither token nor user can be empty",
    ),
    (
        "an unknown kind of store",
        "storage:\n  url: mysql://host/db\n",
        "hector.yaml:2: storage.url: a store's address begins with sqlite:/// or postgresql://",
    ),
    (
        "a SQLite address with two slashes",
        "storage: {url: 'sqlite://file.db'}\n",
        "hector.yaml:1: storage.url: write sqlite:///file.db (three slashes) or sqlite:////folder/file.db (four)",
    ),
    # YAML
    (
        "a tab",
        "agents:\n\ta: {}\n",
        "hector.yaml:2: this is not YAML: a tab cannot indent; use spaces",
    ),
    (
        "a colon too many",
        "agents:\n  a:\n    instruction: Remember: be brief\n",
        "hector.yaml:3: this is not YAML: a `:` is not allowed here: check the indentation, or put the text in quotes",
    ),
    (
        "an indentation that fits nothing",
        "agents:\n    a:\n        description: x\n      llm: y\n",
        "hector.yaml:4: this is not YAML: the indentation does not fit the lines above, or a `,` or quote is missing",
    ),
    ("an open quote", "a: 1\nb: 'c\nd: e\n", "hector.yaml:2: this is not YAML: a quote is never closed"),
    (
        "an open list",
        "a: 1\nb: [c,\nd",
        "hector.yaml:2: this is not YAML: this list is not closed, or a `,` is missing",
    ),
    (
        "a variable in a list without quotes",
        "agents: {a: {tools: [${TOOL}]}}\n",
        "hector.yaml:1: this is not YAML: this list is not closed, or a `,` is missing; "
        "inside [ ] and { }, put ${…} in quotes",
    ),
    (
        "a forgotten colon",
        "agents:\n  a: {}\n  b\n",
        "hector.yaml:4: this is not YAML: a key must be followed by a `:` and a space",
    ),
    (
        "an unknown anchor",
        "server:\n  token: *hunter2\n",
        "hector.yaml:2: this is not YAML: "
        "text that begins with `*` must be in quotes, unless an anchor (&) of that name stands above",
    ),
    (
        "text that begins with @",
        "server:\n  token: @hunter2\n",
        "hector.yaml:2: this is not YAML: text that begins with this character must be in quotes",
    ),
    (
        "a tag of another program",
        "server:\n  token: !hunter2\n",
        "hector.yaml:2: server.token: this is no text, number or truth value; put text that begins with `!` in quotes",
    ),
    (
        "a set",
        "agents:\n  a: {tools: !!set {search}}\n",
        "hector.yaml:2: agents.a.tools: "
        "this is no text, number or truth value; put text that begins with `!` in quotes",
    ),
    (
        "a number without digits",
        "server: {port: 0x_}\n",
        "hector.yaml:1: server.port: this number cannot be read",
    ),
    (
        "a truth value that is none",
        "agents: {a: {reasoning: {show_thinking: !!bool perhaps}}}\n",
        "hector.yaml:1: agents.a.reasoning.show_thinking: "
        "this is no text, number or truth value; put text that begins with `!` in quotes",
    ),
    (
        "two documents",
        "agents: {}\n---\nagents: {}\n",
        "hector.yaml:2: this is not YAML: a second document begins here; a file holds one",
    ),
    ("a control character", "agents: {}\n# \x07\n", "hector.yaml:2: this line holds a control character"),
    (
        "a list at the top",
        "\n- agents\n",
        "hector.yaml:2: a configuration is a mapping of keys to values, such as `agents:`",
    ),
    (
        "text at the top",
        "hello\n",
        "hector.yaml:1: a configuration is a mapping of keys to values, such as `agents:`",
    ),
    ("a key that is no text", "agents:\n  ? [a]\n  : {}\n", "hector.yaml:2: agents: a key must be plain text"),
    (
        "a merge of something else",
        "agents:\n  a:\n    <<: 5\n",
        "hector.yaml:3: agents.a: a merge (<<) takes a mapping, or a list of mappings",
    ),
    ("not UTF-8", b"agents: {}\n# caf\xe9\n", "hector.yaml:2: this is not UTF-8 text; save the file as UTF-8"),
    ("UTF-16", "agents: {}\n".encode("utf-16"), "hector.yaml:1: this is not UTF-8 text; save the file as UTF-8"),
    ("too large a file", b"#" * (256 * 1024 + 1), "hector.yaml: the file is larger than 256 KiB"),
    # variables
    (
        "half a character",
        'agents: {a: {description: "\\ud800"}}\n',
        "hector.yaml:1: agents.a.description: this text holds a NUL or half a character (a lone surrogate)",
    ),
    (
        "a NUL",
        'llms: {a: {provider: local, model: "\\0"}}\n',
        "hector.yaml:1: llms.a.model: this text holds a NUL or half a character (a lone surrogate)",
    ),
    (
        "a key with half a character",
        'agents: {"\\ud800": {}}\n',
        "hector.yaml:1: agents: this text holds a NUL or half a character (a lone surrogate)",
    ),
    (
        "a variable that is not set",
        "llms:\n  a:\n    provider: openai\n    api_key: ${MY_KEY}\n",
        "hector.yaml:4: llms.a.api_key: the environment variable MY_KEY is not set; "
        "set it, or give a default: ${MY_KEY:-…}",
    ),
    (
        "braces that hold no variable",
        "agents:\n  a:\n    instruction: 'Write ${x + y}'\n",
        "hector.yaml:3: agents.a.instruction: expected ${NAME} or ${NAME:-default} here; write $${ for a literal ${",
    ),
    (
        "a brace that is never closed",
        "agents:\n  a:\n    instruction: 'Write ${X'\n",
        "hector.yaml:3: agents.a.instruction: expected ${NAME} or ${NAME:-default} here; write $${ for a literal ${",
    ),
    (
        "a variable in a variable",
        "agents:\n  a:\n    instruction: ${A:-${B}}\n",
        "hector.yaml:3: agents.a.instruction: a default must be plain text, and that of ${A} holds another ${",
    ),
]


@pytest.mark.parametrize(("text", "problem"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_wrong_file_is_told_what_is_wrong_and_where(text, problem, problems):
    assert problems(text) == [problem]


def test_all_problems_are_told_at_once_in_the_order_of_the_file(problems):
    text = """\
server:
  port: 99999
agents:
  assistant:
    llm: mian
    memry: {}
    tools: [serch, 5, "${UNSET}"]
    memory:
      working: {strategy: window, summarizer: none}
  assistant: {}
llms:
  main: {provider: opnai, api_key: 5}
  broken: 7
tools:
  t: {type: mpc}
storage: {url: nowhere}
"""
    assert [problem.split(": ")[0:2] for problem in problems(text)] == [
        ["hector.yaml:2", "server.port"],
        ["hector.yaml:5", "agents.assistant.llm"],
        ["hector.yaml:6", "agents.assistant.memry"],
        ["hector.yaml:7", "agents.assistant.tools[0]"],
        ["hector.yaml:7", "agents.assistant.tools[1]"],
        ["hector.yaml:7", "agents.assistant.tools[2]"],
        ["hector.yaml:9", "agents.assistant.memory.working.strategy"],
        ["hector.yaml:9", "agents.assistant.memory.working.summarizer"],
        ["hector.yaml:10", "agents.assistant"],
        ["hector.yaml:12", "llms.main.api_key"],
        ["hector.yaml:12", "llms.main.provider"],
        ["hector.yaml:13", "llms.broken"],
        ["hector.yaml:15", "tools.t.type"],
        ["hector.yaml:16", "storage.url"],
    ]


def test_one_problem_is_not_told_twice_because_of_what_follows_from_it(problems):
    text = """\
llms:
  a: {provider: "${UNSET}"}
  b: {provider: openai-compatible, base_url: 5}
tools:
  t: {type: mcp, url: 5}
agents:
  x: {llm: a, tools: [t], memory: {working: {threshold: high, target: 0.9}}}
"""
    assert [problem.split(": ")[1] for problem in problems(text)] == [
        "llms.a.provider",
        "llms.b.base_url",
        "tools.t.url",
        "agents.x.memory.working.threshold",
    ]


def test_an_anchor_with_a_problem_is_told_once(problems):
    text = "agents:\n  a: &a\n    llm: ${UNSET}\n    llm: x\n  b: *a\n  c: *a\n"
    assert len(problems(text)) == 2


def test_secrets_are_not_told(problems):
    secret = "hunter2"
    environ = {"SECRET": secret}
    text = """\
llms:
  ${SECRET}: {provider: openai}
  a:
    provider: ${SECRET}
    api_key: [hunter2]
    timeout: ${SECRET}
    max_tokens: ${SECRET}
    thinking: ${SECRET}
    base_url: hunter2
    temperature: x${SECRET}
server:
  token: {hunter2: hunter2}
  tokens: {hunter2: 5, "${SECRET}x": 6}
  port: ${SECRET}
  allow_origins: ["${SECRET}"]
storage:
  url: mysql://user:hunter2@host/db
tools:
  t: {type: mcp, command: [x], env: {KEY: [hunter2]}}
agents:
  a: {llm: "${SECRET}2", tools: ["${SECRET}"]}
  b: {llm: other}
  "${SECRET} x": {}
"""
    found = problems(text, environ)
    assert len(found) == 17
    assert secret not in "\n".join(found)


@pytest.mark.parametrize("odd", ["\\e[2J", "\\u202e", "\\n", "\\ud800", "\\x9b"])
def test_a_file_cannot_play_tricks_on_a_terminal(odd, problems):
    text = f"""\
llms:
  "a{odd}": {{provider: "b{odd}"}}
agents:
  "c{odd}": {{}}
  d: {{llm: "e{odd}", tools: ["f{odd}"], description: "{odd}"}}
"g{odd}": {{}}
"""
    found = problems(text)
    assert len(found) >= 4
    assert all(problem.isprintable() for problem in found)


def test_many_problems_are_cut(problems):
    found = problems("".join(f"key{number}: 1\n" for number in range(5000)))
    assert len(found) == 101
    assert found[-1] == "hector.yaml: and more problems"


BILLION = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{','.join(['*' + before] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
FAR_TOO_MUCH = [
    ("a billion laughs", BILLION, "hector.yaml:1: the file holds more than 20000 values (aliases count each time)"),
    ("a billion merges", MERGES, "hector.yaml:1: the file holds more than 20000 values (aliases count each time)"),
    ("an alias in itself", "a: &a [*a]\n", "hector.yaml:1: an alias (*) leads back into itself"),
    ("a merge of itself", "a: &a {<<: *a}\n", "hector.yaml:1: a merge (<<) leads back into itself"),
    ("very deep lists", "\na: " + "[" * 10_000, "hector.yaml:2: the nesting is too deep"),
]


@pytest.mark.parametrize(("text", "problem"), [row[1:] for row in FAR_TOO_MUCH], ids=[row[0] for row in FAR_TOO_MUCH])
def test_no_file_takes_long_to_read(text, problem, problems):
    began = time.perf_counter()
    assert problems(text) == [problem]
    assert time.perf_counter() - began < 5


def test_many_names_that_are_almost_right_do_not_take_long(problems):
    llms = "".join(f"  model{number}: {{provider: openai}}\n" for number in range(1500))
    agents = "".join(f"  agent{number}: {{llm: modle{number}}}\n" for number in range(1500))
    began = time.perf_counter()
    assert len(problems(f"llms:\n{llms}agents:\n{agents}")) == 101
    assert time.perf_counter() - began < 10
