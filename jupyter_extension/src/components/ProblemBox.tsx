/** What happened, what is kept, what to press. */
import { countdown } from "../format";
import { useClock } from "../hooks";
import type { Problem } from "../protocol";
import type { Store } from "../store";

export function ProblemBox({ store, problem, retry }: { store: Store; problem: Problem; retry?: () => void }) {
  const now = useClock(store, problem.retry_at !== null);
  const left = problem.retry_at === null ? 0 : problem.retry_at - now;
  return (
    <div class="problem" role="group" aria-label={problem.title}>
      <p class="problem-title">{problem.title}</p>
      {problem.text && <p>{problem.text}</p>}
      <div class="problem-row">
        {retry && problem.retryable && (
          <button type="button" class="outlined" onClick={retry}>
            {left > 0 ? "Try now" : "Try again"}
          </button>
        )}
        {left > 0 && <span class="problem-wait">Trying again in {countdown(left)}</span>}
        {problem.details && (
          <details>
            <summary>Details</summary>
            <pre>{problem.details}</pre>
          </details>
        )}
      </div>
    </div>
  );
}
