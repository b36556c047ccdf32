/** Tells screen readers what happens, in sentences: that an answer begins, what it says once it is there, and what needs them. */
import { useLayoutEffect } from "preact/hooks";
import { seconds, tokens } from "../format";
import type { Turn } from "../protocol";
import { answerText, isRunning } from "../selectors";
import type { Store } from "../store";

/** The longest piece of an answer that is read out by itself, in characters. */
const MOST = 600;

export function useAnnouncements(store: Store, say: (text: string) => void): void {
  useLayoutEffect(() => {
    let turn = store.view.state?.turns.at(-1);
    return store.subscribe(() => {
      const { state } = store.view;
      const now = state?.turns.at(-1);
      const agent = state?.agent.name ?? "";
      if (now && now !== turn) {
        const text = announcement(agent, turn, now);
        turn = now;
        if (text) say(text);
      }
    });
  }, [store, say]);
}

function announcement(agent: string, before: Turn | undefined, now: Turn): string {
  const same = before?.turn_id === now.turn_id;
  if (same && before.status === now.status) return "";
  if (isRunning(now)) {
    if (now.status === "writing" && !(same && before.parts.some((part) => part.kind === "text"))) return `${agent} is answering`;
    return now.status === "stopping" ? "Stopping" : "";
  }
  if (!same || !isRunning(before)) return "";
  if (now.problem) return `${now.problem.title} ${now.problem.text}`;
  if (now.status === "stopped") return `Stopped. ${tokens(now.tokens, now.estimated)}${now.seconds === null ? "" : `, ${seconds(now.seconds)}`}`;
  return `${agent}: ${readable(answerText(now))}`;
}

/** Markdown as it is read out: without its signs, code named, cut after a sentence. */
export function readable(markdown: string): string {
  const text = markdown
    .replace(/^(`{3,}|~{3,})[\s\S]*?(?:^\1|$(?![\s\S]))/gm, " (code) ")
    .replace(/^\s*\|?[\s:|-]+\|[\s:|-]*$/gm, "")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^\s{0,3}(?:#{1,6}|>|[-*+])\s+/gm, "")
    .replace(/[*_`|]+/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  if (text.length <= MOST) return text;
  const cut = text.slice(0, MOST);
  const end = Math.max(cut.lastIndexOf(". "), cut.lastIndexOf("! "), cut.lastIndexOf("? "));
  return `${end > MOST / 2 ? cut.slice(0, end + 1) : `${cut}…`} The answer goes on.`;
}
