/** A tool call, or thinking, in one line that opens; finished ones in a row fold into one line. */
import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import { type RowPart, together } from "../folding";
import { count, seconds } from "../format";
import { useView } from "../hooks";
import { Icon, type IconName } from "../icons";
import type { ToolPart, Turn } from "../protocol";
import { isRunning } from "../selectors";
import type { Store } from "../store";
import { CopyButton } from "./CopyButton";
import { Markdown } from "./Markdown";
import { Visible } from "./Visible";

interface RowProps<Of> {
  store: Store;
  turn: Turn;
  part: Of;
}

const ICONS: Record<Exclude<ToolPart["status"], "running">, IconName> = {
  waiting: "alert",
  done: "check",
  failed: "close",
  denied: "denied",
  expired: "denied",
  cancelled: "end",
};
/** What is said of a call besides its result; of what did not happen, instead of its verb. */
const WORDS: Partial<Record<ToolPart["status"], string>> = {
  waiting: "Waiting",
  failed: "Failed",
  denied: "Denied",
  expired: "No answer, denied",
  cancelled: "Stopped",
};
/** Seconds that would be written as nought. */
const SHORT = 0.05;
/** The kernel sends as many characters of an output; `output` brings the rest. */
const SENT = 20_000;

export function ToolRow(props: RowProps<RowPart>) {
  const { part } = props;
  return part.kind === "tool" ? <CallRow {...props} part={part} /> : <ThoughtRow {...props} part={part} />;
}

function CallRow({ store, turn, part }: RowProps<ToolPart>) {
  const running = part.status === "running" && isRunning(turn);
  const status = part.status === "running" && !running ? "cancelled" : part.status;
  const refused = status === "denied" || status === "expired" || status === "waiting";
  const told = [refused ? "" : WORDS[status], part.result, part.seconds === null || part.seconds < SHORT ? "" : seconds(part.seconds)].filter(Boolean);
  return (
    <Row
      store={store}
      fold={`tool:${part.call_id}`}
      status={status}
      icon={status === "running" ? <i class="ring" /> : <Icon name={ICONS[status]} size={14} />}
      verb={refused ? WORDS[status]! : part.verb}
      subject={part.subject || (refused ? part.name : "")}
      told={told.join(" · ")}
      below={part.nested && (running || part.nested.text) ? <Nested store={store} part={part} running={running} /> : null}
    >
      <Arguments part={part} />
      <Output store={store} part={part} />
    </Row>
  );
}

function ThoughtRow({ store, turn, part }: RowProps<Extract<RowPart, { kind: "thinking" }>>) {
  const running = part.seconds === null && isRunning(turn) && turn.parts.at(-1) === part;
  const verb = running ? "Thinking" : part.seconds === null || part.seconds < SHORT ? "Thought" : `Thought for ${seconds(part.seconds)}`;
  return (
    <Row
      store={store}
      fold={`thought:${turn.turn_id}:${turn.parts.indexOf(part)}`}
      status={running ? "running" : "thought"}
      icon={running ? <i class="ring" /> : <Icon name="thought" size={14} />}
      verb={verb}
    >
      <div class="thought">{part.text}</div>
    </Row>
  );
}

/** Finished rows as one: `4 tools · 1.9 s`. */
export function RowFold({ store, turn, rows }: { store: Store; turn: Turn; rows: RowPart[] }) {
  const calls = rows.filter((row) => row.kind === "tool");
  const failed = calls.filter((call) => call.status === "failed").length;
  const took = together(rows);
  const first = rows[0]!;
  return (
    <Row
      store={store}
      fold={`rows:${turn.turn_id}:${turn.parts.indexOf(first)}`}
      status={failed ? "failed" : "done"}
      icon={<Icon name={failed ? "alert" : "check"} size={14} />}
      verb={calls.length === rows.length ? count(calls.length, "tool") : count(rows.length, "step")}
      subject={[...new Set(calls.map((call) => call.name))].join(", ")}
      told={[failed ? `${failed} failed` : "", took === null ? "" : seconds(took)].filter(Boolean).join(" · ")}
      bare
    >
      {rows.map((row, index) => (
        <ToolRow key={row.kind === "tool" ? row.call_id : index} store={store} turn={turn} part={row} />
      ))}
    </Row>
  );
}

interface RowFrame {
  store: Store;
  /** Key of the fold in the store. */
  fold: string;
  status: string;
  icon: ComponentChildren;
  verb: string;
  subject?: string;
  told?: string;
  /** What opens is rows again, not a text. */
  bare?: boolean;
  /** Stands under the row also while it is shut. */
  below?: ComponentChildren;
  children: ComponentChildren;
}

function Row({ store, fold, status, icon, verb, subject, told, bare, below, children }: RowFrame) {
  const open = useView(store, (view) => view.ui.folds[fold] ?? false);
  const body = useId();
  return (
    <div class="tool" data-status={status}>
      <button
        type="button"
        class="tool-row"
        aria-expanded={open}
        aria-controls={open ? body : undefined}
        onClick={() => store.fold(fold, !open)}
      >
        <span class="tool-icon">{icon}</span>
        <span class="tool-verb">{verb}</span>
        {subject && (
          <span class="tool-subject">
            <Visible text={firstLine(subject)} />
          </span>
        )}
        {told && <span class="tool-told">{told}</span>}
        <span class="tool-chevron">
          <Icon name={open ? "chevronDown" : "chevronRight"} size={14} />
        </span>
      </button>
      {below}
      {open && (
        <div id={body} class={bare ? "tool-rows" : "tool-body"}>
          {children}
        </div>
      )}
    </div>
  );
}

const firstLine = (text: string): string => {
  const line = text.split("\n", 1)[0]!;
  return line.length < text.trimEnd().length ? `${line} …` : line;
};

function Arguments({ part }: { part: ToolPart }) {
  const named = Object.entries(part.arguments);
  if (named.length === 0) return null;
  return (
    <dl class="tool-arguments">
      {named.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <Visible text={typeof value === "string" ? value : JSON.stringify(value, null, 2)} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Output({ store, part }: { store: Store; part: ToolPart }) {
  const [whole, setWhole] = useState<string | null>(null);
  const asked = useView(store, (view) =>
    view.pending.some(({ command }) => command.t === "output" && command.call_id === part.call_id),
  );
  const text = whole ?? part.output;
  if (!text) return part.status === "done" ? <p class="tool-none">No output</p> : null;
  const fetch = () => store.ask<{ text: string }>({ t: "output", call_id: part.call_id }).then((answer) => answer.text);
  const cut = whole === null && part.output.length >= SENT;
  return (
    <figure class="box">
      <figcaption class="box-bar">
        <span>Output</span>
        {cut && (
          <button type="button" class="small-button" disabled={asked} onClick={() => void fetch().then(setWhole, () => undefined)}>
            Show all
          </button>
        )}
        <CopyButton what="Copy output" text={() => (cut ? fetch() : text)} />
      </figcaption>
      <pre role="group" tabIndex={0} aria-label="Output">
        <Visible text={text} />
      </pre>
    </figure>
  );
}

/** What a called agent says, under its call; shut once it is done. */
function Nested({ store, part, running }: { store: Store; part: ToolPart; running: boolean }) {
  const key = `nested:${part.call_id}`;
  const open = useView(store, (view) => view.ui.folds[key] ?? running);
  const { agent, text } = part.nested!;
  return (
    <div class="nested">
      <button type="button" class="nested-agent" aria-expanded={open} onClick={() => store.fold(key, !open)}>
        {agent}
        <Icon name={open ? "chevronDown" : "chevronRight"} size={14} />
      </button>
      {open && (
        <div class="nested-text">
          <Markdown text={text} writing={running} />
        </div>
      )}
    </div>
  );
}
