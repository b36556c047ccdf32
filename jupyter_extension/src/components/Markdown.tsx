/** An answer's text: blocks of which, while it is written, only the last is drawn again. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { BlockReader } from "../markdown/blocks";
import { elementsOf, safeAddress } from "../markdown/html";
import { type Inline, inlineOf } from "../markdown/inline";
import type { Align, Block, Item, Links } from "../markdown/parse";
import { memo } from "../memo";
import { CodeBox } from "./CodeBox";

/** `writing`: more may come, and the caret stands after the last glyph. */
export function Markdown({ text, writing = false }: { text: string; writing?: boolean }) {
  const reader = useMemo(() => new BlockReader(), []);
  const blocks = reader.read(text, !writing).filter((block) => block.type !== "space");
  return (
    <div class="markdown" dir="auto">
      {blocks.map((block, index) => (
        <BlockView key={index} block={block} links={reader.links} caret={writing && index === blocks.length - 1} />
      ))}
      {writing && !blocks.length && (
        <p>
          <Caret />
        </p>
      )}
    </div>
  );
}

interface BlockProps {
  block: Block;
  links: Links;
  caret: boolean;
}

const BlockView = memo(
  Piece,
  (before, after) =>
    before.block.raw === after.block.raw &&
    before.block.type === after.block.type &&
    before.caret === after.caret &&
    (before.links === after.links || !after.links.size),
);

function Piece({ block, links, caret }: BlockProps) {
  switch (block.type) {
    case "code":
      return <CodeBox code={block.text} language={block.language} caret={caret} />;
    case "heading": {
      const Heading = `h${block.depth}` as "h1";
      return (
        <Heading>
          <Line text={block.text} links={links} caret={caret} />
        </Heading>
      );
    }
    case "paragraph":
      return (
        <p>
          <Line text={block.text} links={links} caret={caret} />
        </p>
      );
    case "quote":
      return (
        <blockquote>
          <Pieces blocks={block.blocks} links={links} caret={caret} />
        </blockquote>
      );
    case "list":
      return <List {...block} links={links} caret={caret} />;
    case "table":
      return <Table {...block} links={links} caret={caret} />;
    case "rule":
      return <hr />;
    case "html":
      return <Html html={block.raw} />;
    default:
      return null;
  }
}

function Pieces({ blocks, links, caret, tight = false }: { blocks: Block[]; links: Links; caret: boolean; tight?: boolean }) {
  const shown = blocks.filter((block) => block.type !== "space");
  if (!shown.length && caret) return <Caret />;
  return shown.map((block, index) => {
    const here = caret && index === shown.length - 1;
    if (tight && block.type === "paragraph") return <Line key={index} text={block.text} links={links} caret={here} />;
    return <Piece key={index} block={block} links={links} caret={here} />;
  });
}

function List({ start, loose, items, links, caret }: { start: number | null; loose: boolean; items: Item[]; links: Links; caret: boolean }) {
  const rows = items.map(({ done, blocks }, index) => (
    <li key={index} data-task={done === null ? undefined : ""}>
      {done !== null && (done ? "☑ " : "☐ ")}
      <Pieces blocks={blocks} links={links} caret={caret && index === items.length - 1} tight={!loose} />
    </li>
  ));
  return start === null ? <ul>{rows}</ul> : <ol start={start}>{rows}</ol>;
}

const NUMBER = /^[*_]*[-+−±~≈<>]?\s*[$€£¥]?\s*\d[\d.,'\u202f\u00a0 ]*(?:%|‰|[a-zA-Zµ°€$£]{1,4})?[*_]*$/;
const NOTHING = /^[–—-]?$/;

/** Columns of numbers stand right where the writer did not say. */
function Table({ align, rows, links, caret }: { align: Align[]; rows: string[][]; links: Links; caret: boolean }) {
  const [head = [], ...body] = rows;
  const sides = align.map((side, column) => {
    const cells = body.map((row) => row[column]!);
    return side ?? (cells.some((cell) => NUMBER.test(cell)) && cells.every((cell) => NUMBER.test(cell) || NOTHING.test(cell)) ? "right" : undefined);
  });
  const spot = caret ? lastCell(rows) : null;
  const line = (text: string, row: number, column: number) => (
    <Line text={text} links={links} caret={spot?.[0] === row && spot[1] === column} />
  );
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            {head.map((text, column) => (
              <th key={column} align={sides[column]}>
                {line(text, 0, column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {body.map((row, index) => (
            <tr key={index}>
              {row.map((text, column) => (
                <td key={column} align={sides[column]}>
                  {line(text, index + 1, column)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The cell that is being written: the last one with text in the last row. */
function lastCell(rows: string[][]): [row: number, column: number] {
  const row = rows.length - 1;
  const last = rows[row]!.reduce((found, text, column) => (text ? column : found), 0);
  return [row, last];
}

function Line({ text, links, caret }: { text: string; links: Links; caret: boolean }) {
  return (
    <>
      <Tree nodes={inlineOf(text, links)} />
      {caret && <Caret key={text.length} />}
    </>
  );
}

function Tree({ nodes }: { nodes: readonly Inline[] }): ComponentChildren {
  return nodes.map((node, index) => {
    if (typeof node === "string") return node;
    switch (node.type) {
      case "code":
        return <code key={index}>{node.text}</code>;
      case "break":
        return <br key={index} />;
      case "mark": {
        const Mark = node.name as "em";
        return (
          <Mark key={index}>
            <Tree nodes={node.children} />
          </Mark>
        );
      }
      case "link": {
        const href = safeAddress(node.href);
        return (
          <a key={index} title={node.title || undefined} {...(href ? { href, target: "_blank", rel: "noopener noreferrer" } : {})}>
            <Tree nodes={node.children} />
          </a>
        );
      }
    }
  });
}

function Html({ html }: { html: string }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => box.current!.replaceChildren(elementsOf(html)), [html]);
  return <div class="block" ref={box} />;
}

/** A key that changes with the text keeps it from blinking while text comes. */
export function Caret() {
  return <span class="caret" aria-hidden="true" />;
}
