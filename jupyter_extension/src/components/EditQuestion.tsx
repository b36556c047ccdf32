/** A question being changed: sent again in its place, or in a fork. */
import { useEffect, useRef } from "preact/hooks";
import { count } from "../format";
import { useView } from "../hooks";
import type { Turn } from "../protocol";
import type { Store } from "../store";
import { useGrowing } from "./useGrowing";

export function EditQuestion({ store, turn }: { store: Store; turn: Turn }) {
  const text = useView(store, (view) => view.ui.editing?.text ?? "");
  const after = useView(store, (view) => {
    const turns = view.state?.turns ?? [];
    return turns.length - 1 - turns.findIndex((one) => one.turn_id === turn.turn_id);
  });
  const area = useRef<HTMLTextAreaElement>(null);
  useGrowing(area, text);
  useEffect(() => {
    area.current!.focus({ preventScroll: true });
    area.current!.scrollIntoView({ block: "nearest" });
    area.current!.setSelectionRange(text.length, text.length);
  }, []);
  const leave = () => {
    const main = area.current?.closest(".main");
    store.set({ editing: null });
    main?.querySelector<HTMLElement>("textarea.draft")?.focus();
  };
  const send = (fork: boolean) => {
    if (!text.trim()) return;
    leave();
    store.tell({ t: "edit", turn_id: turn.turn_id, text: text.trim(), fork });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      leave();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send(false);
    }
  };
  return (
    <div class="question editing">
      <textarea
        ref={area}
        rows={1}
        aria-label="Edit the question"
        value={text}
        onInput={(event) => store.set({ editing: { turn_id: turn.turn_id, text: event.currentTarget.value } })}
        onKeyDown={onKeyDown}
      />
      <div class="edit-row">
        <span class="edit-note">{replaced(after)}</span>
        <button type="button" class="text-button" onClick={leave}>
          Cancel
        </button>
        <button type="button" class="outlined" disabled={!text.trim()} onClick={() => send(true)}>
          Fork instead
        </button>
        <button type="button" class="filled" disabled={!text.trim()} onClick={() => send(false)}>
          Send again
        </button>
      </div>
    </div>
  );
}

function replaced(after: number): string {
  if (after <= 0) return "Sending this replaces the answer.";
  return `Sending this replaces the ${after === 1 ? "turn" : count(after, "turn")} after it.`;
}
