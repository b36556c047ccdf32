/** The turns, oldest first. */
import { useView } from "../hooks";
import type { Store } from "../store";
import { TurnView } from "./Turn";

export function Transcript({ store }: { store: Store }) {
  const turns = useView(store, (view) => view.state?.turns);
  return (
    <div class="transcript" role="log" aria-label="Conversation">
      {turns?.map((turn) => <TurnView key={turn.turn_id} store={store} turn={turn} />)}
    </div>
  );
}
