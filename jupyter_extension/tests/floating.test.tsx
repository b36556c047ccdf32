import { fireEvent, screen, waitFor } from "@testing-library/preact";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { chat, FIRST, SECOND, SESSIONS } from "../gallery/fixtures";
import { ChatMenu } from "../src/components/ChatMenu";
import { SessionPicker } from "../src/components/SessionPicker";
import { draw } from "./inspecting";

async function sessions(answers = {}) {
  const drawn = draw(chat([FIRST, SECOND]), (store) => <SessionPicker store={store} />, { sessions: SESSIONS, ...answers });
  await userEvent.click(screen.getByRole("button", { name: "Session: Sales by region" }));
  await screen.findByRole("option", { name: /Q3 planning/ });
  return drawn;
}

async function menu() {
  const drawn = draw(chat([FIRST, SECOND]), (store) => <ChatMenu store={store} />, { export: { filename: "a.md", mime: "text/markdown", text: "# A" } });
  await userEvent.click(screen.getByRole("button", { name: "More" }));
  return drawn;
}

test("typing in the session list searches; arrows and Enter choose, and the focus goes back", async () => {
  const { sent } = await sessions();
  expect(document.activeElement).toBe(screen.getByRole("combobox"));
  await userEvent.keyboard("{ArrowDown}{ArrowDown}{Enter}");
  expect(sent("open")).toMatchObject([{ session_id: "ses_2" }]);
  expect(screen.queryByRole("listbox")).toBeNull();
  expect(document.activeElement).toBe(screen.getByRole("button", { name: /^Session/ }));
});

test("a search asks the kernel, and its first hit is chosen", async () => {
  const { sent } = await sessions();
  await userEvent.keyboard("q3");
  await waitFor(() => expect(sent("sessions").at(-1)?.query).toBe("q3"));
  await waitFor(() => expect(screen.getAllByRole("option")[0]?.getAttribute("aria-selected")).toBe("true"));
});

test("Esc shuts the session list and gives the focus back", async () => {
  await sessions();
  await userEvent.keyboard("{Escape}");
  expect(screen.queryByRole("listbox")).toBeNull();
  expect(document.activeElement).toBe(screen.getByRole("button", { name: /^Session/ }));
});

test("the list ends with what begins a session", async () => {
  const { sent } = await sessions();
  await userEvent.keyboard("{ArrowUp}{Enter}");
  expect(sent("fork")).toMatchObject([{ turn_id: null }]);
  await userEvent.click(screen.getByRole("button", { name: /^Session/ }));
  await userEvent.click(await screen.findByRole("option", { name: "New session with reviewer" }));
  expect(sent("new")).toMatchObject([{ agent: "reviewer" }]);
});

test("a click outside shuts what floats", async () => {
  await sessions();
  document.body.dispatchEvent(new Event("pointerdown", { bubbles: true }));
  await waitFor(() => expect(screen.queryByRole("listbox")).toBeNull());
});

test("scrolling near the end of the list brings the next page", async () => {
  const { sent } = await sessions({ sessions: { ...SESSIONS, next_cursor: "c2" } });
  fireEvent.scroll(screen.getByRole("listbox"));
  fireEvent.scroll(screen.getByRole("listbox"));
  expect(sent("sessions").map((each) => each.cursor)).toEqual([null, "c2"]);
});

test("the menu goes by arrows, Home and End, and Esc gives the focus back", async () => {
  await menu();
  expect(document.activeElement?.textContent).toBe("Rename…");
  await userEvent.keyboard("{ArrowDown}");
  expect(document.activeElement?.textContent).toBe("Export…");
  await userEvent.keyboard("{End}");
  expect(document.activeElement?.textContent).toBe("Delete session…");
  await userEvent.keyboard("{ArrowDown}");
  expect(document.activeElement?.textContent).toBe("Rename…");
  await userEvent.keyboard("{Escape}");
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "More" }));
});

test("a session is renamed", async () => {
  const { sent } = await menu();
  await userEvent.keyboard("{Enter}");
  await userEvent.keyboard("North and South{Enter}");
  expect(sent("rename")).toMatchObject([{ title: "North and South" }]);
});

test("a session is deleted only after a clear question, whose first answer is no", async () => {
  const { sent } = await menu();
  await userEvent.click(screen.getByRole("menuitem", { name: "Delete session…" }));
  expect(screen.getByRole("alertdialog", { name: "Delete “Sales by region” and its 14 messages?" })).toBeTruthy();
  expect(document.activeElement?.textContent).toBe("Cancel");
  await userEvent.click(screen.getByRole("checkbox", { name: "Also forget what analyst remembers from it" }));
  expect(sent("delete")).toEqual([]);
  await userEvent.click(screen.getByRole("button", { name: "Delete" }));
  expect(sent("delete")).toMatchObject([{ forget: true }]);
});

test("a session is rewound to a turn that is chosen by its question", async () => {
  const { sent } = await menu();
  await userEvent.click(screen.getByRole("menuitem", { name: "Rewind…" }));
  await userEvent.click(screen.getByRole("menuitem", { name: FIRST.question.text }));
  expect(screen.getByText(`Remove the 1 turn after “${FIRST.question.text}”?`)).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Rewind" }));
  expect(sent("rewind")).toMatchObject([{ turn_id: FIRST.turn_id }]);
});

test("a conversation is saved as a file", async () => {
  URL.createObjectURL = vi.fn(() => "blob:x");
  const clicked = vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(() => {});
  const { sent, said } = await menu();
  await userEvent.click(screen.getByRole("menuitem", { name: "Export…" }));
  await userEvent.click(screen.getByRole("menuitem", { name: /Markdown/ }));
  expect(sent("export")).toMatchObject([{ format: "markdown" }]);
  await waitFor(() => expect(said).toEqual(["Saved a.md"]));
  expect(clicked).toHaveBeenCalledOnce();
});
