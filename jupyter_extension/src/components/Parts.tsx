/** What an answer is made of, in order: text, thinking and tools; finished rows in a row fold into one. */
import { folded, type RowPart } from "../folding";
import type { Part, Turn } from "../protocol";
import type { Store } from "../store";
import { Approval } from "./Approval";
import { Markdown } from "./Markdown";
import { RowFold, ToolRow } from "./ToolRow";

type Group = { kind: "text"; text: string } | { kind: "rows"; rows: RowPart[] };

export function Parts({ store, turn }: { store: Store; turn: Turn }) {
  const groups = grouped(turn.parts);
  return (
    <>
      {groups.map((group, index) =>
        group.kind === "text" ? (
          <Markdown key={index} text={group.text} writing={turn.status === "writing" && index === groups.length - 1} />
        ) : (
          <Rows key={index} store={store} turn={turn} rows={group.rows} />
        ),
      )}
    </>
  );
}

function grouped(parts: readonly Part[]): Group[] {
  const groups: Group[] = [];
  for (const part of parts) {
    const last = groups.at(-1);
    if (part.kind === "text") {
      if (part.text.trim()) groups.push({ kind: "text", text: part.text });
    } else if (last?.kind === "rows") last.rows.push(part);
    else groups.push({ kind: "rows", rows: [part] });
  }
  return groups;
}

function Rows({ store, turn, rows }: { store: Store; turn: Turn; rows: RowPart[] }) {
  return (
    <div class="rows">
      {folded(rows).map((run, index) => {
        const [part] = run as [RowPart];
        if (run.length > 1) return <RowFold key={index} store={store} turn={turn} rows={run} />;
        if (part.kind === "tool" && part.approval) return <Approval key={part.call_id} store={store} turn={turn} part={part} />;
        return <ToolRow key={part.kind === "tool" ? part.call_id : index} store={store} turn={turn} part={part} />;
      })}
    </div>
  );
}
