/** How much of the budget the model's view takes: opens the memory of the newest turn. */
import { brief, percent, whole } from "../format";
import { useView } from "../hooks";
import type { Meter as MeterState, PartName } from "../protocol";
import type { Store } from "../store";

export const PART_LABELS: Record<PartName, string> = {
  system: "System prompt",
  summary: "Summary",
  memory: "Memories",
  message: "Messages",
  tools: "Tools",
};

export function Meter({ store }: { store: Store }) {
  const meter = useView(store, (view) => view.state?.meter ?? null);
  if (!meter) return null;
  const over = meter.tokens > meter.budget;
  const sign = meter.estimated ? "~" : "";
  return (
    <button type="button" class="text-button meter" title={described(meter)} onClick={() => store.inspect()}>
      <span class="meter-bar" role="img" aria-label={described(meter)}>
        {shares(meter).map(({ part, share }) => (
          <span key={part} data-part={part} style={{ width: `${share * 100}%` }} />
        ))}
      </span>
      <span class="meter-text" data-warn={over || meter.folds_next ? "" : undefined} aria-hidden="true">
        {sign}
        {brief(meter.tokens)} / {brief(meter.budget)}
      </span>
    </button>
  );
}

/** How much of the bar each part takes: of the budget, or of all tokens where they are more. */
export function shares(meter: MeterState): { part: PartName; share: number }[] {
  const sum = meter.parts.reduce((total, one) => total + one.tokens, 0);
  const full = Math.max(meter.budget, sum, 1);
  return meter.parts.map(({ part, tokens }) => ({ part, share: tokens / full }));
}

function described({ tokens, budget, estimated, parts, folds_next }: MeterState): string {
  const list = parts.map((one) => `${PART_LABELS[one.part]} ${whole(one.tokens)}`).join(", ");
  const about = estimated ? "about " : "";
  const next = tokens > budget ? "; over budget" : folds_next ? "; folds next turn" : "";
  return `${about}${whole(tokens)} of ${whole(budget)} tokens, ${percent(tokens / budget)}: ${list}${next}`;
}
