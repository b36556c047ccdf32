/** The lower edge of the frame, to be dragged. */
import type { RefObject } from "preact";
import { useView } from "../hooks";
import type { Store } from "../store";

const LEAST = 320;
const MOST = 900;

export function Grip({ store, frame }: { store: Store; frame: RefObject<HTMLDivElement> }) {
  const height = useView(store, (view) => view.ui.height);
  const resize = (wanted: number) => store.set({ height: Math.round(Math.min(MOST, Math.max(LEAST, wanted))) });
  const current = () => frame.current!.getBoundingClientRect().height;
  const start = (event: PointerEvent) => {
    if (event.button) return;
    const grip = event.currentTarget as HTMLElement;
    const from = event.clientY;
    const before = current();
    const move = (moved: PointerEvent) => resize(before + moved.clientY - from);
    const end = () => {
      grip.removeEventListener("pointermove", move);
      grip.removeEventListener("pointerup", end);
      grip.removeEventListener("pointercancel", end);
    };
    grip.setPointerCapture(event.pointerId);
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", end);
    grip.addEventListener("pointercancel", end);
    event.preventDefault();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowUp: -40, ArrowDown: 40 }[event.key];
    if (!step) return;
    event.preventDefault();
    resize(current() + step);
  };
  return (
    <div
      class="grip"
      role="separator"
      aria-orientation="horizontal"
      aria-label="Height of the chat"
      aria-valuemin={LEAST}
      aria-valuemax={MOST}
      aria-valuenow={height ?? 600}
      tabIndex={0}
      onPointerDown={start}
      onDblClick={() => store.set({ height: null })}
      onKeyDown={onKeyDown}
    />
  );
}
