/** An answer's text: blocks of which, while it is written, only the last is drawn again. */
import type { Token, Tokens } from "marked";
import { memo } from "../memo";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { BlockReader } from "../markdown/blocks";
import { elementsOf } from "../markdown/html";
import { CodeBox } from "./CodeBox";

/** `writing`: more may come, and the caret stands after the last glyph. */
export function Markdown({ text, writing = false }: { text: string; writing?: boolean }) {
  const reader = useMemo(() => new BlockReader(), []);
  const blocks = reader.read(text, !writing).filter((block) => block.token.type !== "space" && block.token.type !== "def");
  return (
    <div class="markdown">
      {blocks.map((block, index) => (
        <BlockView key={index} raw={block.raw} token={block.token} caret={writing && index === blocks.length - 1} />
      ))}
      {writing && !blocks.length && <p>{<Caret />}</p>}
    </div>
  );
}

interface BlockProps {
  raw: string;
  token: Token;
  caret: boolean;
}

const BlockView = memo(
  function BlockView({ token, caret }: BlockProps) {
    return <Piece token={token} caret={caret} />;
  },
  (before, after) => before.raw === after.raw && before.caret === after.caret && before.token.type === after.token.type,
);

function Piece({ token, caret }: { token: Token; caret: boolean }) {
  if (token.type === "code") {
    const { text, lang } = token as Tokens.Code;
    return <CodeBox code={text} language={lang ?? ""} caret={caret} />;
  }
  if (token.type === "list" && holdsCode(token)) return <List list={token as Tokens.List} caret={caret} />;
  if (token.type === "blockquote" && holdsCode(token)) {
    return (
      <blockquote>
        <Pieces tokens={(token as Tokens.Blockquote).tokens} caret={caret} />
      </blockquote>
    );
  }
  return <Elements token={token} caret={caret} />;
}

function List({ list, caret }: { list: Tokens.List; caret: boolean }) {
  const items = list.items.map((item, index) => (
    <li key={index}>
      <Pieces tokens={item.tokens} caret={caret && index === list.items.length - 1} />
    </li>
  ));
  return list.ordered ? <ol start={list.start || 1}>{items}</ol> : <ul>{items}</ul>;
}

function Pieces({ tokens, caret }: { tokens: Token[]; caret: boolean }) {
  const shown = tokens.filter((token) => token.type !== "space");
  return shown.map((token, index) => <Piece key={index} token={token} caret={caret && index === shown.length - 1} />);
}

function holdsCode(token: Token): boolean {
  if (token.type === "code") return true;
  const inner = [...((token as Tokens.Generic).tokens ?? []), ...((token as Tokens.List).items ?? [])] as Token[];
  return inner.some(holdsCode);
}

function Elements({ token, caret }: { token: Token; caret: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const elements = elementsOf(token);
    if (caret) lastSpot(elements).append(newCaret());
    box.current!.replaceChildren(elements);
  }, [token.raw, caret]);
  return <div class="block" ref={box} />;
}

/** The innermost element that the last glyph is in. */
function lastSpot(root: ParentNode & Node): ParentNode {
  let spot: ParentNode & Node = root;
  for (;;) {
    const last: ChildNode | undefined = [...spot.childNodes].filter((node) => node.textContent?.trim()).pop();
    if (!(last instanceof Element) || last.localName === "a" || last.localName === "code") return spot;
    spot = last;
  }
}

function newCaret(): HTMLElement {
  const caret = document.createElement("span");
  caret.className = "caret";
  caret.setAttribute("aria-hidden", "true");
  return caret;
}

export function Caret() {
  return <span class="caret" aria-hidden="true" />;
}
