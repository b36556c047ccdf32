/** One question and its answer. */
import { memo } from "preact/compat";
import type { Turn } from "../protocol";
import type { Store } from "../store";
import { Approval } from "./Approval";
import { ToolRow } from "./ToolRow";

export const TurnView = memo(function TurnView({ store, turn }: { store: Store; turn: Turn }) {
  return (
    <section class="turn">
      <div class="question">{turn.question.text}</div>
      {turn.parts.map((part, index) =>
        part.kind === "text" ? (
          <div key={index}>{part.text}</div>
        ) : part.kind === "tool" && part.approval ? (
          <Approval key={part.call_id} store={store} turn={turn} part={part} />
        ) : (
          <ToolRow key={part.kind === "tool" ? part.call_id : index} store={store} turn={turn} part={part} />
        ),
      )}
    </section>
  );
});
