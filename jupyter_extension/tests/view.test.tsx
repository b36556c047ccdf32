/** A whole view as anywidget makes it: keys, focus, what screen readers hear, and what a new view finds. */
import { fireEvent, waitFor } from "@testing-library/preact";
import { userEvent } from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { ANSWER, chat, COMMAND, FIRST, METER, running, SECOND, SESSION, turn } from "../gallery/fixtures";
import { STATES, answersOf } from "../gallery/states";
import { FakeWire } from "../gallery/wire";
import { mount } from "../src/index";
import { readable } from "../src/components/useAnnouncements";
import type { ChatState } from "../src/protocol";
import { Store } from "../src/store";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
  document.body.innerHTML = "";
});

interface Opened {
  wire: FakeWire;
  store: Store;
  el: HTMLElement;
  root: ShadowRoot;
  draft: HTMLTextAreaElement;
  find(selector: string): HTMLElement;
  close(): void;
}

function open(state: ChatState, store?: Store, wire = new FakeWire(state)): Opened {
  store ??= new Store(wire);
  const el = document.body.appendChild(document.createElement("div"));
  const close = mount(store, el);
  ends.push(close);
  const root = el.shadowRoot!;
  const find = (selector: string) => root.querySelector<HTMLElement>(selector)!;
  return { wire, store, el, root, find, close, draft: find("textarea.draft") as HTMLTextAreaElement };
}

function type(field: HTMLTextAreaElement, text: string): void {
  fireEvent.input(field, { target: { value: text } });
}

const kinds = (wire: FakeWire) => wire.sent.map((one) => one.t).filter((kind) => kind !== "sync");

test("Enter and Ctrl+Enter send, Shift+Enter does not, and focus stays", () => {
  const { wire, draft, root } = open(chat([FIRST]));
  draft.focus();
  type(draft, "one");
  fireEvent.keyDown(draft, { key: "Enter", shiftKey: true });
  expect(kinds(wire)).toEqual([]);
  fireEvent.keyDown(draft, { key: "Enter" });
  expect(wire.sent.at(-1)).toMatchObject({ t: "send", text: "one" });
  expect(draft.value).toBe("");
  expect(root.activeElement).toBe(draft);
  type(draft, "two");
  fireEvent.keyDown(draft, { key: "Enter", ctrlKey: true });
  expect(wire.sent.at(-1)).toMatchObject({ t: "send", text: "two" });
});

test("Enter that ends a composition, and a draft of spaces, send nothing", () => {
  const { wire, draft } = open(chat([FIRST]));
  type(draft, "日本");
  fireEvent.keyDown(draft, { key: "Enter", isComposing: true });
  fireEvent.keyDown(draft, { key: "Enter", keyCode: 229 });
  type(draft, "   ");
  fireEvent.keyDown(draft, { key: "Enter" });
  expect(kinds(wire)).toEqual([]);
});

test("no key reaches the page, and JupyterLab is told to leave them", () => {
  const { draft, el } = open(chat([FIRST]));
  const heard = vi.fn();
  document.addEventListener("keydown", heard);
  fireEvent.keyDown(draft, { key: "Enter", shiftKey: true });
  fireEvent.keyDown(draft, { key: "a" });
  document.removeEventListener("keydown", heard);
  expect(heard).not.toHaveBeenCalled();
  expect(el.dataset.lmSuppressShortcuts).toBe("true");
});

test("the arrow up in an empty box edits the last question; Enter sends it in its place", () => {
  const { wire, draft, find, root } = open(chat([FIRST, SECOND]));
  fireEvent.keyDown(draft, { key: "ArrowUp" });
  const field = find(".editing textarea") as HTMLTextAreaElement;
  expect(field.value).toBe(SECOND.question.text);
  expect(root.activeElement).toBe(field);
  type(field, "better");
  fireEvent.keyDown(field, { key: "Enter" });
  expect(wire.sent.at(-1)).toMatchObject({ t: "edit", turn_id: SECOND.turn_id, text: "better", fork: false });
  expect(root.activeElement).toBe(draft);
});

test("editing says what is replaced, forks on demand, and Escape leaves all as it was", () => {
  const { wire, store, find, root } = open(chat([FIRST, SECOND, turn("third", "x")]));
  fireEvent.click(root.querySelector(".edit")!);
  expect(find(".edit-note").textContent).toBe("Sending this replaces the 2 turns after it.");
  fireEvent.click([...root.querySelectorAll("button")].find((button) => button.textContent === "Fork instead")!);
  expect(wire.sent.at(-1)).toMatchObject({ t: "edit", fork: true });
  fireEvent.click(root.querySelector(".edit")!);
  fireEvent.keyDown(find(".editing textarea"), { key: "Escape" });
  expect(store.view.ui.editing).toBeNull();
  expect(kinds(wire)).toEqual(["edit"]);
});

test("with text in the box the arrow up only moves the cursor, and nothing is edited while an answer comes", () => {
  const { store, draft } = open(chat([FIRST]));
  type(draft, "x");
  fireEvent.keyDown(draft, { key: "ArrowUp" });
  expect(store.view.ui.editing).toBeNull();
  const busy = open(chat([running("q", "a", "writing")]));
  fireEvent.keyDown(busy.draft, { key: "ArrowUp" });
  expect(busy.store.view.ui.editing).toBeNull();
  expect(busy.find(".edit")).toBeNull();
});

test("Escape closes the inspector that lies over the chat, then stops, then leaves", () => {
  const going = running("q", "a", "writing");
  const { wire, store, draft } = open(chat([going]));
  store.inspect();
  fireEvent.keyDown(draft, { key: "Escape" });
  expect(store.view.ui.inspector).toBeNull();
  expect(kinds(wire).filter((kind) => kind === "stop")).toEqual([]);
  fireEvent.keyDown(draft, { key: "Escape" });
  expect(wire.sent.at(-1)).toMatchObject({ t: "stop", turn_id: going.turn_id });
  const idle = open(chat([FIRST]));
  const cell = document.body.appendChild(document.createElement("div"));
  cell.className = "jp-Cell";
  cell.tabIndex = -1;
  cell.append(idle.el);
  idle.draft.focus();
  fireEvent.keyDown(idle.draft, { key: "Escape" });
  expect(document.activeElement).toBe(cell);
});

test("while an answer comes there is Stop, and with a draft Queue beside it", () => {
  const { wire, find, draft } = open(chat([running("q", "a", "writing")]));
  expect(draft.placeholder).toBe("Add to the queue…");
  expect(find(".queue")).toBeNull();
  type(draft, "next");
  fireEvent.click(find(".queue"));
  expect(wire.sent.at(-1)).toMatchObject({ t: "send", text: "next" });
  expect(find(".queue-chips").textContent).toBe("next");
  fireEvent.click(find(".stop"));
  expect(wire.sent.at(-1)!.t).toBe("stop");
});

test("a queued message can be taken back", () => {
  const { wire, find } = open(chat([running("q", "a", "writing")], { queue: [{ id: "m1", text: "next" }] }));
  fireEvent.click(find(".queue-chips button"));
  expect(wire.sent.at(-1)).toMatchObject({ t: "unqueue", queued: "m1" });
});

test("the transcript is one Tab stop; arrows, Home and End go turn by turn, letters act on a turn", async () => {
  const { wire, store, root, draft, find } = open(chat([FIRST, SECOND]));
  const turns = [...root.querySelectorAll<HTMLElement>(".turn")];
  expect(turns.map((one) => one.tabIndex)).toEqual([-1, 0]);
  await waitFor(() => expect(turns[0]!.querySelectorAll("[tabindex='-1']").length).toBeGreaterThan(1));
  turns[1]!.focus();
  fireEvent.keyDown(turns[1]!, { key: "ArrowUp" });
  expect(root.activeElement).toBe(turns[0]);
  fireEvent.keyDown(turns[0]!, { key: "End" });
  expect(root.activeElement).toBe(turns[1]);
  fireEvent.keyDown(turns[1]!, { key: "r" });
  expect(wire.sent.at(-1)).toMatchObject({ t: "retry", turn_id: SECOND.turn_id });
  fireEvent.keyDown(turns[1]!, { key: "f" });
  expect(wire.sent.at(-1)).toMatchObject({ t: "fork", turn_id: SECOND.turn_id });
  fireEvent.keyDown(turns[1]!, { key: "Home" });
  fireEvent.keyDown(turns[0]!, { key: "m" });
  expect(store.view.ui.inspector).toMatchObject({ tab: "turn", turn_id: FIRST.turn_id });
  fireEvent.keyDown(turns[0]!, { key: "/" });
  expect(root.activeElement).toBe(draft);
  expect(find("[role=log]").getAttribute("aria-live")).toBe("off");
});

test("letters typed in the box are only text", async () => {
  const user = userEvent.setup();
  const { wire, draft, store } = open(chat([FIRST]));
  draft.focus();
  await user.keyboard("crefm/ad");
  expect(draft.value).toBe("crefm/ad");
  expect(kinds(wire)).toEqual([]);
  expect(store.view.ui.inspector).toBeNull();
});

test("screen readers hear that an answer begins and what it says, not every piece", () => {
  const { wire, find } = open(chat([FIRST]));
  const status = find(":scope > [role=status], .chat > [role=status]");
  const heard: string[] = [];
  const note = () => heard.at(-1) !== status.textContent && heard.push(status.textContent!);
  const watch = new MutationObserver(note);
  watch.observe(status, { childList: true, characterData: true, subtree: true });
  const going = running("q", "", "waiting");
  wire.ops(["push", ["turns"], going]);
  wire.ops(["set", ["turns", 1, "status"], "writing"], ["push", ["turns", 1, "parts"], { kind: "text", text: "Hel" }]);
  return waitFor(() => expect(status.textContent).toBe("analyst is answering")).then(async () => {
    expect(find(".transcript").getAttribute("aria-busy")).toBe("true");
    for (const text of ["lo ", "**you**", "."]) wire.ops(["add", ["turns", 1, "parts", 0, "text"], text]);
    wire.ops(["set", ["turns", 1, "status"], "done"]);
    await waitFor(() => expect(status.textContent).toBe("analyst: Hello you ."));
    watch.disconnect();
    expect(heard).toEqual(["analyst is answering", "analyst: Hello you ."]);
    expect(find(".transcript").getAttribute("aria-busy")).toBe("false");
  });
});

test("screen readers hear of an approval, a stop and a failure", async () => {
  const { wire, find } = open(chat([running("q", "", "waiting")]));
  const status = find(".chat > [role=status]");
  wire.ops(["set", ["turns", 0, "status"], "approval"], ["push", ["turns", 0, "parts"], COMMAND]);
  await waitFor(() => expect(status.textContent).toContain("Approval needed. Run this command? python report.py"));
  wire.ops(["set", ["turns", 0, "status"], "stopped"], ["set", ["turns", 0, "seconds"], 0.6]);
  await waitFor(() => expect(status.textContent).toBe("Stopped. ~58 tokens, 0.6 s"));
});

test("what is read out is text without signs, and not endless", () => {
  expect(readable("# A\n\n- **b** [c](https://d)\n\n```py\nx\n```\nend")).toBe("A b c (code) end");
  expect(readable(ANSWER)).not.toMatch(/[|*`#]/);
  expect(readable("Long sentence. ".repeat(100)).length).toBeLessThan(640);
});

test("a view that is made anew finds draft, place and open panels, and goes on where the person typed", async () => {
  const first = open(chat([FIRST, SECOND]));
  first.store.inspect({ tab: "longterm" });
  await waitFor(() => expect(first.find(".side")).not.toBeNull());
  first.draft.focus();
  type(first.draft, "half a thou");
  first.el.remove();
  first.close();
  const second = open(chat([]), first.store);
  expect(second.draft.value).toBe("half a thou");
  await waitFor(() => expect(second.root.activeElement).toBe(second.draft));
  expect(second.find(".side")).not.toBeNull();
});

test("two views show the same, and both follow", async () => {
  const first = open(chat([FIRST]));
  const second = open(chat([]), first.store);
  first.wire.ops(["push", ["turns"], SECOND]);
  await waitFor(() => expect(second.root.querySelectorAll(".turn")).toHaveLength(2));
  expect(first.root.querySelectorAll(".turn")).toHaveLength(2);
  type(first.draft, "shared");
  await waitFor(() => expect(second.draft.value).toBe("shared"));
});

test("an answer that grows redraws its own turn only", async () => {
  const { wire, root } = open(chat([FIRST, SECOND, running("q", "a", "writing")]));
  const changed: string[] = [];
  const watch = new MutationObserver((records) => {
    for (const { target } of records) {
      const element = target instanceof Element ? target : target.parentElement!;
      changed.push(element.closest<HTMLElement>(".turn")?.dataset.turn ?? "outside");
    }
  });
  await new Promise((done) => setTimeout(done, 20));
  watch.observe(root, { childList: true, characterData: true, subtree: true });
  wire.ops(["add", ["turns", 2, "parts", 0, "text"], " bit more"]);
  await waitFor(() => expect(changed.length).toBeGreaterThan(0));
  watch.disconnect();
  const last = root.querySelectorAll<HTMLElement>(".turn")[2]!.dataset.turn;
  expect(new Set(changed)).toEqual(new Set([last]));
});

test("an ended session offers to go on in a fork", () => {
  const { wire, find, draft } = open(chat([FIRST], { session: { ...SESSION, status: "ended" } }));
  expect(draft).toBeNull();
  expect(find(".closed").textContent).toContain("This session has ended.");
  fireEvent.click(find(".closed button"));
  expect(wire.sent.at(-1)).toMatchObject({ t: "fork", turn_id: null });
});

test("when the kernel is gone the draft stays and Send is off", async () => {
  const { wire, draft, find } = open(chat([FIRST]));
  type(draft, "kept");
  wire.become("gone");
  await waitFor(() => expect(find(".notice").textContent).toContain("The kernel is gone."));
  expect(draft.value).toBe("kept");
  expect((find(".send") as HTMLButtonElement).disabled).toBe(true);
  type(draft, "");
  fireEvent.keyDown(draft, { key: "ArrowUp" });
  expect(find(".edit-row")).toBeNull();
  expect(find(".keys").textContent).toBe("");
});

test("the meter says every part in words", () => {
  const { find } = open(chat([FIRST], { meter: { ...METER, estimated: true, folds_next: true } }));
  const words = find(".meter-bar").getAttribute("aria-label");
  for (const part of ["System prompt 312", "Summary 420", "Memories 186", "Messages 1,204", "folds next turn"]) expect(words).toContain(part);
  expect(find(".meter-text").textContent).toBe("~2.1k / 4k");
});

test("a suggestion is sent by pressing it", () => {
  const { wire, find } = open(chat([], { session: null }));
  fireEvent.click(find(".prompt"));
  expect(wire.sent.at(-1)!.t).toBe("send");
});

test.each([
  ["done", "↑ edit the last question"],
  ["draft", "Enter sendShift+Enter new line"],
  ["writing", "Esc stop"],
  ["stopping", ""],
  ["kernel-gone", ""],
])("in the state %s only the keys that act now are named", (name, keys) => {
  const { state, ui, kernel } = STATES[name]!;
  const wire = new FakeWire(state, {}, kernel);
  const store = new Store(wire);
  store.set({ ...ui });
  expect(open(state!, store, wire).find(".keys").textContent).toBe(keys);
});

test("an answer begins where its own script does, its code at the left", () => {
  const { find } = open(chat([turn("ما هي؟", "المنطقة `a`")]));
  expect(find(".markdown").dir).toBe("auto");
});

test.each(Object.keys(STATES))("the state %s can be drawn", (name) => {
  const scene = STATES[name]!;
  const wire = new FakeWire(scene.state, answersOf(scene), scene.kernel);
  const store = new Store(wire);
  if (scene.ui) store.set(scene.ui);
  const { root } = open(chat([]), store, wire);
  expect(root.querySelector(".frame")).not.toBeNull();
  for (const button of root.querySelectorAll("button")) expect(button.getAttribute("aria-label") ?? button.textContent).toMatch(/\w/);
});
