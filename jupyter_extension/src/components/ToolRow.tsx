/** A tool call, or thinking, in one line that opens. */
import type { Part, Turn } from "../protocol";
import type { Store } from "../store";

type RowPart = Exclude<Part, { kind: "text" }>;

export function ToolRow({ part }: { store: Store; turn: Turn; part: RowPart }) {
  return <div class="tool-row">{part.kind === "tool" ? `${part.verb} ${part.subject}` : "Thought"}</div>;
}
