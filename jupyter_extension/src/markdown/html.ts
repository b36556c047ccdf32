/** Markdown tokens as elements that are safe to show: nothing runs, nothing loads, nothing looks like a part of the chat. */
import createPurifier, { type DOMPurify } from "dompurify";
import { Parser, Renderer, type Token, type Tokens } from "marked";

const TAGS =
  "a abbr b blockquote br code dd del details dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li mark ol p pre q s small strong sub summary sup table tbody td tfoot th thead tr u ul var";
const RULES = {
  ALLOWED_TAGS: TAGS.split(" "),
  ALLOWED_ATTR: ["align", "colspan", "href", "open", "rowspan", "start", "title"],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  ALLOW_SELF_CLOSE_IN_ATTR: false,
  RETURN_DOM_FRAGMENT: true as const,
};
const NUMBER = /^[\s*_]*[-+−±~≈<>]?\s*(?:[$€£¥]\s*)?[\d.,'\u202f\u00a0 ]*\d\s*(?:%|‰|[a-zA-Zµ°€$£]{1,4})?[\s*_]*$/;

/** Images are links: what is loaded by itself tells others what was read. Columns of numbers stand right. */
class Careful extends Renderer {
  override image({ href, text }: Tokens.Image): string {
    return `<a href="${escaped(href)}">${escaped(text || "image")}</a>`;
  }

  override checkbox({ checked }: Tokens.Checkbox): string {
    return checked ? "☑ " : "☐ ";
  }

  override table(table: Tokens.Table): string {
    table.header.forEach((head, column) => {
      const cells = table.rows.map((row) => row[column]!);
      if (head.align || !cells.some((cell) => NUMBER.test(cell.text))) return;
      if (!cells.every((cell) => NUMBER.test(cell.text) || /^[\s–—-]*$/.test(cell.text))) return;
      for (const cell of [head, ...cells]) cell.align = "right";
    });
    return super.table(table);
  }
}

const renderer = new Careful();
let purifier: DOMPurify | null = null;

/** The elements of a token. */
export function elementsOf(token: Token): DocumentFragment {
  const fragment = purified().sanitize(Parser.parse([token], { gfm: true, renderer }), RULES);
  for (const link of fragment.querySelectorAll("a")) {
    if (!link.hasAttribute("href")) continue;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  for (const table of fragment.querySelectorAll("table")) {
    const box = document.createElement("div");
    box.className = "table";
    table.replaceWith(box);
    box.append(table);
  }
  return fragment;
}

/** Our own, so that nobody else's hooks act here. */
function purified(): DOMPurify {
  purifier ??= createPurifier(window);
  return purifier;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
