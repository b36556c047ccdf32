/** Which rows of an answer are drawn as one: three or more finished calls and thoughts in a row fold. */
import type { Part } from "./protocol";

export type RowPart = Exclude<Part, { kind: "text" }>;

const AT_LEAST = 3;

/** The rows in runs, in their order; a run of more than one folds. */
export function folded(rows: readonly RowPart[]): RowPart[][] {
  const runs: RowPart[][] = [];
  let run: RowPart[] = [];
  const end = () => {
    if (run.length >= AT_LEAST) runs.push(run);
    else runs.push(...run.map((row) => [row]));
    run = [];
  };
  for (const row of rows) {
    if (isFinished(row)) run.push(row);
    else {
      end();
      runs.push([row]);
    }
  }
  end();
  return runs;
}

/** Seconds that they took together; null where none is known. */
export function together(rows: readonly RowPart[]): number | null {
  const known = rows.flatMap((row) => (row.seconds === null ? [] : [row.seconds]));
  return known.length > 0 ? known.reduce((sum, each) => sum + each, 0) : null;
}

/** What a person denied, or nobody answered, stands by itself. */
function isFinished(row: RowPart): boolean {
  return row.kind === "thinking" ? row.seconds !== null : row.status === "done" || row.status === "failed";
}
