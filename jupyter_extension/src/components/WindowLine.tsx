/** Where the model's view of the conversation begins. */
import { brief } from "../format";
import type { WindowLine as Line } from "../protocol";
import type { Store } from "../store";

export function WindowLine({ store, line, above }: { store: Store; line: Line; above: number }) {
  return (
    <div class="window-line" role="note">
      <span>
        {line.folding !== null && <span class="ring" aria-hidden="true" />}
        {words(line, above)}
        {line.folding === null && line.folded && (
          <>
            {" · "}
            <button type="button" class="foot-link" onClick={() => show(store)}>
              Show
            </button>
          </>
        )}
      </span>
    </div>
  );
}

/** The summary that stands for what is above. */
function show(store: Store): void {
  store.fold("ledger:summary", true);
  store.inspect();
}

function words({ folding, folded }: Line, above: number): string {
  if (folding !== null) {
    const last = Math.max(folding, above);
    return folding === 1 ? "Folding a turn into the summary" : `Folding turns ${last - folding + 1}–${last} into the summary`;
  }
  if (folded) return `Above here the model has a summary · ${brief(folded.from)} → ${brief(folded.to)} tokens`;
  return "The model no longer sees what is above";
}
