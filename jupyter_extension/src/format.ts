/** Numbers and times in the words of the chat. */

/** `412 tokens`, `~58 tokens`, `1 token`. */
export function tokens(count: number, estimated = false): string {
  return `${estimated ? "~" : ""}${whole(count)} ${count === 1 ? "token" : "tokens"}`;
}

/** `2,431`. */
export function whole(count: number): string {
  return count.toLocaleString("en-US");
}

/** `980`, `2.4k`, `4k`, `128k`. */
export function brief(count: number): string {
  if (count < 1000) return String(count);
  const thousands = count / 1000;
  const text = thousands < 9.95 ? thousands.toFixed(1).replace(/\.0$/, "") : String(Math.round(thousands));
  return `${text}k`;
}

/** `0.6 s`, `12 s`, `3 min 20 s`. */
export function seconds(value: number): string {
  if (value < 9.95) return `${value.toFixed(1)} s`;
  const rounded = Math.round(value);
  if (rounded < 60) return `${rounded} s`;
  const rest = rounded % 60;
  return `${Math.floor(rounded / 60)} min${rest ? ` ${rest} s` : ""}`;
}

/** `4:32`. */
export function countdown(value: number): string {
  const left = Math.max(0, Math.ceil(value));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

/** `1 turn`, `3 turns`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${whole(number)} ${number === 1 ? one : many}`;
}

/** `61 %`, `7.8 %`. */
export function percent(share: number, digits = 0): string {
  return `${(share * 100).toFixed(digits)} %`;
}
