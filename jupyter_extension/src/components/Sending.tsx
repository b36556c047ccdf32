/** Messages on their way to the kernel, as the turns that they will be. */
import { useRef } from "preact/hooks";
import { useView } from "../hooks";
import { runningTurn, textOf, unheard } from "../selectors";
import type { Pending, Store } from "../store";
import { Busy } from "./Foot";

export function Sending({ store }: { store: Store }) {
  const last = useRef<readonly Pending[]>([]);
  const pending = useView(store, (view) => {
    // Behind a running turn they stand with the queue.
    const now = runningTurn(view.state) ? [] : unheard(view);
    if (now.length !== last.current.length || now.some((one, index) => one.id !== last.current[index]?.id)) last.current = now;
    return last.current;
  });
  const held = useView(store, (view) => view.connection === "busy");
  return (
    <>
      {pending.map((one) => (
        <section key={one.id} class="turn sending">
          <div class="question">
            <div class="question-text">{textOf(one)}</div>
          </div>
          <div class="answer">
            <div class="foot">
              <Busy text={held ? "Waiting for the kernel" : "Sending…"} />
            </div>
          </div>
        </section>
      ))}
    </>
  );
}
