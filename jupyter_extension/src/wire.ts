/** The way to the kernel: messages out, messages in, and whether anybody is there. */
import type { Command, FromKernel, Snapshot } from "./protocol";

/** `away`: nobody hears, but it may still be there. `unknown` where the host does not tell. */
export type KernelStatus = "idle" | "busy" | "away" | "gone" | "unknown";

export interface Wire {
  /** The same for all chats of a notebook, also after its kernel was restarted. */
  readonly notebook: string;
  /** The state as it was when the model was made; null while there is none. */
  snapshot(): Snapshot | null;
  send(message: Command & { id: string }): void;
  /** Calls back for each message; returns what ends it. */
  listen(heard: (message: FromKernel) => void): () => void;
  /** Calls back at once and whenever the kernel's status changes; returns what ends it. */
  watch(seen: (status: KernelStatus) => void): () => void;
}

/** What anywidget gives of a model. */
export interface Model {
  get(key: string): unknown;
  send(content: unknown): void;
  on(event: string, heard: (...args: never[]) => void): void;
  off(event: string, heard: (...args: never[]) => void): void;
  widget_manager?: unknown;
}

interface Signal<T = unknown> {
  connect(slot: (sender: unknown, value: T) => void): void;
  disconnect(slot: (sender: unknown, value: T) => void): void;
}

interface Said {
  header?: { session?: string; msg_type?: string };
}

interface Kernel {
  id?: string;
  status: string;
  connectionStatus?: string;
  isDisposed?: boolean;
  statusChanged?: Signal;
  connectionStatusChanged?: Signal;
  disposed?: Signal;
  iopubMessage?: Signal<Said>;
}

export function wireOf(model: Model): Wire {
  return {
    notebook: notebookOf(model),
    snapshot: () => {
      const snapshot = model.get("snapshot") as Snapshot | null | undefined;
      return snapshot?.state ? snapshot : null;
    },
    send: (message) => model.send(message),
    listen: (heard) => {
      const custom = (message: FromKernel) => heard(message);
      model.on("msg:custom", custom as (...args: never[]) => void);
      return () => model.off("msg:custom", custom as (...args: never[]) => void);
    },
    watch: (seen) => {
      const kernel = kernelOf(model);
      if (!kernel) {
        seen("unknown");
        return () => undefined;
      }
      const look = () => seen(statusOf(kernel));
      const signals = [kernel.statusChanged, kernel.connectionStatusChanged, kernel.disposed].filter((signal) => !!signal);
      for (const signal of signals) signal.connect(look);
      // Of a restart that somebody else asked for, this page may hear only the kernel's last words, or another process's first.
      let process = "";
      const heard = (_: unknown, { header }: Said) => {
        const speaks = header?.session ?? process;
        if (header?.msg_type === "shutdown_reply" || (process && speaks !== process)) seen("gone");
        process = speaks;
      };
      kernel.iopubMessage?.connect(heard);
      look();
      return () => {
        for (const signal of signals) signal.disconnect(look);
        kernel.iopubMessage?.disconnect(heard);
      };
    },
  };
}

function notebookOf(model: Model): string {
  const { context } = (model.widget_manager ?? {}) as { context?: { path?: string } };
  return context?.path ?? kernelOf(model)?.id ?? "";
}

function kernelOf(model: Model): Kernel | null {
  const kernel = (model.widget_manager as { kernel?: Kernel | null } | undefined)?.kernel;
  return kernel && typeof kernel.status === "string" ? kernel : null;
}

function statusOf(kernel: Kernel): KernelStatus {
  if (kernel.isDisposed) return "gone";
  switch (kernel.status) {
    case "idle":
      return "idle";
    case "busy":
      return "busy";
    case "dead":
    case "terminating":
    case "starting": // It is a new one, which does not know this chat.
    case "restarting":
    case "autorestarting":
      return "gone";
    default:
      return kernel.connectionStatus === "disconnected" ? "away" : "unknown";
  }
}
