/**
 * Markdown as a list of blocks, taken apart again only where text was added.
 *
 * A block that is followed by two others cannot change any more by what comes at the end, so it keeps its identity, and what is drawn of
 * it stays as it is. Link definitions that come later than their use are found once the text is whole.
 */
import { type Block, blocksOf, type Links } from "./parse";

const TABLE_TO_COME = /^\|[^\n]*(\n[|: \t-]*)?$/;

export class BlockReader {
  links: Links = new Map();
  private text = "";
  private whole = false;
  private blocks: readonly Block[] = [];

  /** The blocks of the text; `whole` once nothing more will come. */
  read(text: string, whole = false): readonly Block[] {
    if (text === this.text && whole === this.whole) return this.blocks;
    const kept = !whole && this.text && text.startsWith(this.text) ? settled(this.blocks) : [];
    if (!kept.length) this.links = new Map();
    const from = kept.reduce((length, block) => length + block.raw.length, 0);
    const fresh = blocksOf(text.slice(from).replace(/\r\n?/g, "\n"), this.links);
    // What will be the head of a table is not shown as a line with bars before.
    if (!whole && TABLE_TO_COME.test(fresh.at(-1)?.raw ?? "")) fresh.pop();
    this.text = text;
    this.whole = whole;
    this.blocks = [...kept, ...fresh];
    return this.blocks;
  }
}

/** All blocks but the last two that are more than space. */
function settled(blocks: readonly Block[]): readonly Block[] {
  let open = 2;
  let end = blocks.length;
  while (end > 0 && open > 0) {
    end -= 1;
    if (blocks[end]!.type !== "space") open -= 1;
  }
  return blocks.slice(0, end);
}
