/**
 * HTML in Markdown as elements that are safe to show: nothing runs, nothing loads, nothing looks like a part of the chat.
 *
 * It is read by the browser's parser into a document that is never shown, where nothing runs or loads. From there only elements and
 * attributes of the lists below are made anew. They are never written out as HTML and read again, which is where other ways of cleaning
 * can be tricked.
 */

const KEPT = new Set(
  "a abbr b blockquote br code dd del details dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li mark ol p pre q s small strong sub summary sup table tbody td tfoot th thead tr u ul var".split(
    " ",
  ),
);
/** Left out with all that is in them; of everything else that is not kept, what is in it is. */
const DROPPED = new Set(
  "applet audio base button canvas embed frame frameset head iframe input link math meta noembed noframes noscript object option script select style svg template textarea title video xmp".split(
    " ",
  ),
);
const ATTRIBUTES: Record<string, RegExp> = {
  align: /^(?:left|right|center)$/,
  colspan: /^\d{1,2}$/,
  rowspan: /^\d{1,2}$/,
  start: /^\d{1,6}$/,
  title: /^[^\0]*$/,
};
const LINK = /^(?:https?:\/\/|mailto:)/i;
/** Deeper than anybody writes. */
const DEEPEST = 60;

/** The elements of a piece of HTML. */
export function elementsOf(html: string): DocumentFragment {
  const read = new DOMParser().parseFromString(html, "text/html");
  const fragment = document.createDocumentFragment();
  keep(read.body, fragment, 0);
  return fragment;
}

/** Where a link may lead: out, never into this page or to anything that runs; null: nowhere. */
export function safeAddress(href: string | null): string | null {
  const address = href?.trim() ?? "";
  return LINK.test(address) ? address : null;
}

/** Makes what may be kept of a node's content anew in another. */
function keep(from: Node, to: Node, depth: number): void {
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) to.appendChild(document.createTextNode(node.nodeValue!));
    else if (node instanceof Element && depth < DEEPEST) keepElement(node, to, depth + 1);
  }
}

function keepElement(element: Element, to: Node, depth: number): void {
  const name = element.localName;
  if (name === "img") return keepImage(element, to);
  if (DROPPED.has(name) || element.namespaceURI !== "http://www.w3.org/1999/xhtml") return;
  if (!KEPT.has(name)) return keep(element, to, depth);
  const copy = document.createElement(name);
  for (const [attribute, allowed] of Object.entries(ATTRIBUTES)) {
    const value = element.getAttribute(attribute);
    if (value !== null && allowed.test(value)) copy.setAttribute(attribute, value);
  }
  if (copy instanceof HTMLAnchorElement) direct(copy, element.getAttribute("href"));
  keep(element, copy, depth);
  to.appendChild(name === "table" ? boxed(copy) : copy);
}

function keepImage(image: Element, to: Node): void {
  const link = document.createElement("a");
  direct(link, image.getAttribute("src"));
  link.textContent = image.getAttribute("alt") || "image";
  to.appendChild(link);
}

function direct(link: HTMLAnchorElement, href: string | null): void {
  const address = safeAddress(href);
  if (!address) return;
  link.href = address;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
}

/** A wide table scrolls by itself. */
function boxed(table: HTMLElement): HTMLElement {
  const box = document.createElement("div");
  box.className = "table";
  box.append(table);
  return box;
}
