/** How much of the budget the model's view takes: opens the memory of the newest turn. */
import { brief } from "../format";
import { useView } from "../hooks";
import type { Meter as MeterState } from "../protocol";
import type { Store } from "../store";
import { barLabel, barOf } from "./inspector/budget";

export function Meter({ store }: { store: Store }) {
  const meter = useView(store, (view) => view.state?.meter ?? null);
  if (!meter) return null;
  const over = meter.tokens > meter.budget;
  const sign = meter.estimated ? "~" : "";
  return (
    <button type="button" class="text-button meter" title={described(meter)} onClick={() => store.inspect()}>
      <span class="meter-bar" role="img" aria-label={described(meter)}>
        {barOf(meter.parts, meter.budget).segments.map(({ part, width }) => (
          <span key={part} data-part={part} style={{ width: `${width}%` }} />
        ))}
      </span>
      <span class="meter-text" data-warn={over || meter.folds_next ? "" : undefined} aria-hidden="true">
        {sign}
        {brief(meter.tokens)} / {brief(meter.budget)}
      </span>
    </button>
  );
}

function described(meter: MeterState): string {
  const { tokens, budget, estimated, parts, folds_next } = meter;
  const next = tokens > budget ? "" : folds_next ? "; folds next turn" : "";
  return `${barLabel(barOf(parts, budget), tokens, budget, estimated)}${next}`;
}
