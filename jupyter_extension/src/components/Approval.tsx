/** Asks the person before a tool runs. */
import type { ToolPart, Turn } from "../protocol";
import type { Store } from "../store";

export function Approval({ part }: { store: Store; turn: Turn; part: ToolPart }) {
  return <div class="approval">{part.approval?.question}</div>;
}
