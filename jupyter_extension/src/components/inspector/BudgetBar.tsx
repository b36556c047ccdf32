/** The budget as a bar: parts in their colours, what is free, what is too much, and where turns are folded. */
import type { PartName } from "../../protocol";
import { type Bar, LABELS, type Mark } from "./budget";

/** Per cent of the bar up to which a label has room at the right of its mark. */
const ROOM = 72;

interface BudgetBarProps {
  bar: Bar;
  marks: Mark[];
  label: string;
  lit: PartName | null;
  light(part: PartName | null): void;
}

export function BudgetBar({ bar, marks, label, lit, light }: BudgetBarProps) {
  return (
    <div class="budget">
      <div class="budget-bar" role="img" aria-label={label} data-lit={lit ?? undefined} onPointerLeave={() => light(null)}>
        {bar.segments.map((segment) => (
          <i
            key={segment.part}
            class="budget-segment"
            data-part={segment.part}
            data-lit={segment.part === lit || undefined}
            title={`${LABELS[segment.part]}, ${segment.tokens.toLocaleString("en-US")} tokens`}
            style={{ width: `${segment.width}%` }}
            onPointerEnter={() => light(segment.part)}
          />
        ))}
        {bar.over > 0 && <i class="budget-over" style={{ left: `${bar.limit}%` }} />}
      </div>
      {marks.length > 0 && (
        <div class="budget-marks" aria-hidden="true">
          {marks.map((mark, index) => (
            <span key={mark.label}>
              <i class="budget-tick" style={{ left: `${mark.at}%` }} />
              <span class="budget-mark" data-side={sideOf(mark, index, marks)} style={{ "--at": `${mark.at}%` }}>
                {mark.label}
              </span>
            </span>
          ))}
        </div>
      )}
    </div>
  );
}

/** The last label stands right of its mark, or ends where the bar does; the one before it stands left of its own. */
function sideOf({ at }: Mark, index: number, marks: Mark[]): "left" | "right" | "end" {
  if (index < marks.length - 1) return "left";
  return at > ROOM ? "end" : "right";
}
