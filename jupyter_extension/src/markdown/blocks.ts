/**
 * Markdown as a list of blocks, taken apart again only where text was added.
 *
 * A block that is followed by two others cannot change any more by what comes at the end, so it keeps its identity, and what is drawn of
 * it stays as it is. Link definitions that come later than their use are found once the text is whole.
 */
import { Lexer, type Token, type TokensList } from "marked";

export interface Block {
  readonly raw: string;
  readonly token: Token;
}

export class BlockReader {
  private text = "";
  private blocks: readonly Block[] = [];
  private links: TokensList["links"] = {};

  /** The blocks of the text; `whole` once nothing more will come. */
  read(text: string, whole = false): readonly Block[] {
    if (text === this.text && !whole) return this.blocks;
    const kept = !whole && this.text && text.startsWith(this.text) ? settled(this.blocks) : [];
    const from = kept.reduce((length, block) => length + block.raw.length, 0);
    const lexer = new Lexer({ gfm: true });
    if (kept.length) lexer.tokens.links = this.links;
    const fresh = lexer.lex(text.slice(from).replace(/\r\n?/g, "\n"));
    this.links = fresh.links;
    this.text = text;
    this.blocks = [...kept, ...reused(fresh, this.blocks.slice(kept.length))];
    return this.blocks;
  }
}

/** All blocks but the last two that are more than space. */
function settled(blocks: readonly Block[]): readonly Block[] {
  let open = 2;
  let end = blocks.length;
  while (end > 0 && open > 0) {
    end -= 1;
    if (blocks[end]!.token.type !== "space") open -= 1;
  }
  return blocks.slice(0, end);
}

/** The tokens as blocks; the old block where it says the same. */
function reused(tokens: Token[], old: readonly Block[]): Block[] {
  return tokens.map((token, index) => {
    const before = old[index];
    return before?.raw === token.raw && before.token.type === token.type ? before : { raw: token.raw, token };
  });
}
