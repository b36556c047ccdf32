/** Asks the person before a tool runs: the whole of what would be done, how long there is to answer, yes and no. */
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { spoken, toSpeak } from "../countdown";
import { diffLines, tally } from "../diff";
import { count, countdown } from "../format";
import { useClock, usePlace, useView } from "../hooks";
import { Icon } from "../icons";
import type { ApprovalCard, ToolPart, Turn } from "../protocol";
import { awaitsWord } from "../selectors";
import type { Store } from "../store";
import { ToolRow } from "./ToolRow";
import { Visible } from "./Visible";

interface ApprovalProps {
  store: Store;
  turn: Turn;
  part: ToolPart;
}

/** A card that took the focus by itself does not answer to letters at once: they may have been meant for the composer. */
const DEAF_MS = 700;

export function Approval(props: ApprovalProps) {
  const { store, turn, part } = props;
  return awaitsWord(turn, part) ? <Card {...props} card={part.approval!} /> : <ToolRow store={store} turn={turn} part={part} />;
}

function Card({ store, turn, part, card }: ApprovalProps & { card: ApprovalCard }) {
  const box = useRef<HTMLDivElement>(null);
  const deafUntil = useRef(0);
  const [always, setAlways] = useState(false);
  const title = useId();
  const left = useCountdown(store, card);
  const answered = useView(store, (view) =>
    view.pending.some(({ command }) => command.t === "decide" && command.call_id === part.call_id),
  );
  const dead = answered || left <= 0;
  const decide = (decision: "approve" | "deny") => {
    if (!dead) store.decide(turn.turn_id, part.call_id, decision, decision === "approve" && always);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== box.current || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const decision = ({ a: "approve", d: "deny" } as const)[event.key.toLowerCase()];
    if (!decision) return;
    event.preventDefault();
    event.stopPropagation();
    if (performance.now() >= deafUntil.current) decide(decision);
  };

  useLayoutEffect(() => {
    const root = box.current!.getRootNode() as Document | ShadowRoot;
    // Only a person who is in this chat and has nothing typed is led here; all others have the strip.
    const active = root instanceof ShadowRoot ? root.activeElement : null;
    if (active && !active.closest(".approval") && !store.view.ui.draft) {
      deafUntil.current = performance.now() + DEAF_MS;
      box.current!.focus({ preventScroll: true });
      box.current!.scrollIntoView?.({ block: "nearest" });
    }
    return () => leave(box.current!);
  }, [store]);

  return (
    <div
      ref={box}
      class="approval"
      role="group"
      aria-labelledby={title}
      aria-keyshortcuts="A D"
      tabIndex={0}
      data-call={part.call_id}
      onKeyDown={onKeyDown}
    >
      <div class="approval-title">
        <Icon name="alert" />
        <strong id={title}>{card.question}</strong>
        <span class="approval-clock">{left > 0 ? `No answer in ${countdown(left)} means no` : "No answer, denied"}</span>
      </div>
      <What card={card} />
      <div class="approval-acts">
        <button type="button" class="filled" title="Approve (A)" disabled={dead} onClick={() => decide("approve")}>
          Approve
        </button>
        <button type="button" class="outlined" title="Deny (D)" disabled={dead} onClick={() => decide("deny")}>
          Deny
        </button>
        <label class="approval-wider">
          <input type="checkbox" checked={always} disabled={dead} onChange={(event) => setAlways(event.currentTarget.checked)} />
          {card.wider}
        </label>
      </div>
    </div>
  );
}

/** Takes the focus of a card that goes to the next one, else back to where the person writes. */
function leave(card: HTMLElement): void {
  const root = card.getRootNode();
  if (!(root instanceof ShadowRoot) || !card.contains(root.activeElement)) return;
  const others = [...root.querySelectorAll<HTMLElement>(".approval")].filter((other) => other !== card);
  (others[0] ?? root.querySelector<HTMLElement>("textarea.draft"))?.focus();
}

/** Seconds left; spoken at the start, at 60 and at 10. */
function useCountdown(store: Store, card: ApprovalCard): number {
  const left = card.deadline - useClock(store, true);
  const before = useRef<number | null>(null);
  const { say } = usePlace();
  useEffect(() => {
    const now = toSpeak(before.current, left);
    if (now !== null && before.current === null)
      say(`Approval needed. ${card.question} ${card.subject}. No answer in ${spoken(now)} means no.`);
    else if (now !== null) say(`${spoken(now)} left to answer. ${card.question}`);
    before.current = left;
  }, [left, card, say]);
  return left;
}

/** The whole command, or path and content, or path and changes. */
function What({ card }: { card: ApprovalCard }) {
  const content = card.diff ?? card.body;
  return (
    <div class="approval-what">
      <div class="approval-head">
        <pre class="approval-subject" role="group" tabIndex={0} aria-label="What it would do">
          <Visible text={card.subject} />
        </pre>
        {content !== null && <span class="approval-about">{about(card)}</span>}
      </div>
      {content !== null && (
        <pre class="approval-content" role="group" tabIndex={0} aria-label={card.diff === null ? "Content" : "Changes"}>
          {card.diff === null ? <Visible text={content} /> : <Diff diff={card.diff} />}
        </pre>
      )}
    </div>
  );
}

function about(card: ApprovalCard): string {
  if (card.diff === null) return count(card.body!.replace(/\n$/, "").split("\n").length, "line");
  const { added, removed } = tally(diffLines(card.diff));
  return `${count(added, "line")} added, ${count(removed, "line")} removed`;
}

function Diff({ diff }: { diff: string }) {
  return (
    <>
      {diffLines(diff).map((line, index) => (
        <span key={index} class="diff-line" data-change={line.change}>
          <Visible text={line.text} />
          {"\n"}
        </span>
      ))}
    </>
  );
}
