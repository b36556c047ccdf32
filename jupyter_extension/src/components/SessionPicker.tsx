/** The session's title, which opens the list of sessions. */
import { useView } from "../hooks";
import type { Store } from "../store";

export function SessionPicker({ store }: { store: Store }) {
  const title = useView(store, (view) => view.state?.session?.title);
  return <button type="button" class="text-button session-button">{title || "New session"}</button>;
}
