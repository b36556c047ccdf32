/** Dates as the session list and the memories name them, in the reader's own time zone. */

export type Day = "Today" | "Yesterday" | "Earlier";

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const YEAR = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

const midnight = (date: Date): number => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

/** Which heading a time stands under. What a fast clock dates to the future is today. */
export function dayOf(at: string, now: Date): Day {
  const then = midnight(new Date(at));
  if (then >= midnight(now)) return "Today";
  const before = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  return then >= before.getTime() ? "Yesterday" : "Earlier";
}

/** `12 Nov`, with the year where it is another one. */
export function date(at: string, now: Date): string {
  const then = new Date(at);
  return (then.getFullYear() === now.getFullYear() ? DAY : YEAR).format(then);
}

/** `11:04` today and yesterday, `12 Nov` before. */
export const moment = (at: string, now: Date): string =>
  dayOf(at, now) === "Earlier" ? date(at, now) : TIME.format(new Date(at));

/** The whole of it, for a tooltip. */
export const whole = (at: string): string => `${YEAR.format(new Date(at))}, ${TIME.format(new Date(at))}`;
