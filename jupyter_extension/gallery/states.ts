/** Every state of the chat, by name. */
import type { ChatState } from "../src/protocol";
import type { Ui } from "../src/store";
import type { KernelStatus } from "../src/wire";
import {
  ANSWER,
  chat,
  COMMAND,
  FIRST,
  LIMITED,
  ledger,
  MEMORY_PAGE,
  METER,
  running,
  SECOND,
  SESSION,
  SESSIONS,
  STOPPED_ANSWERING,
  tool,
  turn,
  UNREACHABLE,
  WRITING,
} from "./fixtures";
import { INSPECTOR_STATES } from "./states_inspector";
import type { Answers } from "./wire";

export interface Scene {
  state: ChatState | null;
  ui?: Partial<Ui>;
  kernel?: KernelStatus;
  answers?: Answers;
  /** A message that the kernel has not taken yet. */
  sending?: string;
  /** Where the transcript is scrolled to, in px from its end. */
  up?: number;
  /** Two views of one model. */
  twice?: boolean;
  /** What the person does then. */
  then?(root: ShadowRoot): Promise<void>;
}

const PROMPT = "Write a report for the third quarter and run it.";
const HALF = ANSWER.slice(0, 330);
const IN_CODE = ANSWER.slice(0, ANSWER.indexOf("third = sales") + 30);
const BOTH = [FIRST, SECOND];
const LONG = Array.from({ length: 42 }, (_, line) => `row ${line + 1}: region ${"NSEW"[line % 4]}, revenue ${1000 + line * 37}`);

function calls(): ReturnType<typeof tool>[] {
  return [
    tool(),
    tool({ name: "read_file", verb: "Read", subject: "stores.csv", result: "48 rows", seconds: 0.1 }),
    tool({ name: "search", verb: "Searched", subject: "store openings 2025", result: "1 hit", seconds: 0.3 }),
  ];
}

export const STATES: Record<string, Scene> = {
  empty: { state: chat([], { session: null }) },
  "empty-bare": {
    state: chat([], { session: null, welcome: { prompts: [], memories: 0, sessions: 0 }, agent: { ...chat([]).agent, asks: [], description: "" } }),
  },
  draft: { state: chat(BOTH), ui: { draft: "And what about the fourth quarter?\nOnly the months that are complete." } },
  sending: { state: chat(BOTH), sending: "And the fourth?" },
  waiting: { state: chat([...BOTH, running("And the fourth?", "", "waiting", { tokens: 0 })]) },
  thinking: {
    state: chat([
      ...BOTH,
      running("And the fourth?", "", "thinking", {
        parts: [{ kind: "thinking", text: "The user asks about Q4. Only October is complete.", seconds: null }],
      }),
    ]),
  },
  writing: { state: chat([FIRST, running(SECOND.question.text, HALF, "writing")]) },
  "writing-code": { state: chat([running(SECOND.question.text, IN_CODE, "writing")]), ui: { draft: "Also for 2024" } },
  "writing-up": { state: chat([FIRST, SECOND, running("Once more, please.", HALF, "writing")]), up: 420 },
  queued: {
    state: chat([running(SECOND.question.text, HALF, "writing")], {
      queue: [
        { id: "q1", text: "And then compare it with 2024." },
        { id: "q2", text: "Which stores are in West? List them with their opening day, the size of the shop floor and who runs them." },
      ],
    }),
  },
  "tool-running": {
    state: chat([
      running(PROMPT, "", "tool", {
        parts: [
          { kind: "thinking", text: "I need the figures first.", seconds: 6.2 },
          tool(),
          { kind: "text", text: "The figures are in `sales.csv`. I will run the report on them." },
          tool({ ...COMMAND, call_id: "call_r", approval: null, verb: "Running", status: "running" }),
        ],
      }),
    ]),
  },
  "tools-done": {
    state: chat([turn(PROMPT, "", { parts: [...calls(), tool({ verb: "Ran", subject: "ls", seconds: 0.4, result: "12 lines" }), { kind: "text", text: "Done: the report is in `report.html`." }] })]),
  },
  "tool-failed": {
    state: chat([
      turn(PROMPT, "", {
        parts: [
          tool({ ...COMMAND, call_id: "call_f", approval: null, verb: "Ran", status: "failed", result: "exit code 1", seconds: 0.9, output: "Traceback (most recent call last):\n  File \"report.py\", line 3\nKeyError: 'regoin'" }),
          tool({ ...WRITING, call_id: "call_d", approval: null, verb: "Wrote", status: "denied", seconds: null }),
          tool({ ...WRITING, call_id: "call_e", approval: null, verb: "Wrote", status: "expired", seconds: null }),
          { kind: "text", text: "The command failed: there is a typo in `report.py`, line 3." },
        ],
      }),
    ]),
  },
  nested: {
    state: chat([
      running(PROMPT, "", "tool", {
        parts: [tool({ name: "agent_call", verb: "Asking", subject: "reviewer", status: "running", result: "", output: "", seconds: null, nested: { agent: "reviewer", text: "The totals agree with the **source**; the chart lacks a unit." } })],
      }),
    ]),
  },
  approval: { state: chat([running(PROMPT, "", "approval", { parts: [{ kind: "text", text: "I have written the report; now I run it." }, COMMAND] })]) },
  "approval-file": { state: chat([running(PROMPT, "", "approval", { parts: [WRITING] })]) },
  "approval-out-of-view": { state: chat([FIRST, SECOND, running(PROMPT, ANSWER, "approval", { parts: [{ kind: "text", text: ANSWER }, COMMAND] })]), up: 900 },
  "approval-timed-out": {
    state: chat([turn(PROMPT, "", { parts: [tool({ ...COMMAND, call_id: "call_x", approval: null, verb: "Ran", status: "expired" }), { kind: "text", text: "Nobody answered, so I did not run it." }] })]),
  },
  folding: { state: chat([FIRST, SECOND, running("And the fourth?", "", "waiting")], { window: { turn_id: SECOND.turn_id, folded: null, folding: 6 } }) },
  folded: { state: chat([FIRST, SECOND], { window: { turn_id: SECOND.turn_id, folded: { from: 3100, to: 420 }, folding: null } }) },
  "left-out": { state: chat([FIRST, SECOND], { window: { turn_id: SECOND.turn_id, folded: null, folding: null } }) },
  done: { state: chat(BOTH) },
  stopping: { state: chat([running(SECOND.question.text, HALF, "stopping")]) },
  stopped: { state: chat([turn(SECOND.question.text, HALF, { status: "stopped", tokens: 24, seconds: 0.6, finish_reason: "cancelled" })]) },
  interrupted: { state: chat([turn(SECOND.question.text, HALF, { status: "interrupted", seconds: null })]) },
  "failed-before": { state: chat([FIRST, turn("And the fourth?", "", { status: "failed", tokens: 0, problem: STOPPED_ANSWERING })]) },
  "failed-middle": { state: chat([turn(SECOND.question.text, HALF, { status: "failed", tokens: 61, problem: STOPPED_ANSWERING })]) },
  unreachable: { state: chat([FIRST, turn("And the fourth?", "", { status: "failed", tokens: 0, problem: UNREACHABLE })]) },
  "rate-limited": { state: chat([FIRST, turn("And the fourth?", "", { status: "failed", tokens: 0, problem: LIMITED })]) },
  "cannot-open": {
    state: chat([], { session: null, problem: { code: "config", title: "analyst needs a key.", text: "Set OPENAI_API_KEY and run the cell again.", details: "ConfigError: agents.analyst.model: no key", retryable: false, retry_at: null } }),
  },
  editing: { state: chat([FIRST, SECOND, turn("And the fourth?", "October is up 6 %.")]), ui: { editing: { turn_id: SECOND.turn_id, text: SECOND.question.text } } },
  "long-question": { state: chat([turn(`Sum these up:\n${LONG.join("\n")}`, "42 rows, 74,000 in all.")]) },
  ended: { state: chat(BOTH, { session: { ...SESSION, status: "ended" } }) },
  expired: { state: chat(BOTH, { session: { ...SESSION, status: "expired" } }) },
  "kernel-busy": { state: chat(BOTH), kernel: "busy", sending: "And the fourth?" },
  "kernel-gone": { state: chat(BOTH), kernel: "gone", ui: { draft: "And what about the fourth quarter?" } },
  opening: { state: null },
  "second-view": { state: chat([running(SECOND.question.text, HALF, "writing")]), twice: true },
  "300-messages": { state: chat(Array.from({ length: 150 }, (_, index) => turn(`Question ${index + 1}`, index % 3 ? "A short answer." : ANSWER)), { more: true }) },
  markdown: {
    state: chat([
      turn(
        "Show me all that you can write.",
        "# Heading\n\nA paragraph with a [link](https://example.org), `code`, ~~old~~ and an image ![chart](https://example.org/chart.png).\n\n## Second\n\n1. one\n2. two\n   - nested\n   - items\n\n> A quotation of\n> two lines.\n\n- [x] done\n- [ ] open\n\n---\n\n### Third\n\nPress <kbd>Ctrl</kbd>. A very long line: " +
          "aaaaaaaaaa".repeat(20) +
          "\n\n```\nno language\n```\n\n```sql\nSELECT region, sum(revenue) FROM sales WHERE date >= '2026-07-01' GROUP BY region ORDER BY 2 DESC; -- a long line that scrolls sideways\n```",
      ),
    ]),
  },
  scripts: {
    state: chat(
      [
        turn("ما هي المنطقة التي تتصدر الربع الثالث؟", "المنطقة **الشمالية** تتصدر الربع الثالث بمبلغ 1.42 مليون. انظر `sales.csv`.\n\n- الأولى\n- الثانية\n\n> اقتباس"),
        turn("第三季度哪个地区领先？", "**北部**以142万领先，比南部高出18%。其门店去年十月开业，因此与2025年第三季度的比较涵盖八家门店而非五家。👩🏽‍💻🇪🇺"),
        turn("https://example.org/" + "a-very-long-path/".repeat(12), "| " + Array.from({ length: 12 }, (_, column) => `A rather long heading ${column}`).join(" | ") + " |\n|" + "---|".repeat(12) + "\n|" + " some value |".repeat(12) + "\n\nhttps://example.org/" + "a-very-long-path/".repeat(12)),
      ],
      { session: { ...SESSION, title: "A very long title of a session that says everything that was ever asked in it and does not stop there" }, agent: { ...chat([]).agent, name: "a_very_long_name_of_an_agent_that_knows_everything" } },
    ),
  },
  "inspector-turn": { state: chat(BOTH), ui: { inspector: { tab: "turn", turn_id: null, query: "" } } },
  "inspector-older": { state: chat(BOTH), ui: { inspector: { tab: "turn", turn_id: FIRST.turn_id, query: "" } } },
  "inspector-longterm": { state: chat(BOTH), ui: { inspector: { tab: "longterm", turn_id: null, query: "" } } },
  "inspector-off": {
    state: chat(BOTH, { agent: { ...chat([]).agent, longterm: null } }),
    ui: { inspector: { tab: "longterm", turn_id: null, query: "" } },
    answers: { memories: { scope: null, memories: [], next_cursor: null, pending: 0 } },
  },
  "inspector-no-hit": {
    state: chat(BOTH),
    ui: { inspector: { tab: "longterm", turn_id: null, query: "zebra" } },
    answers: { memories: { ...MEMORY_PAGE, memories: [] } },
  },
  "over-threshold": { state: chat(BOTH, { meter: { ...METER, tokens: 3350, folds_next: true, parts: METER.parts.map((one) => (one.part === "message" ? { ...one, tokens: 2432 } : one)) } }) },
  "over-budget": { state: chat(BOTH, { meter: { ...METER, tokens: 4420, folds_next: true, parts: METER.parts.map((one) => (one.part === "message" ? { ...one, tokens: 3502 } : one)) } }) },
};

Object.assign(STATES, INSPECTOR_STATES);

/** What a kernel of fixtures answers, unless a scene says otherwise. */
export function answersOf(scene: Scene): Answers {
  const turns = scene.state?.turns ?? [];
  return { context: ledger(turns.slice(-6), scene.ui?.inspector?.turn_id ?? null), memories: MEMORY_PAGE, sessions: SESSIONS, ...scene.answers };
}
