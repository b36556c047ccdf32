/** Leads from one turn's ledger to the next; after the newest comes what the model would see now. */
import { useRef } from "preact/hooks";
import { Icon } from "../../icons";
import type { Inspect, Store } from "../../store";

export function Pager({ store, place, turns }: { store: Store; place: Inspect; turns: string[] }) {
  const [back, forth] = [useRef<HTMLButtonElement>(null), useRef<HTMLButtonElement>(null)];
  if (turns.length === 0) return null;
  const found = place.turn_id === null ? turns.length : turns.indexOf(place.turn_id);
  const index = found < 0 ? turns.length : found;
  const go = (to: number) => {
    store.set({ inspector: { ...place, turn_id: turns[to] ?? null } });
    // A button that has led as far as it can gives the focus to the other.
    if (to === 0) forth.current?.focus();
    if (to === turns.length) back.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || index + step < 0 || index + step > turns.length) return;
    event.preventDefault();
    event.stopPropagation();
    go(index + step);
  };
  return (
    <div class="pager" role="group" aria-label="Turn" onKeyDown={onKeyDown}>
      <button ref={back} type="button" class="pager-step" aria-label="Older turn" title="Older turn (←)" disabled={index === 0} onClick={() => go(index - 1)}>
        <Icon name="chevronLeft" size={14} />
      </button>
      <span aria-live="polite">{index === turns.length ? "Now" : `${index + 1} of ${turns.length}`}</span>
      <button
        ref={forth}
        type="button"
        class="pager-step"
        aria-label="Newer turn"
        title="Newer turn (→)"
        disabled={index === turns.length}
        onClick={() => go(index + 1)}
      >
        <Icon name="chevronRight" size={14} />
      </button>
    </div>
  );
}
