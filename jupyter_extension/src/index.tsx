/** What anywidget loads: one store for each model, one drawing for each view. */
import { render as draw } from "preact";
import { Frame } from "./components/Frame";
import { type Insert, inserterFor } from "./insert";
import { Store } from "./store";
import { styles } from "./styles";
import { lookNow, watchLook } from "./theme";
import { type Model, wireOf } from "./wire";

interface Options {
  /** Height in px beyond which the transcript scrolls. */
  height?: number | null;
  /** Gives what puts code into a new cell; null where that cannot be. */
  inserter?: () => Insert | null;
}

/** Draws a view of a store in a shadow root of the element; returns what takes it away. */
export function mount(store: Store, el: HTMLElement, { height = null, inserter }: Options = {}): () => void {
  const root = el.shadowRoot ?? el.attachShadow({ mode: "open" });
  const sheet = document.createElement("style");
  sheet.textContent = styles;
  const chat = document.createElement("div");
  chat.className = "chat";
  const undo = keepKeys(el);
  const dress = ({ theme, host } = lookNow()) => {
    chat.dataset.theme = theme;
    chat.dataset.host = host;
  };
  dress();
  const undress = watchLook(dress);
  root.replaceChildren(sheet, chat);
  draw(<Frame store={store} chat={chat} height={height} inserter={inserter} />, chat);
  return () => {
    undress();
    undo();
    draw(null, chat);
    root.replaceChildren();
  };
}

/** What is typed in an element stays there and runs no cell; only the keys that save go through to the notebook. */
function keepKeys(el: HTMLElement): () => void {
  const types = ["keydown", "keyup", "keypress", "paste", "copy", "cut"];
  const keep = (event: Event) => isSave(event) || event.stopPropagation();
  // JupyterLab listens before the element does, and leaves alone what is marked so.
  const mark = (event: KeyboardEvent) => {
    if (event.composedPath().includes(el)) el.toggleAttribute("data-lm-suppress-shortcuts", !isSave(event));
  };
  el.dataset.lmSuppressShortcuts = "true";
  for (const type of types) el.addEventListener(type, keep);
  addEventListener("keydown", mark, true);
  return () => {
    for (const type of types) el.removeEventListener(type, keep);
    removeEventListener("keydown", mark, true);
  };
}

function isSave(event: Event): boolean {
  const { key, ctrlKey, metaKey, altKey, shiftKey } = event as Partial<KeyboardEvent>;
  return key?.toLowerCase() === "s" && (!!ctrlKey || !!metaKey) && !altKey && !shiftKey;
}

/** anywidget calls this once for each model. */
export default function chat() {
  let store: Store | null = null;
  return {
    initialize({ model }: { model: Model }) {
      store = new Store(wireOf(model));
      return () => store?.close();
    },
    render({ model, el }: { model: Model; el: HTMLElement }) {
      store ??= new Store(wireOf(model));
      const height = model.get("height");
      return mount(store, el, {
        height: typeof height === "number" ? height : null,
        inserter: () => inserterFor(model, el),
      });
    },
  };
}
