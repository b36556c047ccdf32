/** What the status of a turn means. */
import type { ToolPart, Turn } from "./protocol";

const OVER: ReadonlySet<Turn["status"]> = new Set(["done", "stopped", "failed", "interrupted"]);

/** Nothing more comes of it. */
export const isOver = (turn: Turn): boolean => OVER.has(turn.status);

/** Whether a call waits for a person's word, and a word would still do something. */
export const awaits = (turn: Turn, part: ToolPart): boolean =>
  part.status === "waiting" && part.approval !== null && !isOver(turn) && turn.status !== "stopping";
