import { fireEvent, screen, within } from "@testing-library/preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { chat, COMMAND, running, turn, WRITING } from "../gallery/fixtures";
import { Approval } from "../src/components/Approval";
import type { ToolPart, Turn } from "../src/protocol";
import { draw } from "./inspecting";

const START = new Date("2026-11-12T11:00:00Z");

beforeEach(() => vi.useFakeTimers({ now: START }));
afterEach(() => vi.useRealTimers());

/** Each second of the clock draws anew. */
function pass(seconds: number) {
  for (let second = 0; second < seconds; second++) act(() => void vi.advanceTimersByTime(1000));
}

function ask(part: ToolPart, change: Partial<Turn> = {}, left = 272) {
  const asked = { ...part, approval: part.approval && { ...part.approval, deadline: START.getTime() / 1000 + left } };
  const asking = running("Do it.", "", "approval", { parts: [asked], ...change });
  const drawn = draw(chat([asking]), (store) => <Approval store={store} turn={asking} part={asked} />);
  return { ...drawn, card: () => screen.getByRole("group", { name: asked.approval!.question }) };
}

describe("an approval", () => {
  test("shows the whole command, how long there is to answer, and the wider permission unticked", () => {
    const { card } = ask({ ...COMMAND, approval: { ...COMMAND.approval!, subject: "rm -rf \u202ex".padEnd(3000, "y") } });
    expect(card().textContent).toContain("No answer in 4:32 means no");
    expect(card().textContent).toContain("\\u202e");
    expect(card().textContent).toContain("y".repeat(2900));
    expect(screen.getByRole<HTMLInputElement>("checkbox").checked).toBe(false);
  });

  test("answers to A and D on the card, and to no letter elsewhere", () => {
    const { card, sent } = ask(COMMAND);
    fireEvent.keyDown(screen.getByRole("checkbox"), { key: "a" });
    fireEvent.keyDown(card(), { key: "a", ctrlKey: true });
    expect(sent("decide")).toEqual([]);
    fireEvent.keyDown(card(), { key: "D" });
    expect(sent("decide")).toMatchObject([{ decision: "deny", always: false, call_id: COMMAND.call_id }]);
  });

  test("is answered once, and widened only by an approval", () => {
    const { sent } = ask(COMMAND);
    fireEvent.click(screen.getByRole("checkbox"));
    fireEvent.click(screen.getByRole("button", { name: "Approve" }));
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Deny" }).disabled).toBe(true);
    fireEvent.click(screen.getByRole("button", { name: "Deny" }));
    expect(sent("decide")).toMatchObject([{ decision: "approve", always: true }]);
  });

  test("is spoken at its start, at 60 and at 10 seconds, and is over when nobody answers", () => {
    const { said, card } = ask(COMMAND, {}, 62);
    expect(said[0]).toMatch(/^Approval needed\. Run this command\? .* No answer in 1 minute 2 seconds means no\.$/);
    pass(30);
    expect(said.slice(1)).toEqual([expect.stringContaining("1 minute left")]);
    pass(22);
    expect(said.at(-1)).toContain("10 seconds left");
    pass(12);
    expect(said).toHaveLength(3);
    expect(card().textContent).toContain("No answer, denied");
    expect(within(card()).getByRole<HTMLButtonElement>("button", { name: "Approve" }).disabled).toBe(true);
  });

  test("is dead when its turn is over", () => {
    draw(chat([]), (store) => <Approval store={store} turn={turn("Do it.", "", { status: "stopped" })} part={COMMAND} />);
    expect(screen.queryByRole("button", { name: "Approve" })).toBeNull();
  });

  test("to change a file shows what changes", () => {
    const { card } = ask(WRITING);
    expect(card().textContent).toContain("2 lines added, 1 line removed");
    expect(card().querySelectorAll("[data-change=added]")).toHaveLength(2);
  });
});

describe("the focus", () => {
  function open(draft: string) {
    const host = document.body.appendChild(document.createElement("div"));
    const root = host.attachShadow({ mode: "open" });
    const drawn = draw(chat([]), () => null);
    root.append(drawn.chat);
    const field = root.appendChild(document.createElement("textarea"));
    field.focus();
    drawn.store.set({ draft });
    const asking = running("Do it.", "", "approval", { parts: [COMMAND] });
    drawn.again(<Approval store={drawn.store} turn={asking} part={COMMAND} />);
    return { ...drawn, root, field };
  }

  test("goes to a new card when nothing is typed, and letters meant for the composer do not answer it", () => {
    const { root, sent } = open("");
    const card = root.querySelector<HTMLElement>(".approval")!;
    expect(root.activeElement).toBe(card);
    fireEvent.keyDown(card, { key: "a" });
    expect(sent("decide")).toEqual([]);
    vi.advanceTimersByTime(800);
    fireEvent.keyDown(card, { key: "a" });
    expect(sent("decide")).toHaveLength(1);
  });

  test("goes on to the next card once one is answered", async () => {
    const { root, chat: box, again, store } = open("");
    const asked = [COMMAND, WRITING];
    const cards = (parts: ToolPart[]) => {
      const asking = running("Do it.", "", "approval", { parts });
      return parts.map((part) => <Approval key={part.call_id} store={store} turn={asking} part={part} />);
    };
    again(cards(asked));
    const [first, second] = box.querySelectorAll<HTMLElement>(".approval");
    first!.focus();
    again(cards([{ ...COMMAND, approval: null, status: "done" }, WRITING]));
    await act(async () => {});
    expect(root.activeElement).toBe(second);
  });

  test("stays where a draft is typed", () => {
    const { root, field } = open("And then");
    expect(root.activeElement).toBe(field);
  });
});
