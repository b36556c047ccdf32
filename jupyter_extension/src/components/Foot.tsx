/** The row under an answer: how it goes, and afterwards what can be done with it and what it took. */
import { count, seconds, tokens } from "../format";
import { useClock, useCopied, useView } from "../hooks";
import { Icon, type IconName } from "../icons";
import type { Turn } from "../protocol";
import { answerText } from "../selectors";
import type { Store } from "../store";
import { copyText } from "./CodeBox";
import { canRetry } from "./transcriptKeys";

interface Props {
  store: Store;
  turn: Turn;
  newest: boolean;
  running: boolean;
}

export function Foot(props: Props) {
  return <div class="foot">{props.running ? <Progress {...props} /> : <Done {...props} />}</div>;
}

function Progress({ store, turn }: Props) {
  const now = useClock(store, turn.started !== null, turn.status === "writing" ? 0.1 : 0.5);
  const model = useView(store, (view) => view.state?.agent.model ?? "the model");
  const took = turn.started === null ? 0 : Math.max(0, now - turn.started);
  const late = took >= 1 ? ` · ${Math.floor(took)} s` : "";
  switch (turn.status) {
    case "writing":
      return (
        <span>
          Writing{turn.tokens > 0 && ` · ${tokens(turn.tokens, turn.estimated)}`} · {seconds(took)}
        </span>
      );
    case "queued":
      return <Busy text="Waiting for its turn" />;
    // The row above has the ring, and says what it is.
    case "thinking":
    case "tool":
      return <span>Working{late}</span>;
    case "approval":
      return <span>Waiting for your answer</span>;
    case "stopping":
      return <Busy text="Stopping…" />;
    default:
      return <Busy text={`Waiting for ${model}${late}`} />;
  }
}

export function Busy({ text }: { text: string }) {
  return (
    <>
      <span class="ring" aria-hidden="true" />
      <span>{text}</span>
    </>
  );
}

function Done({ store, turn }: Props) {
  const retryable = useView(store, () => canRetry(store, turn)) && !turn.problem?.retryable;
  const text = answerText(turn);
  const [copied, tell] = useCopied();
  const copy = () => void copyText(text).then(tell);
  return (
    <>
      <span class="foot-actions">
        {text && <Action icon={copied ? "check" : "copy"} label={copied ? "Copied" : "Copy the answer"} letter="C" act={copy} />}
        {retryable && (
          <Action icon="retry" label="Answer again" letter="R" act={() => store.tell({ t: "retry", turn_id: turn.turn_id })} />
        )}
        <Action icon="fork" label="Fork from here" letter="F" act={() => store.tell({ t: "fork", turn_id: turn.turn_id })} />
      </span>
      <span class="foot-text">
        {facts(turn).join(" · ")}
        {turn.memories > 0 && (
          <>
            {facts(turn).length > 0 && " · "}
            <button type="button" class="foot-link" title="Memory of this turn (M)" onClick={() => store.inspect({ turn_id: turn.turn_id })}>
              used {count(turn.memories, "memory", "memories")}
            </button>
          </>
        )}
      </span>
    </>
  );
}

function facts(turn: Turn): string[] {
  const words: string[] = [];
  if (turn.status === "stopped") words.push("Stopped");
  if (turn.status === "interrupted") words.push("Interrupted");
  if (turn.finish_reason === "length") words.push("Cut at the token limit");
  if (turn.tokens > 0) words.push(tokens(turn.tokens, turn.estimated));
  if (turn.seconds !== null && (turn.tokens > 0 || turn.seconds >= 1 || !turn.problem)) words.push(seconds(turn.seconds));
  return words;
}

function Action({ icon, label, letter, act }: { icon: IconName; label: string; letter: string; act: () => void }) {
  return (
    <button type="button" class="foot-action" aria-label={label} title={`${label} (${letter})`} onClick={act}>
      <Icon name={icon} size={14} />
    </button>
  );
}
