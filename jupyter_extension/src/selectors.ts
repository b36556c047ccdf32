/** What follows from what the store knows. */
import type { ChatState, ToolPart, Turn } from "./protocol";
import type { Pending, View } from "./store";

const OVER = new Set<Turn["status"]>(["done", "stopped", "failed", "interrupted"]);

/** Whether the turn is still under way. */
export function isRunning(turn: Turn): boolean {
  return !OVER.has(turn.status);
}

/** The turn that is under way; null if none is. */
export function runningTurn(state: ChatState | null): Turn | null {
  const last = state?.turns[state.turns.length - 1];
  return last && isRunning(last) ? last : null;
}

/** The state when nobody works on it any more: nothing waits, and no turn goes on. */
export function interrupted(state: ChatState): ChatState {
  const turns = state.turns.map((turn): Turn => {
    if (!isRunning(turn)) return turn;
    const parts = turn.parts.map((part) =>
      part.kind === "tool" && (part.status === "running" || part.status === "waiting")
        ? { ...part, status: "cancelled" as const, approval: null }
        : part,
    );
    return { ...turn, parts, status: "interrupted" };
  });
  return { ...state, turns, queue: [] };
}

/** Whether a call waits for a person's word, and a word would still do something. */
export function awaitsWord(turn: Turn, part: ToolPart): boolean {
  return part.status === "waiting" && part.approval !== null && isRunning(turn) && turn.status !== "stopping";
}

/** The call that waits for a person's word, and its turn. */
export function openApproval(state: ChatState | null): { turn: Turn; part: ToolPart } | null {
  const turn = runningTurn(state);
  for (const part of turn?.parts ?? []) if (part.kind === "tool" && awaitsWord(turn!, part)) return { turn: turn!, part };
  return null;
}

/** Messages that were sent and that the kernel's state does not show yet. */
export function unheard(view: View): readonly Pending[] {
  const sends = view.pending.filter((one) => one.command.t === "send");
  if (!sends.length || !view.state) return sends;
  const { turns, queue } = view.state;
  return sends.filter((one) => {
    if (queue.some((queued) => queued.id === one.id)) return false;
    const known = turns.findIndex((turn) => turn.turn_id === one.after);
    return !turns.slice(known + 1).some((turn) => turn.question.text === textOf(one));
  });
}

export function textOf(pending: Pending): string {
  return pending.command.t === "send" ? pending.command.text : "";
}

/** The answer as Markdown: its text, without tools and thinking. */
export function answerText(turn: Turn): string {
  return turn.parts
    .flatMap((part) => (part.kind === "text" ? [part.text.trim()] : []))
    .filter(Boolean)
    .join("\n\n");
}
