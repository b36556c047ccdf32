/** What an answer is made of, in order: text, thinking and tools; finished rows in a row fold into one. */
import type { Part, Turn } from "../protocol";
import { count, seconds } from "../format";
import { useView } from "../hooks";
import { Icon } from "../icons";
import type { Store } from "../store";
import { Approval } from "./Approval";
import { Markdown } from "./Markdown";
import { ToolRow } from "./ToolRow";

type RowPart = Exclude<Part, { kind: "text" }>;
type Group = { kind: "text"; text: string } | { kind: "rows"; rows: RowPart[] };

/** From so many finished rows on they fold into one. */
const MANY = 3;

export function Parts({ store, turn }: { store: Store; turn: Turn }) {
  const groups = grouped(turn.parts);
  return (
    <>
      {groups.map((group, index) =>
        group.kind === "text" ? (
          <Markdown key={index} text={group.text} writing={turn.status === "writing" && index === groups.length - 1} />
        ) : (
          <Rows key={index} store={store} turn={turn} rows={group.rows} name={`${turn.turn_id}/${index}`} />
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

function Rows({ store, turn, rows, name }: { store: Store; turn: Turn; rows: RowPart[]; name: string }) {
  const open = useView(store, (view) => view.ui.folds[name] ?? false);
  const over = rows.filter(isOver);
  const fold = over.length >= MANY && over.length === rows.length;
  const shown = rows.map((part, index) =>
    part.kind === "tool" && part.approval ? (
      <Approval key={part.call_id} store={store} turn={turn} part={part} />
    ) : (
      <ToolRow key={part.kind === "tool" ? part.call_id : index} store={store} turn={turn} part={part} />
    ),
  );
  if (!fold) return <div class="rows">{shown}</div>;
  const took = rows.reduce((sum, part) => sum + (part.seconds ?? 0), 0);
  const failed = rows.filter((part) => part.kind === "tool" && part.status === "failed").length;
  return (
    <div class="rows">
      <button type="button" class="fold" aria-expanded={open} onClick={() => store.fold(name, !open)}>
        <Icon name={failed ? "alert" : "check"} size={14} />
        <span>
          {[count(rows.length, rows.every((part) => part.kind === "tool") ? "tool" : "step"), seconds(took), failed && `${failed} failed`]
            .filter(Boolean)
            .join(" · ")}
        </span>
        <Icon name={open ? "chevronDown" : "chevronRight"} size={14} />
      </button>
      {open && shown}
    </div>
  );
}

function isOver(part: RowPart): boolean {
  return part.kind === "thinking" ? part.seconds !== null : !["waiting", "running"].includes(part.status);
}
