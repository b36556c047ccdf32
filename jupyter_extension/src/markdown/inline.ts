/** What stands in a line: code, emphasis, links, breaks and a few tags, as a tree. */
import type { Links } from "./parse";

export type Inline =
  | string
  | { readonly type: "code"; readonly text: string }
  | { readonly type: "break" }
  | { readonly type: "link"; readonly href: string; readonly title: string; readonly children: Inline[] }
  | { readonly type: "mark"; readonly name: MarkName; readonly children: Inline[] };

export type MarkName = "em" | "strong" | "del" | "b" | "i" | "s" | "u" | "kbd" | "sub" | "sup" | "mark" | "small";

const TAGS = new Set(["b", "i", "em", "strong", "s", "del", "u", "kbd", "sub", "sup", "mark", "small"]);
const TOKEN = new RegExp(
  [
    String.raw`\\([!-/:-@[-\x60{-~])`, // 1: escaped sign
    String.raw`(?<!\x60)(\x60+)(?!\x60)([\s\S]*?[^\x60])\2(?!\x60)`, // 2, 3: code
    String.raw`(!?)\[((?:\\.|[^[\]\\]|\[(?:\\.|[^[\]\\])*\])*)\](?:\(\s*(?:<([^<>\n]*)>|((?:[^\s()\\]|\\.|\([^\s()]*\))*))(?:\s+("[^"]*"|'[^']*'))?\s*\)|\[([^\]]*)\])?`, // 4–9
    String.raw`<(https?:\/\/[^\s<>]*|mailto:[^\s<>]*|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)>`, // 10: address in brackets
    String.raw`<(\/?)([a-zA-Z][\w-]*)((?:\s[^<>]*)?)\/?>|<!--[\s\S]*?-->`, // 11–13: tag
    String.raw`(?<![\w@/.])(https?:\/\/[^\s<>\x60]*[^\s<>\x60.,:;!?"'*_~])`, // 14: bare address
    String.raw`([*_]+|~~)`, // 15: emphasis
    String.raw`(?: {2,}|\\)\n|(\n)`, // 16: a soft break; else a hard one
    String.raw`&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[a-zA-Z]\w{1,30});`, // a character by name
  ].join("|"),
  "g",
);

interface Run {
  readonly sign: string;
  length: number;
  readonly opens: boolean;
  readonly closes: boolean;
}

type Piece = Inline | { readonly type: "run"; readonly run: Run } | { readonly type: "tag"; readonly name: MarkName; readonly ends: boolean };

/** Longer than anybody writes a paragraph, and the most signs of emphasis in one: beyond, text is shown as it stands. */
const MOST = { length: 20_000, runs: 1000 };

/** The tree of a text. */
export function inlineOf(text: string, links: Links, depth = 0): Inline[] {
  if (text.length > MOST.length) return [text];
  const out: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const piece = pieceOf(match, text, links, depth);
    if (piece === null) continue;
    if (match.index > at) out.push(text.slice(at, match.index));
    out.push(...(Array.isArray(piece) ? piece : [piece]));
    at = match.index + match[0].length;
  }
  if (at < text.length) out.push(text.slice(at));
  return joined(emphasised(tagged(out)));
}

/** What a token stands for; null: for its own text. */
function pieceOf(match: RegExpExecArray, text: string, links: Links, depth: number): Piece | Piece[] | null {
  const [whole, escaped, ticks, code, bang, label, angled, bare, title, reference, address, slash, tag, attributes, url, run, soft] = match;
  if (escaped !== undefined) return escaped;
  if (ticks !== undefined) {
    const flat = code!.replace(/\n/g, " ");
    return { type: "code", text: /^ .*\S.* $/.test(flat) ? flat.slice(1, -1) : flat };
  }
  if (label !== undefined) {
    const named = links.get((reference || label).toLowerCase());
    const href = angled ?? bare ?? named;
    if (href === undefined || depth > 4) return null;
    // Images are links: what is loaded by itself tells others what was read.
    const children = bang ? [label || "image"] : inlineOf(label, links, depth + 1);
    return { type: "link", href: href.replace(/\\(.)/g, "$1"), title: (title ?? "").slice(1, -1), children };
  }
  if (address !== undefined) {
    const href = /^(?:https?|mailto):/.test(address) ? address : `mailto:${address}`;
    return { type: "link", href, title: "", children: [address] };
  }
  if (tag !== undefined) return tagPiece(tag.toLowerCase(), slash === "/", attributes!);
  if (whole.startsWith("<!--")) return "";
  if (url !== undefined) {
    const shut = url.endsWith(")") && !url.includes("(") ? url.slice(0, -1) : url;
    return [{ type: "link", href: shut, title: "", children: [shut] }, url.slice(shut.length)];
  }
  if (run !== undefined) return { type: "run", run: runOf(run, text, match.index) };
  if (soft !== undefined) return null;
  return whole.startsWith("&") ? decoded(whole) : { type: "break" };
}

function tagPiece(name: string, ends: boolean, attributes: string): Piece | null {
  if (name === "br") return { type: "break" };
  if (name === "img") {
    const href = /\ssrc\s*=\s*["']?([^\s"'>]+)/i.exec(attributes)?.[1] ?? "";
    return { type: "link", href, title: "", children: [/\salt\s*=\s*"([^"]*)"/i.exec(attributes)?.[1] || "image"] };
  }
  return TAGS.has(name) ? { type: "tag", name: name as MarkName, ends } : null;
}

let reader: HTMLTextAreaElement | null = null;

/** The character that an entity names; a text area never takes its content for elements. */
function decoded(entity: string): string {
  reader ??= document.createElement("textarea");
  reader.innerHTML = entity;
  return reader.value;
}

const SPACE = /^\s?$/;
const PUNCTUATION = /[\p{P}\p{S}]/u;

function runOf(run: string, text: string, at: number): Run {
  const before = text[at - 1] ?? "";
  const after = text[at + run.length] ?? "";
  const left = !SPACE.test(after) && (!PUNCTUATION.test(after) || SPACE.test(before) || PUNCTUATION.test(before));
  const right = !SPACE.test(before) && (!PUNCTUATION.test(before) || SPACE.test(after) || PUNCTUATION.test(after));
  const low = run[0] === "_";
  return {
    sign: run[0]!,
    length: run.length,
    opens: left && (!low || !right || PUNCTUATION.test(before)),
    closes: right && (!low || !left || PUNCTUATION.test(after)),
  };
}

/** Pairs tags; one without its other half is left out. */
function tagged(pieces: Piece[]): Piece[] {
  const levels: { name: MarkName | null; out: Piece[] }[] = [{ name: null, out: [] }];
  for (const piece of pieces) {
    const top = levels.at(-1)!;
    if (typeof piece === "string" || piece.type !== "tag") top.out.push(piece);
    else if (!piece.ends) levels.push({ name: piece.name, out: [] });
    else if (top.name === piece.name) close(levels);
  }
  while (levels.length > 1) close(levels);
  return levels[0]!.out;
}

function close(levels: { name: MarkName | null; out: Piece[] }[]): void {
  const { name, out } = levels.pop()!;
  levels.at(-1)!.out.push({ type: "mark", name: name!, children: joined(emphasised(out)) });
}

/** Pairs runs of signs, the innermost first. */
function emphasised(pieces: Piece[]): Inline[] {
  const out = [...pieces];
  if (out.filter((_, at) => runAt(out, at)).length > MOST.runs) return out.map(plain);
  for (let at = 0; at < out.length; at += 1) {
    const closer = runAt(out, at);
    if (!closer?.closes) continue;
    for (let look = at - 1; look >= 0; look -= 1) {
      const opener = runAt(out, look);
      if (!opener?.opens || opener.sign !== closer.sign || !fits(opener, closer)) continue;
      const used = closer.sign === "~" || Math.min(opener.length, closer.length) > 1 ? 2 : 1;
      const name = closer.sign === "~" ? "del" : used === 2 ? "strong" : "em";
      const inner = out.slice(look + 1, at);
      opener.length -= used;
      closer.length -= used;
      const mark: Piece = { type: "mark", name, children: joined(inner.map(plain)) };
      out.splice(look + 1, inner.length, mark);
      at = look + 2;
      if (!opener.length) {
        out.splice(look, 1);
        at -= 1;
      }
      if (closer.length) at -= 1;
      else {
        out.splice(at, 1);
        at -= 1;
      }
      break;
    }
  }
  return out.map(plain);
}

function fits(opener: Run, closer: Run): boolean {
  if (!opener.length || !closer.length) return false;
  const both = (opener.opens && opener.closes) || (closer.opens && closer.closes);
  return !both || (opener.length + closer.length) % 3 !== 0 || (opener.length % 3 === 0 && closer.length % 3 === 0);
}

function runAt(pieces: Piece[], at: number): Run | null {
  const piece = pieces[at]!;
  return typeof piece === "object" && piece.type === "run" ? piece.run : null;
}

/** A run that found no partner is its own text. */
function plain(piece: Piece): Inline {
  if (typeof piece === "string") return piece;
  if (piece.type === "run") return piece.run.sign.repeat(piece.run.length);
  return piece.type === "tag" ? "" : piece;
}

function joined(pieces: Inline[]): Inline[] {
  const out: Inline[] = [];
  for (const piece of pieces) {
    if (typeof piece === "string" && typeof out.at(-1) === "string") out[out.length - 1] = `${out.at(-1) as string}${piece}`;
    else if (piece !== "") out.push(piece);
  }
  return out;
}
