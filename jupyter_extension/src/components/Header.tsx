/** Which agent, which session, how full its memory is, and the rest behind the dots. */
import { useView } from "../hooks";
import type { Store } from "../store";
import { ChatMenu } from "./ChatMenu";
import { SessionPicker } from "./SessionPicker";

export function Header({ store }: { store: Store }) {
  const agent = useView(store, (view) => view.state?.agent);
  const open = useView(store, (view) => view.ui.inspector !== null);
  if (!agent) return null;
  return (
    <header class="header">
      <span class="agent">{agent.name}</span>
      <SessionPicker store={store} />
      <button
        type="button"
        class="text-button"
        aria-expanded={open}
        onClick={() => (open ? store.set({ inspector: null }) : store.inspect())}
      >
        Memory
      </button>
      <ChatMenu store={store} />
    </header>
  );
}
