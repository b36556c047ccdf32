/** Pieces of a conversation, for the gallery and the tests. */
import type {
  AgentCard,
  ChatState,
  Ledger,
  LedgerPart,
  Memory,
  MemoryPage,
  Meter,
  Problem,
  SessionHead,
  SessionPage,
  ToolPart,
  Turn,
} from "../src/protocol";

export const NOW = Date.now() / 1000;
const AT = "2026-11-12T11:04:00Z";

export const AGENT: AgentCard = {
  name: "analyst",
  description: "Answers questions about the sales figures in this folder, and shows its work.",
  model: "qwen2.5-3b-instruct",
  host: null,
  asks: ["writes a file", "runs a command"],
  reachable: false,
  strategy: "summary_buffer",
  threshold: 0.8,
  target: 0.6,
  longterm: "conversational",
  others: ["reviewer", "librarian"],
};

export const SESSION: SessionHead = {
  session_id: "ses_1",
  title: "Sales by region",
  status: "active",
  created_at: AT,
  last_active_at: AT,
  expires_at: null,
  message_count: 14,
};

export const METER: Meter = {
  tokens: 2122,
  budget: 4000,
  estimated: false,
  parts: [
    { part: "system", tokens: 312, items: 1 },
    { part: "summary", tokens: 420, items: 1 },
    { part: "memory", tokens: 186, items: 3 },
    { part: "message", tokens: 1204, items: 9 },
    { part: "tools", tokens: 309, items: 4 },
  ],
  folds_next: false,
};

export const CODE = `import pandas as pd

def by_region(path: str) -> pd.DataFrame:
    """Revenue by region, largest first."""
    sales = pd.read_csv(path, parse_dates=["date"])
    third = sales[sales["date"].dt.quarter == 3]  # July to September
    return third.groupby("region")["revenue"].sum().sort_values(ascending=False)`;

export const ANSWER = `**North** leads the third quarter with 1.42 million, 18 % ahead of South. Its stores opened in October last year, so the comparison with Q3 2025 covers *eight* stores against five.

| Region | Revenue | Change | Share |
| --- | ---: | ---: | ---: |
| North | 1,421,300 | +18.2 % | 38 % |
| South | 1,203,950 | +4.1 % | 32 % |
| East | 689,400 | −2.7 % | 18 % |
| West | 448,120 | +0.4 % | 12 % |

Three things stand out:

- The new stores add 212,000 to North; without them it would be level with South.
- East lost most of its revenue in \`September\`, when the warehouse was closed.
- West has not moved for four quarters.

\`\`\`python
${CODE}
\`\`\`

Call \`by_region("sales.csv")\` to see the table yourself.`;

let made = 0;

export function turn(question: string, answer: string, change: Partial<Turn> = {}): Turn {
  made += 1;
  return {
    turn_id: `turn_${made}`,
    question: { message_id: `msg_q${made}`, text: question, at: AT },
    parts: answer ? [{ kind: "text", text: answer }] : [],
    status: "done",
    started: null,
    seconds: 4.8,
    tokens: 412,
    estimated: false,
    message_id: `msg_a${made}`,
    finish_reason: "stop",
    memories: 0,
    problem: null,
    ...change,
  };
}

export function running(question: string, answer: string, status: Turn["status"], change: Partial<Turn> = {}): Turn {
  return turn(question, answer, {
    status,
    started: NOW - 1.3,
    seconds: null,
    tokens: 58,
    estimated: true,
    message_id: null,
    finish_reason: null,
    ...change,
  });
}

export function tool(change: Partial<ToolPart> = {}): ToolPart {
  made += 1;
  return {
    kind: "tool",
    call_id: `call_${made}`,
    name: "search",
    verb: "Searched",
    subject: "sales by region",
    arguments: { query: "sales by region", limit: 5 },
    status: "done",
    result: "3 hits",
    output: "notes/q3-planning.md  0.86\nnotebooks/sales.ipynb  0.71\nREADME.md  0.44",
    seconds: 0.2,
    approval: null,
    nested: null,
    ...change,
  };
}

export const COMMAND = tool({
  name: "execute_command",
  verb: "Run",
  subject: "python report.py --quarter 3 --out report.html",
  arguments: { command: "python report.py --quarter 3 --out report.html" },
  status: "waiting",
  result: "",
  output: "",
  seconds: null,
  approval: {
    question: "Run this command?",
    subject: "python report.py --quarter 3 --out report.html",
    body: null,
    diff: null,
    deadline: NOW + 272,
    wider: "Allow execute_command for the rest of this session",
  },
});

export const WRITING = tool({
  name: "write_file",
  verb: "Write",
  subject: "report.py",
  arguments: { path: "report.py", content: CODE },
  status: "waiting",
  result: "",
  output: "",
  seconds: null,
  approval: {
    question: "Write this file?",
    subject: "report.py",
    body: CODE,
    diff: "--- report.py\n+++ report.py\n@@ -1,3 +1,4 @@\n import pandas as pd\n+import sys\n \n-def main():\n+def main(path: str = sys.argv[1]) -> None:\n     print('Q3')",
    deadline: NOW + 272,
    wider: "Allow write_file for the rest of this session",
  },
});

export const STOPPED_ANSWERING: Problem = {
  code: "provider_timeout",
  title: "The model stopped answering.",
  text: "No data from qwen2.5-3b-instruct for 60 s. What it had said is kept, and the session is intact.",
  details: "ReadTimeout: no bytes for 60.0 s\n  at POST http://127.0.0.1:11434/v1/chat/completions",
  retryable: true,
  retry_at: null,
};

export const UNREACHABLE: Problem = {
  code: "provider_unreachable",
  title: "qwen2.5-3b-instruct cannot be reached.",
  text: "127.0.0.1:11434 refused the connection. Your question is kept.",
  details: "ConnectError: [Errno 111] Connection refused",
  retryable: true,
  retry_at: null,
};

export const LIMITED: Problem = {
  code: "rate_limited",
  title: "qwen2.5-3b-instruct asks for a pause.",
  text: "Too many requests in a minute. Your question is kept, and is sent again by itself.",
  details: "429 Too Many Requests, Retry-After: 20",
  retryable: true,
  retry_at: NOW + 18,
};

export function chat(turns: Turn[], change: Partial<ChatState> = {}): ChatState {
  return {
    agent: AGENT,
    session: SESSION,
    turns,
    more: false,
    queue: [],
    meter: turns.length ? METER : null,
    window: null,
    problem: null,
    welcome: {
      prompts: ["Explain the last error: KeyError 'regoin'", "What is in the data frame sales?", "Go on with Q3 planning"],
      memories: 12,
      sessions: 3,
    },
    ...change,
  };
}

export const FIRST = turn("Which files are here?", "Two: `sales.csv` with 12,480 rows, one for each sale, and `stores.csv`, which names the region of every store.", {
  tokens: 38,
  seconds: 1.2,
});
export const SECOND = turn("Which region leads in the third quarter, and is it really growing or is that only the new stores?", ANSWER, {
  memories: 3,
});

function part(kind: LedgerPart["kind"], tokens: number, text: string, change: Partial<LedgerPart> = {}): LedgerPart {
  return { kind, tokens, text, ...change };
}

export const MEMORIES: Memory[] = [
  ["North’s stores opened in October, so its Q3 covers fewer days than the others’.", 0.86, "Q3 planning", true],
  ["The user wants revenue in thousands, without decimals, and regions in the order of the map.", 0.71, "Report layout", true],
  ["The warehouse in East was closed for two weeks in September 2026.", 0.44, null, false],
].map(([text, score, title, own], index) => ({
  memory_id: `mem_${index + 1}`,
  text: text as string,
  kind: index === 1 ? ("summary" as const) : ("exchange" as const),
  scope: "conversational",
  user: "ada",
  session_id: `ses_${index + 2}`,
  session_title: title as string | null,
  created_at: AT,
  corrected_at: index === 1 ? "2026-11-14T09:30:00Z" : null,
  tokens: 62,
  own: own as boolean,
  score: score as number,
  keyword_score: (score as number) - 0.1,
  vector_score: (score as number) + 0.05,
}));

export function ledger(turns: Turn[], turnId: string | null = null): Ledger {
  const last = turns[turns.length - 1];
  return {
    session_id: SESSION.session_id,
    turn_id: turnId ?? last?.turn_id ?? null,
    agent: AGENT.name,
    model: AGENT.model,
    strategy: AGENT.strategy,
    budget: 4000,
    budget_note: null,
    tokens: 2122,
    estimated: false,
    left_out: 14,
    requests: 2,
    parts: [
      part("system", 312, "You answer questions about the sales figures in this folder. Show how you got a number."),
      part("summary", 420, "The user looked at sales.csv (12,480 rows) and asked for revenue by region…"),
      ...MEMORIES.map((memory) =>
        part("memory", memory.tokens, memory.text, {
          memory_id: memory.memory_id,
          session_id: memory.session_id,
          session_title: memory.session_title ?? undefined,
          score: memory.score,
          keyword_score: memory.keyword_score,
          vector_score: memory.vector_score,
          created_at: memory.created_at,
        }),
      ),
      ...turns.flatMap((one) => [
        part("message", 11, one.question.text, { role: "user", message_id: one.question.message_id, turn_id: one.turn_id }),
        part("message", 591, "Answer text as it was sent.", { role: "assistant", message_id: one.message_id ?? "", turn_id: one.turn_id }),
      ]),
      part("tools", 309, "search(query, limit)\nwrite_file(path, content)\nexecute_command(command)\nagent_call(agent, prompt)"),
    ],
    turns: turns.map((one) => one.turn_id),
  };
}

export const MEMORY_PAGE: MemoryPage = { scope: "conversational", memories: MEMORIES, next_cursor: null, pending: 0 };

export const SESSIONS: SessionPage = {
  sessions: [
    ["ses_1", "Sales by region", "2026-11-23T01:04:00Z", false],
    ["ses_2", "Q3 planning", "2026-11-23T00:12:00Z", true],
    ["ses_3", "Report layout", "2026-11-22T16:40:00Z", false],
    ["ses_4", "Why does the import fail on Windows paths with spaces", "2026-11-12T11:04:00Z", false],
    ["ses_5", "", "2026-11-10T09:00:00Z", false],
  ].map(([id, title, at, isRunning], index) => ({
    ...SESSION,
    session_id: id as string,
    title: title as string,
    last_active_at: at as string,
    created_at: at as string,
    message_count: 18 - index * 3,
    agent: AGENT.name,
    running: isRunning as boolean,
  })),
  next_cursor: null,
};
