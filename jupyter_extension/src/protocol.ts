/**
 * What the kernel and the chat's front end say to each other.
 *
 * The kernel owns the state (`ChatState`) and all that it means; the front end draws it and keeps only what is of one view (what is
 * open, what is scrolled where) or of the person typing (the draft). Its twin in Python is `hector_nb/frontends/widget/state.py`.
 *
 * - The trait `snapshot` holds the whole state whenever a front end asks for the model: when it is first shown and after a page reload.
 *   It is never sent because something changed.
 * - What changes comes as custom messages `{t: "ops", n, ops}`, at most 20 a second, `n` growing by one. A front end that sees a gap in
 *   `n`, or messages before it has a snapshot, asks for all: `sync`, answered by `{t: "snapshot", snapshot}`.
 * - What the person does goes to the kernel as a `Command` with an `id` of its own; the kernel answers each with `{t: "reply", id, …}`
 *   once it is done: `data` for questions, `error` where it was refused. Until then the front end knows that the kernel has not heard it.
 *
 * Times are RFC 3339 in UTC, durations are seconds, ids are those of the REST API; ledgers, memories and sessions have its JSON form.
 */

/** Version of this protocol; the front end says so if the kernel's differs. */
export const PROTOCOL = 1;

/** Where in the state something changes: names of members, and places in lists. */
export type Path = (string | number)[];

/**
 * `set` puts a value, `add` adds text to a string, `push` adds an item to a list, `cut` shortens a list to a length or removes a member
 * (where the path leads to a member, with no third part).
 */
export type Op =
  | ["set", Path, unknown]
  | ["add", Path, string]
  | ["push", Path, unknown]
  | ["cut", Path, number?];

export type FromKernel =
  | { t: "ops"; n: number; ops: Op[] }
  | { t: "snapshot"; snapshot: Snapshot }
  | { t: "reply"; id: string; data?: unknown; error?: Problem };

export interface Snapshot {
  protocol: number;
  /** Number of the last `ops` message that is contained. */
  n: number;
  /** Seconds since the epoch on the kernel's clock when the snapshot was made, for counting down without trusting two clocks to agree. */
  now: number;
  state: ChatState;
}

export interface ChatState {
  agent: AgentCard;
  session: SessionHead | null;
  /** Oldest first. */
  turns: Turn[];
  /** Whether the session has turns older than the first of `turns` (`earlier` brings them). */
  more: boolean;
  /** Messages of this widget that wait for their place, oldest first. */
  queue: Queued[];
  /** What stands against the budget after the newest turn; null before the first. */
  meter: Meter | null;
  /** Where the model's view begins; null while it sees all. */
  window: WindowLine | null;
  /** Something that concerns the chat and no turn: cannot open, agent gone. */
  problem: Problem | null;
  /** What the empty chat offers. */
  welcome: Welcome;
}

export interface AgentCard {
  name: string;
  description: string;
  model: string;
  /** Where the model runs; null: in the kernel. */
  host: string | null;
  /** Tools that ask first, in words: "writes a file", "runs a command". */
  asks: string[];
  /** Whether a stop or a word on an approval also reaches the session through the Jupyter server (same store). */
  reachable: boolean;
  strategy: string;
  /** Fractions of the budget; null where the strategy does not fold. */
  threshold: number | null;
  target: number | null;
  /** Scope of long-term memory in the configuration's word; null: off. */
  longterm: string | null;
  /** Other agents that the session picker offers. */
  others: string[];
}

export interface SessionHead {
  session_id: string;
  title: string;
  status: "active" | "ended" | "expired";
  created_at: string;
  last_active_at: string;
  expires_at: string | null;
  message_count: number;
}

export interface Queued {
  /** Id of the command that sent it. */
  id: string;
  text: string;
}

export type TurnStatus =
  | "queued" // waits for its place in the session
  | "waiting" // for the first token
  | "thinking"
  | "writing"
  | "tool" // a tool runs
  | "approval" // waits for a person's word
  | "stopping"
  | "done"
  | "stopped"
  | "failed"
  | "interrupted";

export interface Turn {
  turn_id: string;
  question: { message_id: string; text: string; at: string };
  parts: Part[];
  status: TurnStatus;
  /** Kernel clock, seconds since the epoch, at which the turn began; null for turns of the past. */
  started: number | null;
  /** Seconds the turn took; null while it runs, and where it is not known. */
  seconds: number | null;
  /** Tokens of the answer so far; `estimated` while they are not the provider's. */
  tokens: number;
  estimated: boolean;
  /** Id of the answer's last message; null until it is stored. */
  message_id: string | null;
  finish_reason: string | null;
  /** Number of long-term memories that the model was shown. */
  memories: number;
  problem: Problem | null;
}

export type Part =
  | { kind: "text"; text: string }
  | { kind: "thinking"; text: string; seconds: number | null }
  | ToolPart;

export interface ToolPart {
  kind: "tool";
  call_id: string;
  name: string;
  /** `Running`, `Writing`, … and, once it is over, `Ran`, `Wrote`. */
  verb: string;
  /** The argument that tells most, whole; empty if none. */
  subject: string;
  arguments: Record<string, unknown>;
  status: "waiting" | "running" | "done" | "failed" | "denied" | "expired" | "cancelled";
  /** What came of it in a few words, `3 hits`; may be empty. */
  result: string;
  /** At most 20,000 characters; `output` brings all of it. */
  output: string;
  seconds: number | null;
  /** There while the call waits for a person's word. */
  approval: ApprovalCard | null;
  /** The answer of a called agent as it comes. */
  nested: { agent: string; text: string } | null;
}

export interface ApprovalCard {
  /** `Run this command?` */
  question: string;
  /** The whole command, or the path: never cut, control characters visible. */
  subject: string;
  /** The content that would be written, or all arguments as JSON; null if the subject says it all. */
  body: string | null;
  /** Unified diff against the file that is there. */
  diff: string | null;
  /** Kernel clock, seconds since the epoch. */
  deadline: number;
  /** The wider permission in words: `Allow execute_command for the rest of this session`. */
  wider: string;
}

export interface Meter {
  tokens: number;
  budget: number;
  estimated: boolean;
  /** In the order of the bar; only those above zero. */
  parts: { part: PartName; tokens: number; items: number }[];
  folds_next: boolean;
}

export type PartName = "system" | "summary" | "memory" | "message" | "tools";

export interface WindowLine {
  /** The first turn that the model sees word for word. */
  turn_id: string;
  /** Tokens of the turns above and of the summary that stands for them; null: they are just left out. */
  folded: { from: number; to: number } | null;
  /** A summary is being written now, of this many turns. */
  folding: number | null;
}

export interface Welcome {
  /** At most three. */
  prompts: string[];
  memories: number;
  sessions: number;
}

export interface Problem {
  /** The error table's code. */
  code: string;
  /** What happened, one sentence. */
  title: string;
  /** What is kept, and what to do. */
  text: string;
  /** For the fold `Details`; may be empty. */
  details: string;
  /** Whether trying again may help, and when it is tried by itself (kernel clock, seconds since the epoch). */
  retryable: boolean;
  retry_at: number | null;
}

/** What the person does. Each is sent with a fresh `id`; turns are named so that a stale click does nothing. */
export type Command =
  | { t: "sync" }
  | { t: "send"; text: string }
  | { t: "unqueue"; queued: string }
  | { t: "stop"; turn_id: string }
  | { t: "retry"; turn_id: string }
  /** Replaces the turn and those after it; with `fork` in a new session. */
  | { t: "edit"; turn_id: string; text: string; fork: boolean }
  | { t: "decide"; turn_id: string; call_id: string; decision: "approve" | "deny"; always: boolean }
  /** A new session with the history up to the turn (null: all of it); the chat goes on there. */
  | { t: "fork"; turn_id: string | null }
  | { t: "rewind"; turn_id: string }
  | { t: "new"; agent: string | null }
  | { t: "open"; session_id: string }
  | { t: "rename"; title: string }
  | { t: "end" }
  | { t: "delete"; forget: boolean }
  /** Replaces the output by the conversation as plain Markdown. */
  | { t: "freeze" }
  | { t: "earlier" }
  /** → `SessionPage` */
  | { t: "sessions"; query: string; cursor: string | null }
  /** → `{filename, mime, text}` */
  | { t: "export"; format: "markdown" | "json" | "ipynb" }
  /** → `{text}` */
  | { t: "output"; call_id: string }
  /** → `Ledger`; null: what the model would see now. */
  | { t: "context"; turn_id: string | null }
  /** → `MemoryPage`, newest first, or best match first with a query. */
  | { t: "memories"; query: string; cursor: string | null }
  /** → `Memory` */
  | { t: "correct"; memory_id: string; text: string }
  | { t: "forget"; memory_id: string }
  /** Within 10 s of `forget`. → `Memory` */
  | { t: "restore"; memory_id: string };

export interface SessionPage {
  sessions: (SessionHead & { agent: string; running: boolean })[];
  next_cursor: string | null;
}

export interface LedgerPart {
  kind: PartName;
  tokens: number;
  /** null: forgotten or erased since. */
  text: string | null;
  role?: "user" | "assistant" | "tool";
  message_id?: string;
  /** The turn that a message belongs to. */
  turn_id?: string;
  memory_id?: string;
  session_id?: string;
  session_title?: string;
  score?: number | null;
  keyword_score?: number | null;
  vector_score?: number | null;
  created_at?: string;
  drops_next?: boolean;
}

export interface Ledger {
  session_id: string;
  turn_id: string | null;
  agent: string;
  model: string;
  strategy: string;
  budget: number;
  budget_note: string | null;
  /** Against the budget: all parts but `tools`. */
  tokens: number;
  estimated: boolean;
  left_out: number;
  requests: number;
  parts: LedgerPart[];
  /** All turns of the session that have a ledger, oldest first, for the pager; at most 500. */
  turns: string[];
}

export interface Memory {
  memory_id: string;
  text: string;
  kind: "exchange" | "summary";
  scope: string;
  user: string;
  session_id: string;
  session_title: string | null;
  created_at: string;
  corrected_at: string | null;
  tokens: number;
  /** Whether this user gave it, and so may correct and forget it. */
  own: boolean;
  score?: number;
  keyword_score?: number | null;
  vector_score?: number | null;
}

export interface MemoryPage {
  scope: string | null;
  memories: Memory[];
  next_cursor: string | null;
  /** Messages that long-term memory has not taken in yet. */
  pending: number;
}
