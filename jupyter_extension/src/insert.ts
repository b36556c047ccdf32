/** A new cell below the one that the chat is in: only where the notebook's own model is within reach. */
import { createContext } from "preact";
import type { Model } from "./wire";

export type Insert = (source: string) => void;
export const InsertContext = createContext<Insert | null>(null);

interface SharedNotebook {
  cells: unknown[];
  insertCell(index: number, cell: { cell_type: "code"; source: string; metadata: object }): unknown;
}

/** What puts code into a new cell below `el`; null where the host has no such thing. */
export function inserterFor(model: Model, el: HTMLElement): Insert | null {
  const notebook = notebookOf(model);
  if (!notebook || cellIndex(el) === null) return null;
  return (source) => {
    const index = cellIndex(el);
    if (index !== null && index < notebook.cells.length)
      notebook.insertCell(index + 1, { cell_type: "code", source, metadata: {} });
  };
}

function notebookOf(model: Model): SharedNotebook | null {
  const manager = model.widget_manager as { context?: { model?: { sharedModel?: Partial<SharedNotebook> } } } | undefined;
  const shared = manager?.context?.model?.sharedModel;
  return Array.isArray(shared?.cells) && typeof shared.insertCell === "function" ? (shared as SharedNotebook) : null;
}

/** Where in its notebook the cell with this output stands; null outside a notebook. */
export function cellIndex(el: HTMLElement): number | null {
  const cell = el.closest<HTMLElement>(".jp-Cell");
  const notebook = cell?.closest(".jp-Notebook");
  if (!cell || !notebook) return null;
  // Where cells out of view are taken out of the page, each tells its place.
  const told = cell.dataset.windowedListIndex;
  if (told !== undefined) return Number(told);
  const index = [...notebook.querySelectorAll(".jp-Cell")].indexOf(cell);
  return index < 0 ? null : index;
}
