import { describe, expect, test } from "vitest";
import { ledger, METER } from "../gallery/fixtures";
import { barLabel, barOf, groupsOf, marksOf, share } from "../src/components/inspector/budget";
import type { LedgerPart } from "../src/protocol";

const parts = (message: number) => [
  { part: "message" as const, tokens: message },
  { part: "system" as const, tokens: 312 },
  { part: "tools" as const, tokens: 309 },
  { part: "memory" as const, tokens: 0 },
];

describe("the bar", () => {
  test("adds up to the budget to the token", () => {
    const bar = barOf(parts(1204), 4000);
    expect(bar.segments.reduce((sum, each) => sum + each.tokens, 0) + bar.free).toBe(4000);
    expect(bar.segments.map((each) => each.part)).toEqual(["system", "message"]);
    expect(bar).toMatchObject({ free: 4000 - 1516, over: 0, limit: 100 });
  });

  test("holds the same tokens as the total and the ledger, without the schemas of tools", () => {
    const told = ledger([]);
    const groups = groupsOf(told.parts);
    const counted = barOf(groups, told.budget).segments.reduce((sum, each) => sum + each.tokens, 0);
    expect(counted).toBe(groups.filter((each) => each.part !== "tools").reduce((sum, each) => sum + each.tokens, 0));
    expect(barOf(METER.parts, METER.budget).segments.reduce((sum, each) => sum + each.tokens, 0)).toBe(METER.tokens);
  });

  test("is as wide as all tokens where they are more than the budget, and says where it ended", () => {
    const bar = barOf(parts(4688), 4000);
    expect(bar).toMatchObject({ free: 0, over: 1000, limit: 80 });
    expect(bar.segments.reduce((sum, each) => sum + each.width, 0)).toBeCloseTo(100);
    expect(marksOf(bar, 4000, 0.8, 0.6)).toEqual([{ at: 80, label: "budget 4,000" }]);
  });

  test("has marks only where turns are folded", () => {
    const bar = barOf(parts(1204), 4000);
    expect(marksOf(bar, 4000, null, null)).toEqual([]);
    expect(marksOf(bar, 4000, 0.8, 0.6)).toEqual([
      { at: 60, label: "60 %" },
      { at: 80, label: "folds at 80 %" },
    ]);
  });

  test("is told in words, every part of it", () => {
    expect(barLabel(barOf(parts(1204), 4000), 1516, 4000, true)).toBe(
      "about 1,516 of 4,000 tokens, 38 %: System prompt 312, Messages 1,204, 2,484 free",
    );
    expect(barLabel(barOf(parts(4688), 4000), 5000, 4000, false)).toContain("1,000 over the budget");
  });

  test("survives a budget of nothing", () => {
    expect(barOf([], 0)).toMatchObject({ segments: [], free: 0, over: 0, limit: 100 });
    expect(share(5, 0)).toBe("0.0 %");
  });
});

test("a share that is there is never written as nought", () => {
  expect(share(1, 4000)).toBe("<0.1 %");
  expect(share(312, 4000)).toBe("7.8 %");
  expect(share(0, 4000)).toBe("0.0 %");
});

test("parts stand in the order of the bar, whatever that of the ledger", () => {
  const kinds: LedgerPart["kind"][] = ["tools", "message", "system", "message"];
  const groups = groupsOf(kinds.map((kind) => ({ kind, tokens: 2, text: "" })));
  expect(groups.map((each) => [each.part, each.items.length, each.tokens])).toEqual([
    ["system", 1, 2],
    ["message", 2, 4],
    ["tools", 1, 2],
  ]);
});
