/**
 * Markdown as blocks: CommonMark and GitHub's tables, task lists and strikethrough, as far as models write them.
 *
 * A list under a list item may be indented by two spaces whatever the marker's width, which models do and CommonMark does not take for
 * nested.
 */

export type Align = "left" | "right" | "center" | null;

export type Block = { readonly raw: string } & (
  | { readonly type: "space" }
  | { readonly type: "heading"; readonly depth: number; readonly text: string }
  | { readonly type: "paragraph"; readonly text: string }
  | { readonly type: "code"; readonly language: string; readonly text: string }
  | { readonly type: "rule" }
  | { readonly type: "html" }
  | { readonly type: "quote"; readonly blocks: Block[] }
  | { readonly type: "list"; readonly start: number | null; readonly loose: boolean; readonly items: Item[] }
  | { readonly type: "table"; readonly align: Align[]; readonly rows: string[][] }
);

export interface Item {
  /** Null: no task. */
  readonly done: boolean | null;
  readonly blocks: Block[];
}

/** Where reference links lead, by their name in lower case. */
export type Links = Map<string, string>;

const FENCE = /^( {0,3})(`{3,}|~{3,})[ \t]*(.*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*)|)$/;
const UNDERLINE = /^ {0,3}(=+|-+)[ \t]*$/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const MARKER = /^( *)([-*+]|\d{1,9}[.)])(?:( +)(.*)|)$/;
const DELIMITERS = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const HTML = /^ {0,3}<(?:\/?[a-zA-Z][\w-]*(?:[\s/>]|$)|!--)/;
const DEFINITION = /^ {0,3}\[([^\]^][^\]]*)\]:[ \t]*<?([^\s>]+)>?(?:[ \t]+(?:"[^"]*"|'[^']*'|\([^)]*\)))?[ \t]*$/;
/** Deeper than anybody writes. */
const DEEPEST = 20;

/** The blocks of a text; together their `raw` is the text. Link definitions are added to `links`. */
export function blocksOf(text: string, links: Links, depth = 0): Block[] {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const from = at;
    const [end, block] = depth > DEEPEST ? paragraph(lines, lines.length, at) : next(lines, at, links, depth);
    at = end;
    const raw = lines.slice(from, at).join("\n") + (at < lines.length ? "\n" : "");
    if (raw) blocks.push({ ...block, raw } as Block);
  }
  return blocks;
}

type Found = [end: number, block: object];

function next(lines: string[], at: number, links: Links, depth: number): Found {
  const line = lines[at]!;
  if (!line.trim()) return [at + 1, { type: "space" }];
  const definition = DEFINITION.exec(line);
  if (definition) {
    links.set(definition[1]!.toLowerCase(), definition[2]!);
    return [at + 1, { type: "space" }];
  }
  const fence = FENCE.exec(line);
  if (fence && opens(fence)) return fenced(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) return [at + 1, { type: "heading", depth: heading[1]!.length, text: (heading[2] ?? "").trim().replace(/(?:^|[ \t]+)#+$/, "") }];
  if (RULE.test(line)) return [at + 1, { type: "rule" }];
  if (QUOTE.test(line)) return quote(lines, at, links, depth);
  if (startsList(line)) return list(lines, at, links, depth);
  if (startsTable(lines, at)) return table(lines, at);
  if (HTML.test(line)) return html(lines, at);
  if (/^ {4}/.test(line)) return indented(lines, at);
  return paragraph(lines, lines.length, at);
}

function opens(fence: RegExpExecArray): boolean {
  return fence[2]![0] === "~" || !fence[3]!.includes("`");
}

function fenced(lines: string[], at: number, [, indent, fence, info]: RegExpExecArray): Found {
  const close = new RegExp(`^ {0,3}${fence![0]}{${fence!.length},}[ \\t]*$`);
  const strip = new RegExp(`^ {0,${indent!.length}}`);
  let end = at + 1;
  while (end < lines.length && !close.test(lines[end]!)) end += 1;
  const text = lines.slice(at + 1, end).map((line) => line.replace(strip, ""));
  return [Math.min(end + 1, lines.length), { type: "code", language: info!.trim(), text: text.join("\n") }];
}

function indented(lines: string[], at: number): Found {
  let end = at;
  while (end < lines.length && /^ {4}|^\s*$/.test(lines[end]!)) end += 1;
  while (!lines[end - 1]!.trim()) end -= 1;
  return [end, { type: "code", language: "", text: lines.slice(at, end).map((line) => line.slice(4)).join("\n") }];
}

function html(lines: string[], at: number): Found {
  const whole = /^ {0,3}<(pre|script|style|textarea)\b/i.exec(lines[at]!)?.[1];
  const last = lines[at]!.includes("<!--") ? /-->/ : whole ? new RegExp(`</${whole}>`, "i") : null;
  let end = at;
  while (end < lines.length && (last ? !last.test(lines[end]!) : lines[end]!.trim())) end += 1;
  return [Math.min(last ? end + 1 : end, lines.length), { type: "html" }];
}

function quote(lines: string[], at: number, links: Links, depth: number): Found {
  const inner: string[] = [];
  let end = at;
  for (; end < lines.length; end += 1) {
    const line = lines[end]!;
    if (QUOTE.test(line)) inner.push(line.replace(QUOTE, ""));
    else if (line.trim() && inner.at(-1)!.trim() && !interrupts(lines, end)) inner.push(line);
    else break;
  }
  return [end, { type: "quote", blocks: blocksOf(inner.join("\n"), links, depth + 1) }];
}

function startsList(line: string): RegExpExecArray | null {
  const marker = MARKER.exec(line);
  return marker && marker[1]!.length < 4 && !RULE.test(line) ? marker : null;
}

function kindOf(marker: string): string {
  return marker.at(-1)!;
}

function list(lines: string[], at: number, links: Links, depth: number): Found {
  const first = MARKER.exec(lines[at]!)!;
  const kind = kindOf(first[2]!);
  const items: Item[] = [];
  let loose = false;
  let end = at;
  while (end < lines.length) {
    const marker = startsList(lines[end]!);
    if (!marker || kindOf(marker[2]!) !== kind) break;
    const [after, inner] = item(lines, end, marker);
    const task = /^\[([ xX])\][ \t]+/.exec(inner[0]!);
    if (task) inner[0] = inner[0]!.slice(task[0].length);
    const blocks = blocksOf(inner.join("\n").replace(/\s+$/, ""), links, depth + 1);
    items.push({ done: task ? task[1] !== " " : null, blocks });
    if (blocks.some((block, index) => block.type === "space" && index < blocks.length - 1)) loose = true;
    end = after;
    let blank = end;
    while (blank < lines.length && !lines[blank]!.trim()) blank += 1;
    const following = blank > end && blank < lines.length ? startsList(lines[blank]!) : null;
    if (following && kindOf(following[2]!) === kind) {
      loose = true;
      end = blank;
    }
  }
  const start = /^\d/.test(first[2]!) ? Number.parseInt(first[2]!, 10) : null;
  return [end, { type: "list", start, loose, items }];
}

/** The lines of an item without their indentation, and where it ends (blank lines after it are not its own). */
function item(lines: string[], at: number, marker: RegExpExecArray): [end: number, inner: string[]] {
  const [, indent, sign, space = " ", rest = ""] = marker;
  const width = indent!.length + sign!.length + (space.length > 4 ? 1 : space.length);
  const inner = [space.length > 4 ? space.slice(1) + rest : rest];
  let end = at + 1;
  let blanks = 0;
  let fence: string | null = openFence(inner[0]!, null);
  for (let look = end; look < lines.length; look += 1) {
    const line = lines[look]!.replace(/^\t+/, (tabs) => "    ".repeat(tabs.length));
    const depth = /^ */.exec(line)![0].length;
    if (!line.trim()) {
      blanks += 1;
      inner.push("");
      continue;
    }
    const nested = depth >= Math.min(width, indent!.length + 2) && (depth >= width || MARKER.test(line));
    if (nested) inner.push(line.slice(Math.min(depth, width)));
    else if (fence !== null && !blanks && !startsList(line)) inner.push(line.trimStart());
    else if (!blanks && !startsList(line) && !interrupts(lines, look)) inner.push(line.trimStart());
    else break;
    fence = openFence(inner.at(-1)!, fence);
    blanks = 0;
    end = look + 1;
  }
  return [end, inner.slice(0, end - at)];
}

function openFence(line: string, open: string | null): string | null {
  const fence = FENCE.exec(line)?.[2];
  if (!fence) return open;
  return open === null ? fence : fence.startsWith(open) ? null : open;
}

function startsTable(lines: string[], at: number): boolean {
  const below = lines[at + 1];
  if (below === undefined || !lines[at]!.includes("|") || !DELIMITERS.test(below)) return false;
  return cells(lines[at]!).length === cells(below).length;
}

function table(lines: string[], at: number): Found {
  const align = cells(lines[at + 1]!).map((cell): Align => {
    const [left, right] = [cell.startsWith(":"), cell.endsWith(":")];
    return left && right ? "center" : right ? "right" : left ? "left" : null;
  });
  const rows = [cells(lines[at]!)];
  let end = at + 2;
  for (; end < lines.length && lines[end]!.trim() && (lines[end]!.includes("|") || !interrupts(lines, end)); end += 1)
    rows.push(cells(lines[end]!));
  return [end, { type: "table", align, rows: rows.map((row) => align.map((_, column) => row[column] ?? "")) }];
}

/** Cells of a row; a bar after a backslash or in code does not part them. */
function cells(line: string): string[] {
  const parts = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return parts.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

function paragraph(lines: string[], most: number, at: number): Found {
  let end = at + 1;
  while (end < most && lines[end]!.trim()) {
    const under = UNDERLINE.exec(lines[end]!);
    if (under) {
      const text = lines.slice(at, end).join("\n").trim();
      return [end + 1, { type: "heading", depth: under[1]![0] === "=" ? 1 : 2, text }];
    }
    if (interrupts(lines, end)) break;
    end += 1;
  }
  const text = lines.slice(at, end).map((line) => line.trimStart()).join("\n").trimEnd();
  return [end, { type: "paragraph", text }];
}

/** Whether a line ends the paragraph above it. */
function interrupts(lines: string[], at: number): boolean {
  const line = lines[at]!;
  const fence = FENCE.exec(line);
  const marker = startsList(line);
  return (
    (fence !== null && opens(fence)) ||
    HEADING.test(line) ||
    RULE.test(line) ||
    QUOTE.test(line) ||
    HTML.test(line) ||
    startsTable(lines, at) ||
    (marker !== null && marker[4] !== undefined && marker[4] !== "" && !/^(?!1[.)])\d/.test(marker[2]!))
  );
}
