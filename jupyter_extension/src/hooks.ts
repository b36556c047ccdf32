/** Preact's eyes on the store. */
import { createContext } from "preact";
import { useContext, useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import type { Store, View } from "./store";

/** What is of one view: its shadow root (for focus and ids) and the box that popovers are placed in. */
export interface Place {
  /** The element with class `chat`, which all of a view is in; null before it is mounted. */
  frame(): HTMLElement | null;
  /** Says something to screen readers, politely. */
  say(text: string): void;
}

export const PlaceContext = createContext<Place>({ frame: () => null, say: () => undefined });
export const usePlace = (): Place => useContext(PlaceContext);

/** A part of what the store knows; draws again only if that part is another one. */
export function useView<Part>(store: Store, pick: (view: View) => Part): Part {
  const [, again] = useReducer((count: number) => count + 1, 0);
  const part = pick(store.view);
  const seen = useRef({ part, pick });
  seen.current = { part, pick };
  useLayoutEffect(() => {
    const look = () => {
      if (!Object.is(seen.current.pick(store.view), seen.current.part)) again(0);
    };
    look();
    return store.subscribe(look);
  }, [store]);
  return part;
}

/** The kernel's time in seconds, drawn again every `period` seconds while `active`. */
export function useClock(store: Store, active: boolean, period = 1): number {
  const [now, setNow] = useState(() => store.now());
  useEffect(() => {
    if (!active) return;
    setNow(store.now());
    const timer = setInterval(() => setNow(store.now()), period * 1000);
    return () => clearInterval(timer);
  }, [store, active, period]);
  return now;
}

/** Whether something was copied a moment ago, and what to call when it was. */
export function useCopied(): [boolean, () => void] {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  return [copied, () => setCopied(true)];
}
