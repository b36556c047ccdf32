/** What the model saw, and what is remembered. */
import type { Store } from "../../store";

export function Inspector({ store }: { store: Store }) {
  return <div class="inspector">{store.view.state?.agent.longterm}</div>;
}
