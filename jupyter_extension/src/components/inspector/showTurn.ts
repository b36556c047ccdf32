/** Leads from a ledger to the turn in the transcript. */
import { usePlace } from "../../hooks";
import type { Store } from "../../store";

/** Shows a turn and gives it the focus; where the inspector covers the transcript, it closes first. */
export function useShowTurn(store: Store): (turnId: string) => void {
  const { frame } = usePlace();
  return (turnId) => {
    const chat = frame();
    const turn = () => chat?.querySelector<HTMLElement>(`[data-turn="${CSS.escape(turnId)}"]`);
    if (!chat || !turn()) return;
    if (chat.clientWidth <= 760) store.set({ inspector: null });
    requestAnimationFrame(() => {
      turn()?.scrollIntoView({ block: "start" });
      turn()?.focus({ preventScroll: true });
    });
  };
}
