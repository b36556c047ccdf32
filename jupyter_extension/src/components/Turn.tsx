/** One question and its answer. */
import { memo } from "../memo";
import type { Turn } from "../protocol";
import { isRunning } from "../selectors";
import type { Store } from "../store";
import { Foot } from "./Foot";
import { Parts } from "./Parts";
import { ProblemBox } from "./ProblemBox";
import { Question } from "./Question";

interface Props {
  store: Store;
  turn: Turn;
  newest: boolean;
  /** Far from the end: drawn only when in view. */
  far: boolean;
  /** The one that the keys act on. */
  chosen: boolean;
}

export const TurnView = memo(function TurnView({ store, turn, newest, far, chosen }: Props) {
  const retry = newest ? () => store.tell({ t: "retry", turn_id: turn.turn_id }) : undefined;
  return (
    <article
      class="turn"
      data-turn={turn.turn_id}
      data-far={far ? "" : undefined}
      tabIndex={chosen ? 0 : -1}
      aria-label={`Turn: ${turn.question.text.slice(0, 80)}`}
      onFocusIn={() => {
        if (store.view.ui.current !== turn.turn_id) store.set({ current: turn.turn_id });
      }}
    >
      <Question store={store} turn={turn} />
      <div class="answer">
        <h3 class="hidden">{store.view.state?.agent.name}</h3>
        <Parts store={store} turn={turn} />
        {turn.problem && <ProblemBox store={store} problem={turn.problem} retry={retry} />}
        <Foot store={store} turn={turn} newest={newest} running={isRunning(turn)} />
      </div>
    </article>
  );
});
