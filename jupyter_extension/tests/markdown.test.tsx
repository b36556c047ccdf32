/** Markdown becomes what it stands for, as `marked` reads it, and never anything that acts. */
import { render } from "@testing-library/preact";
import { marked } from "marked";
import { describe, expect, test } from "vitest";
import { ANSWER } from "../gallery/fixtures";
import { Markdown } from "../src/components/Markdown";
import { BlockReader } from "../src/markdown/blocks";
import { pieces } from "../src/markdown/highlight";

const WRITTEN = [
  "plain\ntext in two lines",
  "# One\n\n## Two ##\n\nThree\n===\n\nFour\n---\n\ntext",
  "**bold** *em* ***both*** __bold__ _em_ snake_case_name 2*3*4 ~~gone~~ **bold*em*bold**",
  "**Note:** text **“quoted”**, and *a **b** c*",
  "`code` ``a ` b`` `*not em*` \\*not em\\*",
  "- a\n- b\n  - c\n    - d\n- e",
  "1. one\n2. two\n   - inner\n   - inner\n3. three",
  "3) three\n4) four",
  "- a\n\n- b\n\n  second paragraph\n- c",
  "* a\n* b\n\ntext\n\n+ c",
  "- a\n\n  ```python\n  print(1)\n\n  print(2)\n  ```\n- b",
  "1. text\n   continued\n2. lazy\ncontinued",
  "> quote\n> more\nlazy\n\n> - list\n> - in it\n\n> > nested",
  "| a | b |\n|---|:-:|\n| `x` | **y** |\n| 1 \\| 2 | z |\n\nafter",
  "a | b\n--- | ---\n1 | 2",
  "text\n| a |\n|---|\n| 1 |",
  "```js\nconst a = `x`;\n```\n\n~~~\ntilde\n```\n~~~",
  "````md\n```\ninner\n```\n````",
  "    indented\n      code\n\ntext",
  "a  \nb\\\nc\nd",
  "[link](https://a.example/x_(y) \"title\") <https://b.example> https://c.example/d, end",
  "[ref][r] and [r]\n\n[r]: https://r.example",
  "---\n\n***\n\n_ _ _",
  "- [x] done\n- [ ] open",
  "text\n- list right after\n- more\n\ntext\n1. ordered",
  "A paragraph\n# Heading\nmore\n> quote\n```\ncode\n```\nend",
  "&amp; &copy; &#65; &nope; 5 < 6 > 4 & so on",
  "H<sub>2</sub>O and <kbd>Ctrl</kbd> and a<br>b",
  "line one<br/>line two",
  "1. **Step**: do\n\n   ```sh\n   ls\n   ```\n\n2. **Next**: do",
  "- **a**: `x`\n- **b**: y\n\n\n\nend",
  "$x^2$ and $$\\sum_i x_i$$",
  "* item\n\n    indented code?\n* item",
  "Email: <a.b@c.example>",
  "**a**b **c** d_e_f *g*h",
  "1986\\. A great year. 1986. not a list",
  "![chart](https://e.example/c.png)",
  ANSWER,
];

/** Elements and text, without what only one of the two writes (classes, code boxes, space between elements). */
function shape(root: ParentNode): string {
  const out: string[] = [];
  const walk = (node: Node, pre: boolean): void => {
    if (node.nodeType === 3) {
      const text = pre ? node.nodeValue! : node.nodeValue!.replace(/\s+/g, " ");
      if (text) out.push(text);
      return;
    }
    const element = node as Element;
    const name = element.localName;
    if (["figcaption", "button"].includes(name)) return;
    const through = ["div", "figure", "span", "input"].includes(name);
    if (name === "img") return void out.push(`<a ${element.getAttribute("src")}>${element.getAttribute("alt")}</a>`);
    if (name === "input") return void out.push(element.hasAttribute("checked") ? "☑ " : "☐ ");
    const attributes = ["href", "start"].map((one) => element.getAttribute(one)).filter(Boolean);
    if (!through) out.push(`<${[name, ...attributes].join(" ")}>`);
    for (const child of element.childNodes) walk(child, pre || name === "pre");
    if (!through) out.push(`</${name}>`);
  };
  for (const child of root.childNodes) walk(child, false);
  return out
    .join("")
    .replace(/\s*(<\/?(?:p|ul|ol|li|h\d|blockquote|table|thead|tbody|tr|t[hd]|pre|hr|br)\b[^>]*>)\s*/g, "$1")
    .replace(/\n<\/code>/g, "</code>")
    .replace(/☐ {2}/g, "☐ ")
    .replace(/☑ {2}/g, "☑ ");
}

function drawn(text: string, writing = false): HTMLElement {
  return render(<Markdown text={text} writing={writing} />).container.firstElementChild as HTMLElement;
}

test.each(WRITTEN)("is read as marked reads it: %j", (text) => {
  const expected = document.createElement("div");
  expected.innerHTML = marked.parse(text, { async: false, gfm: true }).replace(/<ol start="1">/g, "<ol>");
  expect(shape(drawn(text)).replace(/<ol 1>/g, "<ol>")).toBe(shape(expected));
});

test("a nested list may be indented by two spaces under a number", () => {
  expect(drawn("1. a\n  - b\n2. c").querySelectorAll("ol > li > ul > li")).toHaveLength(1);
  expect(drawn("1. a\n  - b\n2. c").querySelectorAll("ol > li")).toHaveLength(2);
});

test("columns of numbers stand right", () => {
  const cells = drawn("| name | n | x |\n|---|---|---|\n| a | 1,200 % | b |\n| b | – | 2 |").querySelectorAll("td");
  expect([...cells].map((cell) => cell.getAttribute("align"))).toEqual([null, "right", null, null, "right", null]);
});

describe("streaming", () => {
  test("blocks that are done stay as they are, whatever comes", () => {
    const { container, rerender } = render(<Markdown text="" writing />);
    const seen = new Map<Element, string>();
    for (let end = 1; end <= ANSWER.length; end += 7) {
      rerender(<Markdown text={ANSWER.slice(0, end)} writing />);
      const blocks = [...container.querySelector(".markdown")!.children];
      for (const block of blocks.slice(0, -2)) {
        if (seen.has(block)) expect(block.innerHTML).toBe(seen.get(block));
        seen.set(block, block.innerHTML);
      }
    }
    expect(seen.size).toBe(container.querySelector(".markdown")!.children.length - 2);
  });

  test("only the last blocks are read again", () => {
    const reader = new BlockReader();
    let before = reader.read(ANSWER.slice(0, 1));
    for (let end = 2; end <= ANSWER.length; end += 1) {
      const now = reader.read(ANSWER.slice(0, end));
      const same = now.filter((block, index) => block === before[index]).length;
      expect(now.filter((block) => block.type !== "space").length - now.slice(0, same).filter((block) => block.type !== "space").length).toBeLessThanOrEqual(3);
      before = now;
    }
  });

  test("the head of a table is shown as a table or, where none follows, as text, and never as one and then the other", () => {
    const types = (text: string) => new BlockReader().read(text).flatMap(({ type }) => (type === "space" ? [] : [type]));
    const head = "Look:\n\n| a | b |\n|---|---|\n";
    for (let end = 7; end < head.length; end += 1) expect(types(head.slice(0, end))).toEqual(["paragraph"]);
    expect(types(`${head}| 1`)).toEqual(["paragraph", "table"]);
    expect(types("Look:\n\n| a | b\nno table")).toEqual(["paragraph", "paragraph"]);
    expect(new BlockReader().read("| a", true)).toHaveLength(1);
  });

  test.each(WRITTEN)("piece by piece gives the same as all at once: %j", (text) => {
    const reader = new BlockReader();
    for (let end = 0; end < text.length; end += 3) reader.read(text.slice(0, end));
    expect(reader.read(text, true)).toEqual(new BlockReader().read(text, true));
  });

  test.each(["text", "- a\n- b", "```py\ncode", "| a |\n|---|\n| b |", "# head", "> quote", "- a\n\n  ```\n  code", ""])(
    "one caret stands after the last glyph: %j",
    (text) => {
      const root = drawn(text, true);
      const caret = root.querySelectorAll(".caret");
      expect(caret).toHaveLength(1);
      const range = document.createRange();
      range.setStartAfter(caret[0]!);
      range.setEndAfter(root);
      expect(range.toString().trim()).toBe("");
      expect(drawn(text).querySelector(".caret")).toBeNull();
    },
  );
});

const RUN = "window.ran=1";
const HOSTILE = [
  `<script>${RUN}</script>`,
  `<img src=x onerror=${RUN}>`,
  `text <img src=x onerror='${RUN}'> text`,
  `<svg onload=${RUN}><script>${RUN}</script></svg>`,
  `<iframe srcdoc="<script>parent.${RUN}</script>"></iframe>`,
  `<details open ontoggle=${RUN}><summary>x</summary></details>`,
  `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${RUN}&gt;">`,
  `<form action="https://evil.invalid"><input name=a><button formaction=javascript:${RUN}>x</button></form>`,
  `<style>*{background:url(https://evil.invalid)}</style><link rel=stylesheet href=https://evil.invalid>`,
  `<div id=x class=approval style="background:url(https://evil.invalid)" data-commandlinker-command="terminal:create-new">x</div>`,
  `<a href="javascript:${RUN}">a</a> <a href=" java\nscript:${RUN}">b</a> <a href="data:text/html,x">c</a>`,
  `[a](javascript:${RUN}) [b](JaVaScRiPt:${RUN}) [c](java&#115;cript:${RUN}) [d](data:text/html;base64,x) [e](vbscript:x) [f](//evil.invalid) [g](/lab) [h](#x)`,
  `<javascript:${RUN}>`,
  `![x](https://evil.invalid/leak.png) ![y](javascript:${RUN})`,
  `[x][r]\n\n[r]: javascript:${RUN}`,
  `<b onclick=${RUN}>x</b> <kbd style="position:fixed">y</kbd> <br onload=${RUN}>`,
  `| a |\n|---|\n| <img src=x onerror=${RUN}> |`,
  `- <img src=x onerror=${RUN}>\n\n  <script>${RUN}</script>`,
  `<template><img src=x onerror=${RUN}></template><noscript><p title="</noscript><img src=x onerror=${RUN}>">`,
  `<base href="https://evil.invalid"><meta http-equiv=refresh content="0;url=https://evil.invalid"><object data=x></object><embed src=x>`,
  "```html\n<script>window.ran=1</script>\n```",
  `&lt;img src=x onerror=${RUN}&gt; &#60;script&#62;`,
  `\`<img src=x onerror=${RUN}>\``,
];
const HARMLESS =
  /^(?:a|abbr|b|blockquote|br|button|code|dd|del|details|div|dl|dt|em|figcaption|figure|h[1-6]|hr|i|kbd|li|mark|ol|p|path|pre|q|s|small|span|strong|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|tr|u|ul|var)$/;

function acting(root: Element): string[] {
  return [...root.querySelectorAll("*")].flatMap((element) => {
    const ours = element.closest(".code-box") !== null;
    const bad =
      !HARMLESS.test(element.localName) ||
      (!ours && ["button", "svg"].includes(element.localName)) ||
      [...element.attributes].some(({ name, value }) => {
        if (/^on|^style$|^id$|^src|^name$|^form/i.test(name)) return true;
        if (name === "href") return !/^(?:https?:\/\/|mailto:)/.test(value) || element.getAttribute("rel") !== "noopener noreferrer";
        if (name === "class") return !ours && !/^(?:block|table|caret|markdown|code-box)$/.test(value);
        return name.startsWith("data-") && name !== "data-task";
      });
    return bad ? [element.outerHTML] : [];
  });
}

test.each(HOSTILE)("nothing acts: %j", (text) => {
  for (let end = 1; end <= text.length; end += 1) expect(acting(drawn(text.slice(0, end), true))).toEqual([]);
  expect(acting(drawn(`${text}\n\nafter\n\n${text}`))).toEqual([]);
  expect((window as unknown as { ran?: number }).ran).toBeUndefined();
});

test("a hostile text of great length is read in time", () => {
  const long = ["*a ", "a* ", "[", "`", "<", "> ", "- ", "| ", "**", "_a", "<!--", "[a](", "  ", "#", "~~~", "&"].map((piece) => piece.repeat(20_000 / piece.length));
  const start = performance.now();
  for (const text of long) {
    const reader = new BlockReader();
    reader.read(text, true);
    drawn(text).remove();
  }
  expect(performance.now() - start).toBeLessThan(8000);
});

test("code is coloured without losing a character", () => {
  const sources: [string, string][] = [
    ["python", "@wraps\ndef f(x: int = 3) -> str:\n    '''doc'''\n    return f\"{x}\" # end"],
    ["sql", "SELECT a FROM b WHERE c = 'd' -- e"],
    ["js", "const a = `x ${1}`; // b\n/* c"],
    ["bash", "echo \"$HOME\" # home\nls -la | grep x"],
    ["json", '{"a": [1, true, null, "b"]}'],
    ["diff", "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y"],
    ["html", "<p class=\"a\">b</p><!-- c -->"],
    ["unknown", "anything at all"],
  ];
  for (const [language, code] of sources) expect(pieces(code, language).map(([, text]) => text).join("")).toBe(code);
  const kinds = new Map(pieces(sources[0]![1], "python").map(([kind, text]) => [text, kind]));
  expect(["@wraps", "def", "f", "3", "'''doc'''", "return", "# end"].map((text) => kinds.get(text))).toEqual(
    ["name", "keyword", null, "number", "string", "keyword", "comment"].map((kind, index) => (index === 2 ? kinds.get("f") : kind)),
  );
});
