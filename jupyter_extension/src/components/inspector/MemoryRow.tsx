/** One memory: its text, how well it matched, where it comes from; corrected in place, forgotten with ten seconds to think again. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { date, whole } from "../../days";
import { usePlace, useView } from "../../hooks";
import { hits } from "../../hits";
import { Icon } from "../../icons";
import type { Memory } from "../../protocol";
import { Refused, type Store } from "../../store";
import { Correction } from "./Correction";
import { FORGOTTEN } from "./LedgerRows";

export interface Shown {
  memory_id: string | null;
  /** null: forgotten since. */
  text: string | null;
  session_id: string | null;
  session_title: string | null;
  created_at: string | null;
  corrected_at?: string | null;
  score: number | null;
  keyword: number | null;
  vector: number | null;
  /** Scope and kind in words. */
  about?: string;
}

interface MemoryRowProps {
  store: Store;
  memory: Shown;
  /** Words whose hits are marked. */
  query?: string;
  /** Of a turn that is over: what was sent does not change. */
  still?: boolean;
  /** Whether it may be corrected and forgotten; unknown: the kernel says. */
  own?: boolean;
  corrected?(memory: Memory): void;
  /** It is gone, and nobody has called it back. */
  gone?(): void;
}

type Doing = "nothing" | "correcting" | "forgotten" | "gone";
/** How long a memory can be called back. */
const UNDO_MS = 10_000;

export function MemoryRow({ store, memory, query = "", still, own = true, corrected, gone }: MemoryRowProps) {
  const [doing, go] = useState<Doing>("nothing");
  const [since, setSince] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const { say } = usePlace();
  const text = doing === "gone" ? null : memory.text;
  const refuse = (why: unknown) => setProblem(why instanceof Refused ? `${why.problem.title} ${why.problem.text}`.trim() : "It did not work.");

  useEffect(() => {
    if (doing !== "forgotten") return;
    const timer = setTimeout(() => {
      if (box.current?.querySelector(":focus")) box.current.nextElementSibling?.querySelector<HTMLElement>("button")?.focus();
      go("gone");
      gone?.();
    }, UNDO_MS);
    return () => clearTimeout(timer);
  }, [doing]);

  const forget = () => {
    setProblem(null);
    store.ask({ t: "forget", memory_id: memory.memory_id! }).then(() => {
      go("forgotten");
      say("Forgotten. For ten seconds it can be put back.");
    }, refuse);
  };
  const undo = () => {
    store.ask({ t: "restore", memory_id: memory.memory_id! }).then(() => {
      go("nothing");
      say("Put back.");
    }, refuse);
  };
  if (doing === "forgotten") return <Forgotten box={box} text={memory.text ?? ""} undo={undo} problem={problem} />;
  return (
    <div ref={box} class="memory">
      {doing === "correcting" ? (
        <Correction
          store={store}
          memoryId={memory.memory_id!}
          text={memory.text!}
          end={(saved) => {
            go("nothing");
            if (saved && still) setSince(saved.text);
            if (saved) corrected?.(saved);
          }}
        />
      ) : (
        <Text store={store} fold={`memory:${memory.memory_id}`} text={text} query={query} />
      )}
      <div class="memory-foot">
        <Facts store={store} memory={memory} />
        {own && text !== null && memory.memory_id && doing === "nothing" && (
          <span class="memory-acts">
            <button type="button" class="memory-act" aria-label="Correct" title="Correct" onClick={() => go("correcting")}>
              <Icon name="edit" size={14} />
            </button>
            <button type="button" class="memory-act" aria-label="Forget" title="Forget" onClick={forget}>
              <Icon name="forget" size={14} />
            </button>
          </span>
        )}
      </div>
      {since !== null && <p class="memory-since">Corrected since: “{since}”</p>}
      {problem && (
        <p class="ask-problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

/** Two lines, and the rest on a click. */
function Text({ store, fold, text, query }: { store: Store; fold: string; text: string | null; query: string }) {
  const open = useView(store, (view) => view.ui.folds[fold] ?? false);
  if (text === null) return <p class="memory-text memory-lost">{FORGOTTEN}</p>;
  return (
    <button type="button" class="memory-text" aria-expanded={open} data-open={open || undefined} onClick={() => store.fold(fold, !open)}>
      {hits(text, query).map((run, index) => (run.marked ? <mark key={index}>{run.text}</mark> : run.text))}
    </button>
  );
}

function Facts({ store, memory }: { store: Store; memory: Shown }) {
  const now = new Date();
  const here = useView(store, (view) => view.state?.session?.session_id === memory.session_id);
  const title = here ? "This session" : memory.session_title || "Earlier session";
  const open = () => store.tell({ t: "open", session_id: memory.session_id! });
  return (
    <span class="memory-facts">
      {memory.score !== null && <Score memory={memory} score={memory.score} />}
      {memory.session_id && !here && memory.session_title !== null ? (
        <button type="button" class="memory-origin" title={`Open “${title}”`} onClick={open}>
          {title}
        </button>
      ) : (
        memory.session_id && <span class="memory-where">{title}</span>
      )}
      {memory.created_at && <time title={whole(memory.created_at)}>{date(memory.created_at, now)}</time>}
      {memory.about && <span>{memory.about}</span>}
      {memory.corrected_at && <span>corrected {date(memory.corrected_at, now)}</span>}
    </span>
  );
}

function Score({ memory, score }: { memory: Shown; score: number }) {
  const part = (name: string, value: number | null) => `${name} ${value === null ? "no match" : value.toFixed(2)}`;
  const parts = `${part("keyword", memory.keyword)} · ${part("vector", memory.vector)}`;
  return (
    <span class="score" title={parts} tabIndex={0} role="img" aria-label={`Score ${score.toFixed(2)}: ${parts}`}>
      <i class="score-bar">
        <i style={{ width: `${100 * Math.max(0, Math.min(1, score))}%` }} />
      </i>
      {score.toFixed(2)}
    </span>
  );
}

interface ForgottenProps {
  box: { current: HTMLDivElement | null };
  text: string;
  undo(): void;
  problem: string | null;
}

function Forgotten({ box, text, undo, problem }: ForgottenProps) {
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => button.current?.focus({ preventScroll: true }), []);
  return (
    <div ref={box} class="memory memory-forgotten">
      <span class="memory-forgotten-text">
        Forgotten: “{text}”
      </span>
      <button ref={button} type="button" class="text-button" onClick={undo}>
        Undo
      </button>
      {problem && (
        <p class="ask-problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
