/** A kernel of fixtures: it has a state, answers questions with what it was given, and says what it is told to say. */
import { type ChatState, type Command, type FromKernel, type Op, PROTOCOL, type Snapshot } from "../src/protocol";
import type { KernelStatus, Wire } from "../src/wire";

export type Answers = Partial<Record<Command["t"], unknown>>;

export class FakeWire implements Wire {
  readonly notebook = "a.ipynb";
  readonly sent: (Command & { id: string })[] = [];
  /** Nobody answers any more. */
  deaf = false;
  private readonly listeners = new Set<(message: FromKernel) => void>();
  private readonly watchers = new Set<(status: KernelStatus) => void>();
  private n = 0;

  /** Commands that `answers` does not name are never answered; a value is the reply's data, `sync` gets the state. */
  constructor(
    private readonly state: ChatState | null,
    private readonly answers: Answers = {},
    private status: KernelStatus = "idle",
    private readonly now = Date.now() / 1000,
  ) {}

  snapshot(): Snapshot | null {
    return this.state && { protocol: PROTOCOL, n: this.n, now: this.now, state: this.state };
  }

  send(message: Command & { id: string }): void {
    this.sent.push(message);
    if (this.deaf) return;
    if (message.t === "sync" && this.state) queueMicrotask(() => this.reply(message.id));
    if (message.t in this.answers) queueMicrotask(() => this.reply(message.id, this.answers[message.t]));
  }

  listen(heard: (message: FromKernel) => void): () => void {
    this.listeners.add(heard);
    return () => this.listeners.delete(heard);
  }

  watch(seen: (status: KernelStatus) => void): () => void {
    this.watchers.add(seen);
    seen(this.status);
    return () => this.watchers.delete(seen);
  }

  reply(id: string, data?: unknown): void {
    this.say({ t: "reply", id, data });
  }

  ops(...ops: Op[]): void {
    this.n += 1;
    this.say({ t: "ops", n: this.n, ops });
  }

  say(message: FromKernel): void {
    for (const heard of [...this.listeners]) heard(message);
  }

  become(status: KernelStatus): void {
    this.status = status;
    for (const seen of [...this.watchers]) seen(status);
  }
}
