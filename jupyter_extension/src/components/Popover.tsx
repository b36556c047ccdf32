/** A box that floats below its button, above all that would cut it off; Esc gives the focus back to the button. */
import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface PopoverProps {
  /** The button that opened it. */
  anchor: RefObject<HTMLElement>;
  label: string;
  /** In px; less where the window is narrower. */
  width: number;
  /** At which edge of the button it begins. */
  align?: "start" | "end";
  onClose(): void;
  children: ComponentChildren;
}

const GAP = 4;
const MARGIN = 8;

export function Popover({ anchor, label, width, align = "start", onClose, children }: PopoverProps) {
  const box = useRef<HTMLDivElement>(null);
  const close = useRef(onClose);
  close.current = onClose;

  useLayoutEffect(() => {
    const element = box.current!;
    element.showPopover?.();
    const put = () => anchor.current && place(element, anchor.current, width, align);
    put();
    const size = new ResizeObserver(put);
    size.observe(element);
    addEventListener("scroll", put, { capture: true, passive: true });
    addEventListener("resize", put);
    return () => {
      size.disconnect();
      removeEventListener("scroll", put, { capture: true });
      removeEventListener("resize", put);
    };
  }, [anchor, width, align]);

  useLayoutEffect(() => {
    const outside = (event: PointerEvent) => {
      const path = event.composedPath();
      if (!path.includes(box.current!) && !path.includes(anchor.current!)) close.current();
    };
    document.addEventListener("pointerdown", outside, true);
    return () => document.removeEventListener("pointerdown", outside, true);
  }, [anchor]);

  return (
    <div
      ref={box}
      class="popover"
      popover="manual"
      role="dialog"
      aria-label={label}
      tabIndex={-1} // A press on what takes no focus would else give it to the notebook's cell, away from here.
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        event.preventDefault();
        onClose();
        anchor.current?.focus();
      }}
      onFocusOut={(event) => {
        const next = event.relatedTarget as Node | null;
        if (next && !box.current?.contains(next) && next !== anchor.current) onClose();
      }}
    >
      {children}
    </div>
  );
}

/** Below the button, or above it where there is more room; always inside the window. */
function place(box: HTMLElement, button: HTMLElement, width: number, align: "start" | "end"): void {
  const at = button.getBoundingClientRect();
  const [wide, high] = [document.documentElement.clientWidth, innerHeight];
  const fits = Math.min(width, wide - 2 * MARGIN);
  const left = align === "start" ? at.left : at.right - fits;
  const [below, above] = [high - at.bottom - GAP - MARGIN, at.top - GAP - MARGIN];
  const up = below < Math.min(box.scrollHeight, 240) && above > below;
  Object.assign(box.style, {
    width: `${fits}px`,
    left: `${Math.max(MARGIN, Math.min(left, wide - fits - MARGIN))}px`,
    top: up ? "auto" : `${at.bottom + GAP}px`,
    bottom: up ? `${high - at.top + GAP}px` : "auto",
    maxHeight: `${Math.max(120, Math.min(400, up ? above : below))}px`,
  });
}
