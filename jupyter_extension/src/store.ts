/**
 * What one model knows, for all its views: the kernel's state, and what the person was doing (draft, open panels, scroll).
 *
 * A view that is made anew finds everything here. Everything is replaced, never changed in place: what is identical has not changed.
 */
import { leave, takeOver } from "./drafts";
import { applied } from "./ops";
import { type ChatState, type Command, type FromKernel, type Problem, PROTOCOL, type Snapshot } from "./protocol";
import { stopAtOnce, decideAtOnce } from "./server";
import { interrupted, textOf, unheard } from "./selectors";
import type { KernelStatus, Wire } from "./wire";

export type Connection =
  | "opening" // no state yet
  | "ok"
  | "busy" // a cell holds the kernel
  | "gone"
  | "other-version";

export interface Inspect {
  tab: "turn" | "longterm";
  /** Whose ledger; null: what the model would see now. */
  turn_id: string | null;
  query: string;
}

export interface Ui {
  draft: string;
  editing: { turn_id: string; text: string } | null;
  inspector: Inspect | null;
  /** The turn that the keys of the transcript act on; null: the newest. */
  current: string | null;
  /** What is folded open or shut against its default, by a key of its own. */
  folds: Readonly<Record<string, boolean>>;
  scroll: { top: number; stick: boolean };
  /** Height of the frame that the person dragged, in px. */
  height: number | null;
}

/** A command that the kernel has not answered. */
export interface Pending {
  id: string;
  command: Command;
  /** `performance.now()` when it was sent. */
  at: number;
  /** The newest turn when it was sent; null if there was none. */
  after: string | null;
  /** The kernel has taken it; it is here until the state shows what came of it. */
  taken: boolean;
}

export interface View {
  state: ChatState | null;
  connection: Connection;
  pending: readonly Pending[];
  /** Said once in a toast-like line above the composer: a command that was refused. */
  refusal: Problem | null;
  ui: Ui;
}

/** A command was refused, or nobody is there to hear it. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

const NOTHING: Ui = {
  draft: "",
  editing: null,
  inspector: null,
  current: null,
  folds: {},
  scroll: { top: 0, stick: true },
  height: null,
};
const GONE: Problem = {
  code: "kernel_gone",
  title: "The kernel is gone.",
  text: "Your draft is kept; run the cell to go on.",
  details: "",
  retryable: false,
  retry_at: null,
};
const PATIENCE_MS = 1000;
/** After so long an answer that all depends on is asked for again. */
const LOST_MS = 5000;
/** By then the state shows a message that the kernel has taken. */
const SHOWN_BY_MS = 500;

export class Store {
  view: View = { state: null, connection: "opening", pending: [], refusal: null, ui: NOTHING };
  /** Where the cursor is in the draft while the person is typing there. */
  typing: [number, number] | null = null;
  /** Seconds to add to this browser's clock for the kernel's. */
  private ahead = 0;
  private number = -1;
  /** When all was asked for and has not come yet, on the clock of `performance`; null: it was not. */
  private asked: number | null = null;
  private kernel: KernelStatus = "unknown";
  private kernelSince = 0;
  /** The kernel was gone, and nothing was heard since: one that was started anew does not know this chat. */
  private lost = false;
  /** What waited was given back. */
  private left = false;
  private readonly listeners = new Set<() => void>();
  private readonly waiting = new Map<string, { resolve: (data: unknown) => void; reject: (why: Refused) => void }>();
  private readonly ends: (() => void)[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly wire: Wire) {
    const snapshot = wire.snapshot();
    if (snapshot) this.take(snapshot);
    this.ends.push(wire.listen((message) => this.hear(message)));
    this.ends.push(wire.watch((status) => this.see(status)));
    // The trait may be older than what was said since; the kernel knows.
    this.sync();
  }

  /** Seconds since the epoch on the kernel's clock. */
  now(): number {
    return Date.now() / 1000 + this.ahead;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Changes what is of the person. */
  set(change: Partial<Ui>): void {
    this.update({ ui: { ...this.view.ui, ...change } });
  }

  /** Opens or shuts a fold. */
  fold(key: string, open: boolean): void {
    this.set({ folds: { ...this.view.ui.folds, [key]: open } });
  }

  /** Opens the inspector at a place. */
  inspect(place: Partial<Inspect> = {}): void {
    this.set({ inspector: { tab: "turn", turn_id: null, query: "", ...place } });
  }

  /** Tells the kernel; the promise holds its answer, or fails with `Refused`. */
  ask<Answer = unknown>(command: Command): Promise<Answer> {
    return this.view.connection === "gone" ? Promise.reject(new Refused(GONE)) : this.post(command);
  }

  /** Tells the kernel; a refusal is shown above the composer. */
  tell(command: Command): void {
    this.ask(command).catch((why: unknown) => {
      if (why instanceof Refused) this.update({ refusal: why.problem });
    });
  }

  forgetRefusal(): void {
    this.update({ refusal: null });
  }

  /** Stops a turn, also past a kernel that a cell holds. */
  stop(turnId: string): void {
    this.tell({ t: "stop", turn_id: turnId });
    const { state } = this.view;
    if (state?.agent.reachable && state.session) void stopAtOnce(state.agent.name, state.session.session_id, turnId);
  }

  /** Answers an approval, also past a kernel that a cell holds. */
  decide(turnId: string, callId: string, decision: "approve" | "deny", always: boolean): void {
    this.tell({ t: "decide", turn_id: turnId, call_id: callId, decision, always });
    const { state } = this.view;
    if (state?.agent.reachable && state.session && !always)
      void decideAtOnce(state.agent.name, state.session.session_id, callId, decision);
  }

  close(): void {
    clearTimeout(this.timer);
    for (const end of this.ends) end();
    this.listeners.clear();
  }

  private post<Answer>(command: Command): Promise<Answer> {
    const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    const answer = new Promise<unknown>((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    const after = this.view.state?.turns.at(-1)?.turn_id ?? null;
    this.update({ pending: [...this.view.pending, { id, command, at: performance.now(), after, taken: false }] });
    try {
      this.wire.send({ ...command, id });
    } catch {
      this.settle(id, undefined, GONE);
    }
    this.judgeLater();
    return answer as Promise<Answer>;
  }

  private update(change: Partial<View>): void {
    this.view = { ...this.view, ...change };
    for (const listener of [...this.listeners]) listener();
  }

  private sync(): void {
    const now = performance.now();
    if (this.asked !== null && now - this.asked < LOST_MS) return;
    this.asked = now;
    const heard = () => {
      this.asked = null;
    };
    this.post({ t: "sync" }).then(heard, heard);
  }

  private hear(message: FromKernel): void {
    // The last words of a kernel that is gone do not bring it back; an answer does.
    if (message.t !== "ops" || !this.left) this.lost = false;
    switch (message.t) {
      case "snapshot":
        this.asked = null;
        this.take(message.snapshot);
        break;
      case "ops":
        this.follow(message.n, message.ops);
        break;
      case "reply":
        this.settle(message.id, message.data, message.error);
    }
    this.judge();
  }

  private take(snapshot: Snapshot): void {
    this.number = snapshot.n;
    this.ahead = snapshot.now - Date.now() / 1000;
    if (snapshot.protocol !== PROTOCOL) this.update({ connection: "other-version" });
    else this.enter(snapshot.state);
  }

  private follow(n: number, ops: Parameters<typeof applied>[1]): void {
    const { state } = this.view;
    if (!state || n > this.number + 1) return this.sync();
    if (n <= this.number) return;
    try {
      const next = applied(state, ops);
      this.number = n;
      this.enter(next);
    } catch {
      this.sync();
    }
  }

  private enter(state: ChatState): void {
    const before = this.view.state;
    const moved = before?.session?.session_id !== state.session?.session_id && !!before?.session;
    const connection = this.view.connection === "opening" ? "ok" : this.view.connection;
    if (!before && !this.view.ui.draft) this.set({ draft: takeOver(this.wire.notebook, state.agent.name) });
    if (!moved) return this.update({ state, connection });
    const { inspector } = this.view.ui;
    const ui: Ui = {
      ...this.view.ui,
      editing: null,
      current: null,
      inspector: inspector && { ...inspector, turn_id: null },
      scroll: NOTHING.scroll,
    };
    this.update({ state, connection, ui, refusal: null });
  }

  private settle(id: string, data: unknown, error: Problem | undefined): void {
    const waiter = this.waiting.get(id);
    this.waiting.delete(id);
    const one = this.view.pending.find((candidate) => candidate.id === id);
    if (one?.command.t === "send" && !error) {
      this.update({ pending: this.view.pending.map((other) => (other === one ? { ...one, taken: true } : other)) });
      setTimeout(() => this.drop(id), SHOWN_BY_MS);
    } else if (one) {
      if (one.command.t === "send") this.giveBack([one.command.text]);
      this.drop(id);
    }
    if (error) waiter?.reject(new Refused(error));
    else waiter?.resolve(data);
  }

  private drop(id: string): void {
    this.update({ pending: this.view.pending.filter((one) => one.id !== id) });
  }

  private see(status: KernelStatus): void {
    if (status !== this.kernel) this.kernelSince = performance.now();
    this.kernel = status;
    if (status === "gone" && !this.left) this.leave();
    if (status === "gone" || status === "away") this.lost = true;
    else if (this.lost) this.sync();
    this.judge();
    if (status === "busy") this.judgeLater();
  }

  /** What was not sent after all stands in the draft again. */
  private giveBack(texts: readonly string[]): void {
    this.set({ draft: [...texts, this.view.ui.draft].filter(Boolean).join("\n\n") });
  }

  /** What waited in a kernel that is no more goes back to the draft, and the draft to the next chat in this one's place. */
  private leave(): void {
    const { state, pending } = this.view;
    if (!state) return;
    this.left = true;
    this.giveBack([...state.queue.map((one) => one.text), ...unheard(this.view).map(textOf)]);
    this.update({ state: interrupted(state), pending: pending.filter((one) => one.command.t !== "send") });
    leave({ notebook: this.wire.notebook, agent: state.agent.name, draft: () => this.view.ui.draft });
  }

  private judgeLater(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.judge(), PATIENCE_MS + 20);
  }

  /** Whether the kernel is there, by its status where the host tells it, else by what it leaves unanswered. */
  private judge(): void {
    if (this.view.connection === "other-version") return;
    const now = performance.now();
    const late = this.view.pending.some((one) => !one.taken && now - one.at >= PATIENCE_MS);
    const held =
      this.kernel === "busy" ? now - this.kernelSince >= PATIENCE_MS : late && this.kernel !== "idle";
    const gone = this.lost || this.kernel === "gone" || this.kernel === "away";
    const connection: Connection = gone ? "gone" : held ? "busy" : this.view.state ? "ok" : "opening";
    if (connection !== this.view.connection) this.update({ connection });
  }
}
