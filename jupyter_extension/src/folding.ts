/** Which parts of an answer are drawn as one row: three or more finished tool calls in a row fold. */
import type { Part, ToolPart } from "./protocol";

export type Drawn = { kind: "part"; part: Part; index: number } | { kind: "fold"; tools: ToolPart[]; index: number };

const AT_LEAST = 3;

/** The parts in their order; `index` is the place of a row's first part. */
export function folded(parts: Part[]): Drawn[] {
  const drawn: Drawn[] = [];
  let start = 0;
  while (start < parts.length) {
    const end = endOfRun(parts, start);
    const tools = parts.slice(start, end) as ToolPart[];
    if (tools.length >= AT_LEAST) drawn.push({ kind: "fold", tools, index: start });
    else for (let index = start; index < Math.max(end, start + 1); index++) drawn.push({ kind: "part", part: parts[index]!, index });
    start = Math.max(end, start + 1);
  }
  return drawn;
}

/** Seconds that the calls took together; null where none is known. */
export function together(tools: ToolPart[]): number | null {
  const known = tools.flatMap((tool) => (tool.seconds === null ? [] : [tool.seconds]));
  return known.length > 0 ? known.reduce((sum, each) => sum + each, 0) : null;
}

/** What was denied stands by itself: a person's word is not folded away. */
const foldable = (part: Part): boolean => part.kind === "tool" && (part.status === "done" || part.status === "failed");

function endOfRun(parts: Part[], start: number): number {
  let end = start;
  while (end < parts.length && foldable(parts[end]!)) end++;
  return end;
}
