"""One example for each block of `hector.yaml`, for the page that `reference.py` writes. Each is a whole file."""

EXAMPLES = {
    "llms.NAME": """\
llms:
  default: {provider: openai, model: gpt-4.1-mini, api_key: "${OPENAI_API_KEY}"}
  claude: {provider: anthropic, model: claude-sonnet-4-5}    # without api_key: ANTHROPIC_API_KEY
  own: {provider: openai-compatible, base_url: "http://localhost:8000/v1", model: qwen3}
  here: {provider: local}                                    # the embedded model, in the process itself
""",
    "agents.NAME": """\
agents:
  assistant:
    description: Answers what people ask.
    instruction: You are a librarian. Answer in two sentences.
  coder:
    instruction: You write small programs and run them.
    tools: [read_file, write_file, execute_command]
""",
    "agents.NAME.memory": """\
agents:
  assistant:
    memory:
      working: {strategy: summary_buffer, budget: 4000}
      longterm: {storage_scope: conversational}
""",
    "agents.NAME.memory.working": """\
agents:
  chatbot:
    memory:
      working: {strategy: buffer_window, window_size: 20}
""",
    "agents.NAME.memory.longterm": """\
agents:
  support:
    memory:
      longterm: {storage_scope: conversational, recall_limit: 3}
""",
    "agents.NAME.reasoning": """\
agents:
  assistant:
    reasoning: {show_thinking: true, show_debug_info: true, max_iterations: 10}
""",
    "agents.NAME.streaming": """\
agents:
  assistant:
    streaming: {chunk_size: 10, delay_ms: 50, on_disconnect: continue}
""",
    "agents.NAME.sessions": """\
sessions: {timeout: 30m}
agents:
  visitor:
    sessions: {max_duration: 1h}    # and the timeout above
""",
    "tools.NAME": """\
agents:
  coder:
    tools: [write_file, execute_command, search, weather]
tools:
  write_file: {root: work, require_approval: never}
  execute_command: {root: work, allow: [python, ls], require_approval: rules}
  search: {folders: [docs, notebooks]}
  weather: {type: mcp, command: [uvx, weather-server], env: {WEATHER_KEY: "${WEATHER_KEY}"}}
""",
    "sessions": """\
sessions: {timeout: 30m, max_duration: 24h, keep_events: 1h}
""",
    "storage": """\
storage: {url: "sqlite:////srv/hector/sessions.db"}
""",
    "server": """\
server:
  port: 9000
  tokens: {"${ADA_TOKEN}": ada, "${BOB_TOKEN}": bob}
  allow_origins: ["https://app.example"]
""",
}
"""YAML by the path of the block."""
