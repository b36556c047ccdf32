/** When a deadline's countdown is spoken: at its start, at 60 and at 10 seconds. */

const MARKS = [60, 10];

/** Seconds to speak when `before` (null: just begun) have become `after`; null: say nothing. */
export function toSpeak(before: number | null, after: number): number | null {
  if (after <= 0) return null;
  if (before === null) return Math.ceil(after);
  const passed = MARKS.filter((mark) => before > mark && after <= mark);
  return passed.length > 0 ? Math.ceil(after) : null;
}

/** `4 minutes 32 seconds` */
export function spoken(seconds: number): string {
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  const words = [minutes && `${minutes} minute${minutes === 1 ? "" : "s"}`, rest && `${rest} second${rest === 1 ? "" : "s"}`];
  return words.filter(Boolean).join(" ");
}
