/** Which agent, which session, how full its memory is, and the rest behind the dots. */
import { useView } from "../hooks";
import { Icon } from "../icons";
import type { Store } from "../store";
import { ChatMenu } from "./ChatMenu";
import { Meter } from "./Meter";
import { SessionPicker } from "./SessionPicker";

export function Header({ store }: { store: Store }) {
  const agent = useView(store, (view) => view.state?.agent.name);
  const open = useView(store, (view) => view.ui.inspector !== null);
  if (!agent) return null;
  return (
    <div class="header">
      <span class="agent">{agent}</span>
      <span class="slash" aria-hidden="true">
        /
      </span>
      <SessionPicker store={store} />
      <span class="gap" />
      <Meter store={store} />
      <button
        type="button"
        class="text-button memory-toggle"
        aria-label="Memory"
        aria-expanded={open}
        title="What the model saw and remembers"
        onClick={() => (open ? store.set({ inspector: null }) : store.inspect())}
      >
        <Icon name="memory" />
        <span>Memory</span>
      </button>
      <ChatMenu store={store} />
    </div>
  );
}
