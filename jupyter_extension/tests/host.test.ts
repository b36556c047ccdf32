/** What is asked of the page that the chat is in: its colours, its kernel, its cells. */
import { afterEach, expect, test, vi } from "vitest";
import { cellIndex, inserterFor } from "../src/insert";
import { lookNow, watchLook } from "../src/theme";
import { type Model, wireOf } from "../src/wire";

afterEach(() => {
  document.body.removeAttribute("class");
  delete document.body.dataset.jpThemeLight;
  document.body.innerHTML = "";
});

test("the theme is JupyterLab's, then VS Code's, then the system's", () => {
  expect(lookNow()).toEqual({ theme: "light", host: "page" });
  document.body.className = "vscode-dark";
  expect(lookNow()).toEqual({ theme: "dark", host: "vscode" });
  document.body.dataset.jpThemeLight = "false";
  document.body.dataset.jpThemeName = "JupyterLab Dark High Contrast";
  expect(lookNow().theme).toBe("contrast-dark");
  delete document.body.dataset.jpThemeLight;
  delete document.body.dataset.jpThemeName;
  document.body.className = "vscode-high-contrast";
  expect(lookNow().theme).toBe("contrast-dark");
  document.body.className = "vscode-high-contrast vscode-high-contrast-light";
  expect(lookNow().theme).toBe("contrast-light");
  document.body.className = "";
  document.body.dataset.jpThemeLight = "false";
  expect(lookNow()).toEqual({ theme: "dark", host: "jupyter" });
});

test("a change of theme is followed until it is no longer wanted", async () => {
  const seen = vi.fn();
  const end = watchLook(seen);
  document.body.dataset.jpThemeLight = "false";
  await vi.waitFor(() => expect(seen).toHaveBeenLastCalledWith({ theme: "dark", host: "jupyter" }), 25_000);
  end();
  document.body.dataset.jpThemeLight = "true";
  await new Promise((done) => setTimeout(done, 10));
  expect(seen).toHaveBeenCalledTimes(1);
});

function model(manager?: unknown): Model {
  return { get: () => null, send: () => undefined, on: () => undefined, off: () => undefined, widget_manager: manager };
}

test("the kernel's status is followed where the host tells it", () => {
  const slots = new Set<() => void>();
  const signal = { connect: (slot: () => void) => slots.add(slot), disconnect: (slot: () => void) => slots.delete(slot) };
  const kernel = { status: "idle", connectionStatus: "connected", isDisposed: false, statusChanged: signal };
  const seen: string[] = [];
  const end = wireOf(model({ kernel })).watch((status) => seen.push(status));
  for (const status of ["busy", "restarting", "unknown"]) {
    kernel.status = status;
    for (const slot of slots) slot();
  }
  kernel.isDisposed = true;
  for (const slot of slots) slot();
  expect(seen).toEqual(["idle", "busy", "gone", "unknown", "gone"]);
  end();
  expect(slots.size).toBe(0);
  const elsewhere: string[] = [];
  wireOf(model()).watch((status) => elsewhere.push(status));
  expect(elsewhere).toEqual(["unknown"]);
});

test("a kernel that somebody else has restarted is known by its last words or its other process", () => {
  const slots = new Set<(sender: unknown, message: object) => void>();
  const iopubMessage = {
    connect: (slot: (sender: unknown, message: object) => void) => slots.add(slot),
    disconnect: (slot: (sender: unknown, message: object) => void) => slots.delete(slot),
  };
  const seen: string[] = [];
  const end = wireOf(model({ kernel: { status: "idle", iopubMessage } })).watch((status) => seen.push(status));
  for (const session of ["one", "one", undefined, "two", "two"]) {
    for (const slot of slots) slot(null, { header: { session } });
  }
  for (const slot of slots) slot(null, { header: { session: "two", msg_type: "shutdown_reply" } });
  expect(seen).toEqual(["idle", "gone", "gone"]);
  end();
  expect(slots.size).toBe(0);
});

test("code goes into a new cell below this one, where the notebook is within reach", () => {
  document.body.innerHTML = `<div class="jp-Notebook"><div class="jp-Cell"></div><div class="jp-Cell"><p></p></div><div class="jp-Cell"></div></div><p class="away"></p>`;
  const insertCell = vi.fn();
  const manager = { context: { model: { sharedModel: { cells: [0, 1, 2], insertCell } } } };
  const inside = document.querySelector<HTMLElement>(".jp-Cell p")!;
  inserterFor(model(manager), inside)!("x = 1");
  expect(insertCell).toHaveBeenCalledWith(2, { cell_type: "code", source: "x = 1", metadata: {} });
  expect(inserterFor(model(manager), document.querySelector<HTMLElement>(".away")!)).toBeNull();
  expect(inserterFor(model(), inside)).toBeNull();
  document.querySelectorAll<HTMLElement>(".jp-Cell")[1]!.dataset.windowedListIndex = "17";
  expect(cellIndex(inside)).toBe(17);
});
