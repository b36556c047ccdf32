import { describe, expect, test } from "vitest";
import { tool } from "../gallery/fixtures";
import { spoken, toSpeak } from "../src/countdown";
import { date, dayOf, moment } from "../src/days";
import { diffLines, tally } from "../src/diff";
import { folded, together } from "../src/folding";
import { hits } from "../src/hits";
import { led } from "../src/roving";
import { visible } from "../src/visible";

const shown = (text: string) => visible(text).map((run) => (run.escaped ? `<${run.text}>` : run.text)).join("");
const marked = (text: string, query: string) => hits(text, query).map((run) => (run.marked ? `[${run.text}]` : run.text)).join("");

describe("what hides in a text", () => {
  test("is shown: characters that turn the text round, control characters, spaces that are none", () => {
    expect(shown("a\u202eb\u200bc\u0007d\u00a0e\u{e0041}f\ufeff")).toBe("a<\\u202e>b<\\u200b>c<\\u0007>d<\\u00a0>e<\\u{e0041}>f<\\ufeff>");
    expect(shown("line\rline")).toBe("line<\\u000d>line");
    expect(shown("\ud800")).toBe("<\\ud800>");
  });
  test("leaves what can be seen as it is", () => {
    expect(shown("café\t→ 日本語 👍\n\\u202e")).toBe("café\t→ 日本語 👍\n\\u202e");
  });
});

test("a diff is coloured by line, without the names of the files", () => {
  const lines = diffLines("--- a\n+++ b\n@@ -1 +1,2 @@\n same\n-old\n+new\n+more\n");
  expect(lines.map((line) => line.change)).toEqual(["place", "same", "removed", "added", "added"]);
  expect(tally(lines)).toEqual({ added: 2, removed: 1 });
});

test("words that were searched for are marked where they begin a word, whatever case and accents", () => {
  expect(marked("North’s stores opened; Café-store", "STORE cafe")).toBe("North’s [store]s opened; [Café]-[store]");
  expect(marked("restore", "store")).toBe("restore");
  expect(marked("text", "?!")).toBe("text");
});

test("a countdown is spoken at its start, at 60 and at 10 seconds", () => {
  expect(toSpeak(null, 272)).toBe(272);
  expect(toSpeak(272, 271)).toBeNull();
  expect(toSpeak(60.4, 59.6)).toBe(60);
  expect(toSpeak(11, 10)).toBe(10);
  expect(toSpeak(61, 9)).toBe(9);
  expect(toSpeak(1, -1)).toBeNull();
  expect(spoken(272)).toBe("4 minutes 32 seconds");
  expect(spoken(60)).toBe("1 minute");
  expect(spoken(1)).toBe("1 second");
});

test("sessions stand under today, yesterday and earlier, by the reader's own midnight", () => {
  const now = new Date(2026, 2, 1, 0, 30);
  const at = (...parts: [number, number, number, number]) => new Date(...parts).toISOString();
  expect(dayOf(at(2026, 2, 1, 0), now)).toBe("Today");
  expect(dayOf(at(2026, 1, 28, 23), now)).toBe("Yesterday");
  expect(dayOf(at(2026, 1, 27, 23), now)).toBe("Earlier");
  expect(dayOf(at(2026, 2, 2, 1), now)).toBe("Today");
  expect(moment(at(2026, 1, 28, 23), now)).toBe("23:00");
  expect(date(at(2025, 10, 12, 1), now)).toBe("12 Nov 2025");
});

test("three finished rows fold, two do not, and a denied one stands by itself", () => {
  const [a, b, c] = [tool(), tool({ status: "failed" }), tool({ seconds: null })];
  const denied = tool({ status: "denied" });
  const thought = { kind: "thinking" as const, text: "", seconds: 2 };
  expect(folded([a, b, c])).toEqual([[a, b, c]]);
  expect(folded([a, b])).toEqual([[a], [b]]);
  expect(folded([a, b, denied, thought, c, a])).toEqual([[a], [b], [denied], [thought, c, a]]);
  expect(folded([a, b, tool({ status: "running" })])).toHaveLength(3);
  expect(together([thought, a])).toBeCloseTo(2.2);
  expect(together([c])).toBeNull();
});

test("arrows go round, Home and End lead to the ends", () => {
  expect(led("ArrowDown", 2, 3)).toBe(0);
  expect(led("ArrowUp", 0, 3)).toBe(2);
  expect(led("ArrowUp", 0, 3, false)).toBe(0);
  expect([led("Home", 1, 3), led("End", 1, 3), led("x", 1, 3), led("End", 0, 0)]).toEqual([0, 2, null, null]);
});
