/** Messages that wait for the running turn, each in one line, to be taken back. */
import { useRef } from "preact/hooks";
import { useView } from "../hooks";
import { Icon } from "../icons";
import type { Queued } from "../protocol";
import { runningTurn, textOf, unheard } from "../selectors";
import type { Store, View } from "../store";

export function QueuedChips({ store }: { store: Store }) {
  const last = useRef<readonly Queued[]>([]);
  const queue = useView(store, (view) => {
    const now = queueOf(view);
    if (now.length !== last.current.length || now.some((one, index) => one.id !== last.current[index]?.id)) last.current = now;
    return last.current;
  });
  if (!queue.length) return null;
  return (
    <ul class="queue-chips" aria-label="Queued messages">
      {queue.map(({ id, text }) => (
        <li key={id}>
          <span class="queue-text" title={text}>
            {text}
          </span>
          <button type="button" class="icon-button" aria-label={`Remove from the queue: ${text.slice(0, 60)}`} onClick={() => store.tell({ t: "unqueue", queued: id })}>
            <Icon name="close" size={14} />
          </button>
        </li>
      ))}
    </ul>
  );
}

function queueOf(view: View): readonly Queued[] {
  if (!view.state) return [];
  const onTheWay = runningTurn(view.state) ? unheard(view).map((one) => ({ id: one.id, text: textOf(one) })) : [];
  return onTheWay.length ? [...view.state.queue, ...onTheWay] : view.state.queue;
}
