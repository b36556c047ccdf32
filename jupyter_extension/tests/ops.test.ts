/** Operations change what they name, and nothing that was there before. */
import { expect, test } from "vitest";
import { applied } from "../src/ops";
import type { Op, Path } from "../src/protocol";

/** A small generator, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
}

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

/** The same in the simplest way: a deep copy, changed in place. */
function naive(state: unknown, ops: Op[]): unknown {
  const root = { state: structuredClone(state) } as Record<string, unknown>;
  for (const [kind, path, value] of ops) {
    const steps: Path = ["state", ...path];
    const last = steps.pop()!;
    let at = root as Record<string | number, unknown>;
    for (const step of steps) at = at[step] as Record<string | number, unknown>;
    if (kind === "set") at[last] = structuredClone(value);
    else if (kind === "add") at[last] = `${at[last] as string}${value as string}`;
    else if (kind === "push") (at[last] as unknown[]).push(structuredClone(value));
    else if (value !== undefined) (at[last] as unknown[]).length = value as number;
    else if (Array.isArray(at)) at.splice(last as number, 1);
    else delete at[last];
  }
  return root.state;
}

function someOps(below: (number: number) => number, turns: number): Op[] {
  const ops: Op[] = [];
  let count = turns;
  for (let left = below(8); left >= 0; left -= 1) {
    const turn = below(count);
    const kind = count ? below(5) : 3;
    if (kind === 0) ops.push(["add", ["turns", turn, "text"], `+${below(9)}`]);
    else if (kind === 1) ops.push(["set", ["turns", turn, "status"], `s${below(4)}`]);
    else if (kind === 2) ops.push(["push", ["turns", turn, "parts"], { text: "", n: below(9) }]);
    else if (kind === 3) {
      ops.push(["push", ["turns"], { text: "t", status: "s", parts: [], extra: 1 }]);
      count += 1;
    } else {
      count = below(count + 1);
      ops.push(["cut", ["turns"], count]);
    }
  }
  return ops;
}

test("any operations give what they give on a deep copy, and leave the old state alone", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const below = random(seed);
    let state: { turns: { text: string }[] } = frozen({ turns: [] });
    for (let round = 0; round < 6; round += 1) {
      const ops = someOps(below, state.turns.length);
      const expected = naive(state, ops);
      const before = state;
      state = applied(state, structuredClone(ops));
      expect(state).toEqual(expected);
      frozen(state);
      expect(before).not.toBe(state);
    }
  }
});

test("what an operation does not name keeps its identity", () => {
  const state = frozen({ a: { text: "x" }, list: [{ n: 1 }, { n: 2 }], other: {} });
  const next = applied(state, [["add", ["list", 1, "n"], ""] as Op].map((): Op => ["set", ["list", 1, "n"], 3]));
  expect(next.a).toBe(state.a);
  expect(next.other).toBe(state.other);
  expect(next.list[0]).toBe(state.list[0]);
  expect(next.list[1]).toEqual({ n: 3 });
});

test("a member and an item can be taken away", () => {
  expect(applied({ a: 1, b: 2 }, [["cut", ["a"]]])).toEqual({ b: 2 });
  expect(applied({ list: [1, 2, 3] }, [["cut", ["list", 1]]])).toEqual({ list: [1, 3] });
});

test("the whole state can be set", () => {
  expect(applied({ a: 1 }, [["set", [], { b: 2 }]])).toEqual({ b: 2 });
});

test.each<Op>([
  ["add", ["missing", "text"], "x"],
  ["add", ["number"], "x"],
  ["push", ["number"], 1],
  ["cut", ["number"], 1],
])("a path that leads nowhere is an error: %j", (...op) => {
  expect(() => applied({ number: 1 }, [op as Op])).toThrow();
});
