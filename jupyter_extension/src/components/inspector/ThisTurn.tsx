/** One turn's ledger: how much of the budget it took, part by part, and what was recalled for it. */
import { useState } from "preact/hooks";
import type { Asked } from "../../asking";
import { count, percent, whole } from "../../format";
import { useView } from "../../hooks";
import type { Ledger, PartName } from "../../protocol";
import type { Inspect, Store } from "../../store";
import { barLabel, barOf, groupsOf, marksOf } from "./budget";
import { BudgetBar } from "./BudgetBar";
import { LedgerRows } from "./LedgerRows";
import { Recalled } from "./Recalled";
import { useShowTurn } from "./showTurn";

export function ThisTurn({ store, asked, place }: { store: Store; asked: Asked<Ledger>; place: Inspect }) {
  const session = useView(store, (view) => view.state?.session ?? null);
  if (asked.problem) return <Failed title={asked.problem.title} again={asked.again} />;
  if (!session) return <p class="inspector-none">Nothing has been sent yet. What the model sees stands here from the first message on.</p>;
  if (!asked.answer || asked.answer.session_id !== session.session_id) return <Waiting />;
  return <Account store={store} ledger={asked.answer} stale={asked.waiting && asked.answer.turn_id !== place.turn_id} />;
}

export function Failed({ title, again }: { title: string; again(): void }) {
  return (
    <div class="inspector-none" role="alert">
      <p>{title}</p>
      <button type="button" class="outlined" onClick={again}>
        Try again
      </button>
    </div>
  );
}

export function Waiting() {
  return (
    <p class="inspector-none" role="status">
      <i class="ring" /> Asking the kernel
    </p>
  );
}

function Account({ store, ledger, stale }: { store: Store; ledger: Ledger; stale: boolean }) {
  const [lit, light] = useState<PartName | null>(null);
  const agent = useView(store, (view) => view.state?.agent)!;
  const folds = ledger.strategy === "summary_buffer";
  const threshold = folds ? agent.threshold : null;
  const far = threshold !== null && ledger.tokens < (agent.target ?? threshold) * ledger.budget;
  const parts = far ? ledger.parts.map((part) => ({ ...part, drops_next: false })) : ledger.parts;
  const groups = groupsOf(parts);
  const bar = barOf(groups, ledger.budget);
  return (
    <div class="account" aria-busy={stale}>
      <Question store={store} turnId={ledger.turn_id} />
      <Total ledger={ledger} threshold={threshold} />
      <BudgetBar
        bar={bar}
        marks={marksOf(bar, ledger.budget, threshold, folds ? agent.target : null)}
        label={barLabel(bar, ledger.tokens, ledger.budget, ledger.estimated)}
        lit={lit}
        light={light}
      />
      <LedgerRows store={store} ledger={ledger} groups={groups} lit={lit} light={light} />
      <Notes ledger={{ ...ledger, parts }} />
      {agent.longterm && <Recalled store={store} ledger={ledger} />}
    </div>
  );
}

/** Which turn it is, by its question; leads there. */
function Question({ store, turnId }: { store: Store; turnId: string | null }) {
  const text = useView(store, (view) => view.state?.turns.find((turn) => turn.turn_id === turnId)?.question.text);
  const showTurn = useShowTurn(store);
  if (!turnId || !text) return null;
  return (
    <button type="button" class="account-question" title="Show this turn" onClick={() => showTurn(turnId)}>
      {text}
    </button>
  );
}

function Total({ ledger, threshold }: { ledger: Ledger; threshold: number | null }) {
  const over = ledger.tokens - ledger.budget;
  const folding = threshold !== null && ledger.tokens >= threshold * ledger.budget;
  const warning = over > 0 ? `${whole(over)} over` : folding ? "folds next turn" : "";
  return (
    <p class="total">
      <strong>
        {ledger.estimated && "~"}
        {whole(ledger.tokens)}
      </strong>{" "}
      of {whole(ledger.budget)} tokens, {percent(ledger.budget > 0 ? ledger.tokens / ledger.budget : 0)}
      {warning && (
        <span class="total-warning">{warning}</span>
      )}
    </p>
  );
}

/** What else is to be said of it. */
function Notes({ ledger }: { ledger: Ledger }) {
  const leaving = ledger.parts.filter((part) => part.drops_next).length;
  const notes = [
    ledger.budget_note && `Budget: ${ledger.budget_note}.`,
    ledger.tokens > ledger.budget && "Over the budget: the newest message is never cut.",
    leaving > 0 && `Next to leave the window: ${count(leaving, "message")}.`,
    ledger.requests > 1 && `The last of ${ledger.requests} requests of this turn.`,
    ledger.parts.some((part) => part.kind === "tools") && "Tools stand beside the budget.",
  ].filter((note) => note !== false && note !== null);
  return notes.length > 0 ? (
    <ul class="account-notes">
      {notes.map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  ) : null;
}
