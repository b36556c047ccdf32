/** Text that a person answers for: what hides in it or turns it round is made visible. */

/** Control and format characters, fillers, private and lone ones, and every space but the plain one; not tab and line feed. */
const HIDDEN = /(?![\n\t ])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Zs}\p{Default_Ignorable_Code_Point}]/gu;

export interface Run {
  text: string;
  /** Whether `text` stands for a hidden character. */
  escaped: boolean;
}

/** `\u202e`, `\u{e0041}` */
function escape(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** The text in runs, with hidden characters as escapes of their own. */
export function visible(text: string): Run[] {
  const runs: Run[] = [];
  let end = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > end) runs.push({ text: text.slice(end, match.index), escaped: false });
    runs.push({ text: escape(match[0]), escaped: true });
    end = match.index + match[0].length;
  }
  if (end < text.length) runs.push({ text: text.slice(end), escaped: false });
  return runs;
}
