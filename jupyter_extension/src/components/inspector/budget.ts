/** The budget as a bar: what stands in it, in which order, with which marks. Numbers only; `BudgetBar.tsx` draws them. */
import type { LedgerPart, PartName } from "../../protocol";
import { percent, whole } from "../../format";

/** The order in which parts stand in the bar and in the ledger, and what they are called. */
export const LABELS: Record<PartName, string> = {
  system: "System prompt",
  summary: "Summary",
  memory: "Memories",
  message: "Messages",
  tools: "Tools",
};
export const ORDER = Object.keys(LABELS) as PartName[];

/** All parts of one kind. */
export interface Group {
  part: PartName;
  tokens: number;
  items: LedgerPart[];
}

/** The kinds that a ledger has, in the order of the bar. */
export function groupsOf(parts: LedgerPart[]): Group[] {
  return ORDER.map((part) => {
    const items = parts.filter((each) => each.kind === part);
    return { part, items, tokens: items.reduce((sum, each) => sum + each.tokens, 0) };
  }).filter((group) => group.items.length > 0);
}

export interface Segment {
  part: PartName;
  tokens: number;
  /** Per cent of the bar's width. */
  width: number;
}

export interface Bar {
  segments: Segment[];
  /** Tokens left; 0 where the budget is reached. */
  free: number;
  /** Tokens beyond the budget. */
  over: number;
  /** Where the budget ends, in per cent of the bar's width: 100 unless it is exceeded. */
  limit: number;
}

/** Schemas of tools stand beside the budget: it was cut for them where it had to be, so the bar does not hold them. */
export function barOf(parts: { part: PartName; tokens: number }[], budget: number): Bar {
  const counted = parts.filter((each) => each.part !== "tools" && each.tokens > 0);
  const used = counted.reduce((sum, each) => sum + each.tokens, 0);
  const scale = Math.max(used, budget, 1);
  return {
    segments: ORDER.flatMap((part) => counted.filter((each) => each.part === part)).map(({ part, tokens }) => ({
      part,
      tokens,
      width: (100 * tokens) / scale,
    })),
    free: Math.max(0, budget - used),
    over: Math.max(0, used - budget),
    limit: used > budget ? (100 * budget) / scale : 100,
  };
}

/** A line below the bar. `at` is in per cent of its width. */
export interface Mark {
  at: number;
  label: string;
}

/** Where turns are folded and down to where, or, where the budget is exceeded, where it ends. */
export function marksOf(bar: Bar, budget: number, threshold: number | null, target: number | null): Mark[] {
  if (bar.over > 0) return [{ at: bar.limit, label: `budget ${whole(budget)}` }];
  if (threshold === null) return [];
  const marks = target === null ? [] : [{ at: 100 * target, label: percent(target) }];
  return [...marks, { at: 100 * threshold, label: `folds at ${percent(threshold)}` }];
}

/** The bar in words, for those who do not see it. */
export function barLabel(bar: Bar, tokens: number, budget: number, estimated: boolean): string {
  const about = estimated ? "about " : "";
  const parts = bar.segments.map((each) => `${LABELS[each.part]} ${whole(each.tokens)}`);
  const rest = bar.over > 0 ? `${whole(bar.over)} over the budget` : `${whole(bar.free)} free`;
  return `${about}${whole(tokens)} of ${whole(budget)} tokens, ${percent(budget > 0 ? tokens / budget : 0)}: ${[...parts, rest].join(", ")}`;
}

/** `7.8 %` of the budget; what is there is never written as nought. */
export function share(tokens: number, budget: number): string {
  const part = budget > 0 ? tokens / budget : 0;
  return part > 0 && part < 0.0005 ? "<0.1 %" : percent(part, 1);
}
