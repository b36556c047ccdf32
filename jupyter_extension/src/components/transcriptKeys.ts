/** Keys of the transcript: from turn to turn, and single letters for what is done with one. */
import type { Turn } from "../protocol";
import { answerText, isRunning, runningTurn } from "../selectors";
import type { Store } from "../store";
import { copyText } from "./CodeBox";

export function transcriptKey(store: Store, event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input, textarea, select")) return;
  if (target.closest(".approval")) return;
  const box = event.currentTarget as HTMLElement;
  const rows = [...box.querySelectorAll<HTMLElement>(".turn")];
  const at = rows.findIndex((row) => row.contains(target));
  const to = moved(event.key, at, rows.length);
  if (to !== null && (target === rows[at] || event.key.startsWith("Arrow"))) {
    event.preventDefault();
    const row = rows[to];
    if (!row) return;
    store.set({ current: row.dataset.turn ?? null });
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: to > at ? "nearest" : "start" });
    return;
  }
  const turn = store.view.state?.turns.find((one) => one.turn_id === rows[at]?.dataset.turn);
  const act = turn && actions[event.key.toLowerCase()];
  if (!act || event.shiftKey) return;
  event.preventDefault();
  act(store, turn, box);
}

function moved(key: string, at: number, count: number): number | null {
  switch (key) {
    case "ArrowUp":
      return Math.max(0, at - 1);
    case "ArrowDown":
      return Math.min(count - 1, at + 1);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

const actions: Record<string, (store: Store, turn: Turn, box: HTMLElement) => void> = {
  c: (_, turn) => void copyText(answerText(turn)),
  r: (store, turn) => {
    if (canRetry(store, turn)) store.tell({ t: "retry", turn_id: turn.turn_id });
  },
  e: (store, turn) => startEditing(store, turn),
  f: (store, turn) => {
    if (!isRunning(turn)) store.tell({ t: "fork", turn_id: turn.turn_id });
  },
  m: (store, turn) => store.inspect({ turn_id: turn.turn_id }),
  "/": (_store, _turn, box) => box.closest(".main")?.querySelector<HTMLElement>("textarea.draft")?.focus(),
};

/** Whether the turn may be answered anew: the newest, once it is over, in a session that is open. */
export function canRetry(store: Store, turn: Turn): boolean {
  const { state } = store.view;
  return canChange(store) && state?.turns.at(-1)?.turn_id === turn.turn_id && !isRunning(turn);
}

/** Whether questions may be changed now. */
export function canChange(store: Store): boolean {
  const { state, connection } = store.view;
  return connection !== "gone" && state?.session?.status === "active" && !runningTurn(state) && !state.queue.length;
}

export function startEditing(store: Store, turn: Turn): void {
  if (canChange(store)) store.set({ editing: { turn_id: turn.turn_id, text: turn.question.text } });
}
