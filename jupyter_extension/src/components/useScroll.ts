/** Keeps the end of the transcript in view while the person is there, and the place where they are while they are not. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { isRunning } from "../selectors";
import type { Store } from "../store";

/** So near to the end counts as at the end, in px. */
const NEAR = 40;

interface Scroll {
  atEnd: boolean;
  toEnd(): void;
}

export function useScroll(store: Store, box: { current: HTMLElement | null }, column: { current: HTMLElement | null }): Scroll {
  const [atEnd, setAtEnd] = useState(true);
  const stick = useRef(store.view.ui.scroll.stick);
  const toEnd = () => {
    stick.current = true;
    const scroller = box.current;
    if (scroller) scroller.scrollTop = scroller.scrollHeight;
    setAtEnd(true);
  };
  useLayoutEffect(() => {
    const scroller = box.current!;
    let height = 0;
    if (stick.current) scroller.scrollTop = scroller.scrollHeight;
    else scroller.scrollTop = store.view.ui.scroll.top;
    const left = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    /** Below it there may be room that was made for its question to stand at the top. */
    const endsInView = () => {
      const foot = column.current!.querySelector(".turn:last-of-type .foot");
      return !!foot && foot.getBoundingClientRect().bottom < scroller.getBoundingClientRect().bottom;
    };
    const settle = () => {
      if (column.current!.style.getPropertyValue("--view")) giveView(scroller, column.current!);
      if (stick.current) scroller.scrollTop = scroller.scrollHeight;
      height = scroller.scrollHeight;
      setAtEnd(stick.current || left() <= NEAR || endsInView());
    };
    const moved = () => {
      // Text that came at the same moment is not the person's scrolling.
      if (scroller.scrollHeight !== height) return settle();
      // Whoever scrolls up, however little, wants to stay there.
      stick.current = left() <= (scroller.scrollTop < store.view.ui.scroll.top ? 1 : NEAR);
      setAtEnd(stick.current || endsInView());
      store.view.ui.scroll.top = scroller.scrollTop;
      store.view.ui.scroll.stick = stick.current;
    };
    const grown = new ResizeObserver(settle);
    grown.observe(column.current!);
    grown.observe(scroller);
    scroller.addEventListener("scroll", moved, { passive: true });
    const wheel = (event: WheelEvent) => {
      if (event.deltaY < 0 && scroller.scrollTop > 0) stick.current = false;
    };
    scroller.addEventListener("wheel", wheel, { passive: true });
    return () => {
      grown.disconnect();
      scroller.removeEventListener("scroll", moved);
      scroller.removeEventListener("wheel", wheel);
    };
  }, [store]);
  useQuestionOnTop(store, box, column, toEnd);
  return { atEnd, toEnd };
}

/** A new turn gets a view's height, so that its question stands at the top of the view when the end is in view. */
function useQuestionOnTop(
  store: Store,
  box: { current: HTMLElement | null },
  column: { current: HTMLElement | null },
  toEnd: () => void,
): void {
  useLayoutEffect(() => {
    let last = store.view.state?.turns.at(-1)?.turn_id;
    let sent = 0;
    return store.subscribe(() => {
      const { state, pending } = store.view;
      const sends = pending.filter((one) => one.command.t === "send").length;
      const newest = state?.turns.at(-1);
      const isNew = newest?.turn_id !== last && !!newest && isRunning(newest);
      if (sends > sent || isNew) {
        const scroller = box.current!;
        if (scroller.scrollHeight > scroller.clientHeight + 1) giveView(scroller, column.current!);
        requestAnimationFrame(toEnd);
      } else if (newest?.turn_id !== last) column.current?.style.removeProperty("--view");
      last = newest?.turn_id;
      sent = sends;
    });
  }, [store]);
}

function giveView(scroller: HTMLElement, column: HTMLElement): void {
  const { paddingTop, paddingBottom } = getComputedStyle(column);
  const height = scroller.clientHeight - Number.parseFloat(paddingTop) - Number.parseFloat(paddingBottom);
  column.style.setProperty("--view", `${Math.max(0, height)}px`);
}
