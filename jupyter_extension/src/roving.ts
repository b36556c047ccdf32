/** Arrow keys among the items of a menu, a list of tabs or a list of rows: one of them has the focus. */

const STEPS: Record<string, 1 | -1> = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

/** Where an arrow, Home or End leads from `index` among `length` items; null for another key. `round`: past the end comes the beginning. */
export function led(key: string, index: number, length: number, round = true): number | null {
  if (length === 0) return null;
  if (key === "Home") return 0;
  if (key === "End") return length - 1;
  const step = STEPS[key];
  if (step === undefined) return null;
  const next = index + step;
  if (round) return (next + length) % length;
  return Math.max(0, Math.min(length - 1, next));
}

/** Moves the focus among the elements of `box` that `items` selects; says whether the key was one for it. */
export function rove(event: KeyboardEvent, box: HTMLElement, items: string, axis: "vertical" | "horizontal"): boolean {
  const foreign = axis === "vertical" ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
  if (foreign.includes(event.key) || event.altKey || event.ctrlKey || event.metaKey) return false;
  const all = [...box.querySelectorAll<HTMLElement>(items)].filter((each) => !(each as HTMLButtonElement).disabled);
  const index = all.findIndex((each) => each.matches(":focus"));
  const next = led(event.key, index, all.length);
  if (next === null) return false;
  event.preventDefault();
  event.stopPropagation();
  all[next]?.focus();
  return true;
}
