import { fireEvent, screen, waitFor, within } from "@testing-library/preact";
import userEvent from "@testing-library/user-event";
import { act } from "preact/test-utils";
import { afterEach, describe, expect, test, vi } from "vitest";
import { chat, FIRST, ledger, MEMORIES, MEMORY_PAGE, SECOND } from "../gallery/fixtures";
import type { Answers } from "../gallery/wire";
import { Inspector } from "../src/components/inspector/Inspector";
import type { ChatState, Ledger } from "../src/protocol";
import type { Inspect } from "../src/store";
import { draw } from "./inspecting";

const NOW: Ledger = { ...ledger([FIRST, SECOND]), turn_id: null };

async function inspect(place: Partial<Inspect> = {}, answers: Answers = {}, state: Partial<ChatState> = {}) {
  const drawn = draw(chat([FIRST, SECOND], state), (store) => <Inspector store={store} />, { context: NOW, memories: MEMORY_PAGE, ...answers });
  await act(async () => drawn.store.inspect(place));
  return drawn;
}

afterEach(() => vi.useRealTimers());

describe("this turn", () => {
  test("says how much of the budget it takes, by number and by a bar that has words", async () => {
    await inspect();
    expect(await screen.findByText("2,122")).toBeTruthy();
    expect(screen.getByRole("img", { name: /^2,122 of 4,000 tokens, 53 %: System prompt 312, / })).toBeTruthy();
    expect(screen.getByText("folds at 80 %")).toBeTruthy();
    expect(screen.getByText("14 messages")).toBeTruthy();
  });

  test("warns where turns fold next, and hatches what is over the budget", async () => {
    const folding = { ...NOW, tokens: 3300 };
    const drawn = await inspect({}, { context: folding });
    expect(await screen.findByText("folds next turn")).toBeTruthy();
    const parts = NOW.parts.map((part) => (part.role === "assistant" ? { ...part, tokens: 3000 } : part));
    drawn.chat.remove();
    const over = await inspect({}, { context: { ...NOW, parts, tokens: 6940 } });
    expect(await within(over.chat).findByText("2,940 over")).toBeTruthy();
    expect(over.chat.querySelector<HTMLElement>(".budget-over")?.style.left).toMatch(/^57\.6/);
  });

  test("opens a part to its exact text, and lights its segment of the bar", async () => {
    const { chat: box } = await inspect();
    const row = await screen.findByRole("button", { name: /System prompt/ });
    fireEvent.pointerEnter(row);
    expect(box.querySelector(".budget-segment[data-lit]")?.getAttribute("data-part")).toBe("system");
    fireEvent.pointerEnter(box.querySelector(".budget-segment[data-part=memory]")!);
    expect(box.querySelector(".ledger-part[data-lit]")?.textContent).toContain("Memories");
    fireEvent.click(row);
    expect(row.getAttribute("aria-expanded")).toBe("true");
    expect(screen.getByText(/You answer questions about the sales figures/)).toBeTruthy();
  });

  test("goes from row to row by arrows", async () => {
    await inspect();
    (await screen.findByRole("button", { name: /System prompt/ })).focus();
    await userEvent.keyboard("{ArrowDown}");
    expect(document.activeElement?.textContent).toContain("Summary");
    await userEvent.keyboard("{End}");
    expect(document.activeElement?.textContent).toContain("Tools");
  });

  test("goes from turn to turn, and past the newest to what the model would see now", async () => {
    const { store, sent } = await inspect();
    await screen.findByText("Now");
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Newer turn" }).disabled).toBe(true);
    await userEvent.click(screen.getByRole("button", { name: "Older turn" }));
    expect(store.view.ui.inspector?.turn_id).toBe(SECOND.turn_id);
    expect(screen.getByText("2 of 2")).toBeTruthy();
    await waitFor(() => expect(sent("context").at(-1)?.turn_id).toBe(SECOND.turn_id));
  });

  test("names what was forgotten since, and what leaves the window next", async () => {
    const parts = NOW.parts.map((part, index) => (part.kind === "system" ? { ...part, text: null } : index === 5 ? { ...part, drops_next: true } : part));
    await inspect({}, { context: { ...NOW, parts, tokens: 2800 } });
    fireEvent.click(await screen.findByRole("button", { name: /System prompt/ }));
    expect(screen.getByText("(forgotten since)")).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: /^Messages/ }));
    expect(screen.getByText("leaves next")).toBeTruthy();
  });
});

describe("tabs", () => {
  test("change by arrows, and one of them is in the Tab order", async () => {
    await inspect();
    screen.getByRole("tab", { name: "This turn" }).focus();
    await userEvent.keyboard("{ArrowRight}");
    const longterm = screen.getByRole("tab", { name: "Long-term" });
    expect(longterm.getAttribute("aria-selected")).toBe("true");
    expect(document.activeElement).toBe(longterm);
    expect(screen.getByRole<HTMLElement>("tab", { name: "This turn" }).tabIndex).toBe(-1);
  });
});

describe("long-term memory", () => {
  const longterm = { tab: "longterm" as const };

  test("searches as one types, and marks what was found", async () => {
    const { chat: box, sent } = await inspect(longterm);
    await screen.findByText("3 memories · newest first");
    await userEvent.type(screen.getByRole("searchbox"), "stores");
    await waitFor(() => expect(sent("memories").at(-1)?.query).toBe("stores"));
    await waitFor(() => expect(box.querySelector("mark")?.textContent).toBe("stores"));
    expect(sent("memories").length).toBeLessThan(6);
  });

  test("brings the next page, once", async () => {
    const { wire, sent } = await inspect(longterm, { memories: { ...MEMORY_PAGE, next_cursor: "c2" } });
    const more = await screen.findByRole("button", { name: "More" });
    fireEvent.click(more);
    fireEvent.click(more);
    await waitFor(() => expect(sent("memories").at(-1)?.cursor).toBe("c2"));
    expect(sent("memories")).toHaveLength(2);
    expect(wire.sent.at(-1)?.t).toBe("memories");
  });

  test("corrects in place: Ctrl+Enter saves, Esc gives up", async () => {
    const saved = { ...MEMORIES[0]!, text: "Better.", corrected_at: "2026-11-12T12:00:00Z" };
    const { sent } = await inspect(longterm, { correct: saved });
    const [correct] = await screen.findAllByRole("button", { name: "Correct" });
    await userEvent.click(correct!);
    const field = screen.getByRole("textbox", { name: "Correct this memory" });
    expect(document.activeElement).toBe(field);
    await userEvent.clear(field);
    await userEvent.type(field, "Better.");
    expect(screen.getByText(/^Was: “North’s stores/)).toBeTruthy();
    await userEvent.keyboard("{Control>}{Enter}{/Control}");
    expect(sent("correct")).toMatchObject([{ memory_id: "mem_1", text: "Better." }]);
    expect(await screen.findByText("Better.")).toBeTruthy();
    expect(screen.getAllByText(/^corrected/).length).toBe(2);
    await userEvent.click(screen.getAllByRole("button", { name: "Correct" })[0]!);
    await userEvent.keyboard("worse{Escape}");
    expect(screen.queryByRole("textbox", { name: "Correct this memory" })).toBeNull();
    expect(sent("correct")).toHaveLength(1);
  });

  test("forgets at once, and for ten seconds puts back", async () => {
    const { sent, said } = await inspect(longterm, { forget: {}, restore: MEMORIES[0] });
    const [forget] = await screen.findAllByRole("button", { name: "Forget" });
    await userEvent.click(forget!);
    const undo = await screen.findByRole("button", { name: "Undo" });
    expect(sent("forget")).toMatchObject([{ memory_id: "mem_1" }]);
    expect(document.activeElement).toBe(undo);
    await userEvent.click(undo);
    expect(sent("restore")).toMatchObject([{ memory_id: "mem_1" }]);
    await waitFor(() => expect(screen.getAllByRole("button", { name: "Forget" })).toHaveLength(2));
    expect(said).toEqual(["Forgotten. For ten seconds it can be put back.", "Put back."]);
  });

  test("drops what nobody called back", async () => {
    await inspect(longterm, { forget: {} });
    const [forget] = await screen.findAllByRole("button", { name: "Forget" });
    vi.useFakeTimers();
    fireEvent.click(forget!);
    await act(async () => void (await vi.advanceTimersByTimeAsync(1000)));
    expect(screen.getByRole("button", { name: "Undo" })).toBeTruthy();
    act(() => void vi.advanceTimersByTime(10_000));
    expect(screen.queryByRole("button", { name: "Undo" })).toBeNull();
    expect(screen.queryByText(/North’s stores/)).toBeNull();
  });

  test("offers no change of what others gave", async () => {
    await inspect(longterm, { memories: { ...MEMORY_PAGE, memories: [{ ...MEMORIES[0]!, own: false }] } });
    await screen.findByText(/North’s stores/);
    expect(screen.queryByRole("button", { name: "Forget" })).toBeNull();
  });

  test("asks before it forgets everything, with numbers and sessions", async () => {
    const { sent } = await inspect(longterm, { forget: {} });
    await userEvent.click(await screen.findByRole("button", { name: "Forget everything…" }));
    expect(await screen.findByText("Forget 2 memories from 2 sessions?")).toBeTruthy();
    expect(screen.getByText(/“Q3 planning” 1, “Report layout” 1/)).toBeTruthy();
    expect(sent("forget")).toEqual([]);
    await userEvent.click(screen.getByRole("button", { name: "Forget everything" }));
    await waitFor(() => expect(sent("forget").map((each) => each.memory_id)).toEqual(["mem_1", "mem_2"]));
  });

  test("says what an agent keeps, or how to turn it on", async () => {
    await inspect(longterm, { memories: { ...MEMORY_PAGE, memories: [] } });
    expect(await screen.findByText("Nothing kept yet. analyst keeps what you and it say when a session goes on.")).toBeTruthy();
    await inspect(longterm, {}, { agent: { ...chat([]).agent, longterm: null } });
    expect(await screen.findByText(/storage_scope: conversational/)).toBeTruthy();
  });
});
