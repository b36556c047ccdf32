/** Which letters of a found text to mark: those of the words that were searched for. */

export interface Hit {
  text: string;
  marked: boolean;
}

/** The text in runs; a word matches where another begins with it, whatever its case and accents. */
export function hits(text: string, query: string): Hit[] {
  const words = [...new Set(bare(query).match(/[\p{L}\p{N}]+/gu) ?? [])].sort((a, b) => b.length - a.length);
  if (words.length === 0) return text ? [{ text, marked: false }] : [];
  const runs: Hit[] = [];
  for (const piece of text.match(/[\p{L}\p{N}\p{M}]+|[^\p{L}\p{N}\p{M}]+/gu) ?? []) {
    const word = bare(piece);
    const found = words.find((each) => word.startsWith(each));
    // Where folding changes the length, the whole word is marked.
    const length = found === undefined ? 0 : word.length === piece.length ? found.length : piece.length;
    push(runs, piece.slice(0, length), true);
    push(runs, piece.slice(length), false);
  }
  return runs;
}

const bare = (text: string): string => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

function push(runs: Hit[], text: string, marked: boolean): void {
  const last = runs.at(-1);
  if (!text) return;
  if (last && last.marked === marked) last.text += text;
  else runs.push({ text, marked });
}
