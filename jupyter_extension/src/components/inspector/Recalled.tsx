/** The memories that a turn's model was shown, best first. */
import { count } from "../../format";
import type { Ledger } from "../../protocol";
import type { Store } from "../../store";
import { MemoryRow } from "./MemoryRow";

export function Recalled({ store, ledger }: { store: Store; ledger: Ledger }) {
  const memories = ledger.parts.filter((part) => part.kind === "memory");
  return (
    <section class="recalled" aria-label="Recalled for this turn">
      <h3 class="section-head">
        {ledger.turn_id ? "Recalled for this turn" : "Recalled"}
        {memories.length > 0 && <span>{count(memories.length, "memory", "memories")}</span>}
      </h3>
      {memories.length === 0 && (
        <p class="inspector-note">{ledger.turn_id ? "Nothing was recalled." : "What fits is recalled with the next message."}</p>
      )}
      {memories.map((part, index) => (
        <MemoryRow
          key={part.memory_id ?? index}
          store={store}
          memory={{
            memory_id: part.memory_id ?? null,
            text: part.text,
            session_id: part.session_id ?? null,
            session_title: part.session_title ?? null,
            created_at: part.created_at ?? null,
            score: part.score ?? null,
            keyword: part.keyword_score ?? null,
            vector: part.vector_score ?? null,
          }}
          still
        />
      ))}
    </section>
  );
}
