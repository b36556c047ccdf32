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
  // JupyterLab then leaves all keys to us; what is typed here must not run a cell.
  el.dataset.lmSuppressShortcuts = "true";
  const keep = (event: Event) => event.stopPropagation();
  for (const type of ["keydown", "keyup", "keypress", "paste", "copy", "cut"]) el.addEventListener(type, keep);
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
    for (const type of ["keydown", "keyup", "keypress", "paste", "copy", "cut"]) el.removeEventListener(type, keep);
    draw(null, chat);
    root.replaceChildren();
  };
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
