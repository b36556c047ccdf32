/** A unified diff, line by line, for colouring. */

export type Change = "added" | "removed" | "place" | "same";

export interface DiffLine {
  change: Change;
  /** The line with its sign. */
  text: string;
}

/** Lines of a unified diff; the two that name the file are left out, since the card's title does. */
export function diffLines(diff: string): DiffLine[] {
  const lines = diff.replace(/\n$/, "").split("\n");
  const start = lines.findIndex((line) => line.startsWith("@@"));
  return lines.slice(Math.max(0, start)).map((text) => ({ change: changeOf(text), text }));
}

/** How many lines a diff adds and removes. */
export function tally(lines: DiffLine[]): { added: number; removed: number } {
  const of = (change: Change) => lines.filter((line) => line.change === change).length;
  return { added: of("added"), removed: of("removed") };
}

function changeOf(line: string): Change {
  if (line.startsWith("@@")) return "place";
  if (line.startsWith("+")) return "added";
  return line.startsWith("-") ? "removed" : "same";
}
