/** Where the person writes. */
import { useView } from "../hooks";
import type { Store } from "../store";

export function Composer({ store }: { store: Store }) {
  const draft = useView(store, (view) => view.ui.draft);
  return (
    <div class="composer">
      <textarea value={draft} onInput={(event) => store.set({ draft: event.currentTarget.value })} />
    </div>
  );
}
