/** What is done seldom, behind three dots. */
import { Icon } from "../icons";
import type { Store } from "../store";

export function ChatMenu(_: { store: Store }) {
  return (
    <button type="button" class="icon-button" aria-label="More">
      <Icon name="more" />
    </button>
  );
}
