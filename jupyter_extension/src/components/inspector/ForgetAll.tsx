/** Forgets all that this person gave; first it says how much that is and from where. */
import { useEffect, useState } from "preact/hooks";
import { count } from "../../format";
import { usePlace } from "../../hooks";
import type { Memory, MemoryPage } from "../../protocol";
import { Refused, type Store } from "../../store";
import { Confirm } from "../Confirm";
import { Waiting } from "./ThisTurn";

const NAMED = 4;

export function ForgetAll({ store, end }: { store: Store; end(done: boolean): void }) {
  const [own, setOwn] = useState<Memory[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [forgotten, setForgotten] = useState<number | null>(null);
  const { say } = usePlace();
  const refuse = (why: unknown) => setProblem(why instanceof Refused ? why.problem.title : "It did not work.");

  useEffect(() => {
    everything(store).then(setOwn, refuse);
  }, [store]);

  const forget = async (memories: Memory[]) => {
    setForgotten(0);
    for (const [index, memory] of memories.entries()) {
      await store.ask({ t: "forget", memory_id: memory.memory_id });
      setForgotten(index + 1);
    }
    say(`Forgot ${count(memories.length, "memory", "memories")}.`);
    end(true);
  };
  if (problem)
    return (
      <p class="ask-problem" role="alert">
        {problem}{" "}
        <button type="button" class="link-button" onClick={() => end(forgotten !== null)}>
          Close
        </button>
      </p>
    );
  if (!own) return <Waiting />;
  if (forgotten !== null) return <p class="inspector-note">{`Forgot ${forgotten} of ${own.length}`}</p>;
  const sessions = bySession(own);
  return (
    <Confirm
      title={`Forget ${count(own.length, "memory", "memories")} from ${count(sessions.length, "session")}?`}
      text={`${named(sessions)} This cannot be undone.`}
      yes="Forget everything"
      grave
      cancel={() => end(false)}
      confirm={() => void forget(own).catch(refuse)}
    />
  );
}

async function everything(store: Store): Promise<Memory[]> {
  const found: Memory[] = [];
  let cursor: string | null = null;
  do {
    const page: MemoryPage = await store.ask<MemoryPage>({ t: "memories", query: "", cursor });
    found.push(...page.memories.filter((each) => each.own));
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}

function bySession(memories: Memory[]): { title: string; number: number }[] {
  const numbers = new Map<string, { title: string; number: number }>();
  for (const memory of memories) {
    const known = numbers.get(memory.session_id) ?? { title: memory.session_title || "Untitled session", number: 0 };
    known.number += 1;
    numbers.set(memory.session_id, known);
  }
  return [...numbers.values()].sort((a, b) => b.number - a.number);
}

function named(sessions: { title: string; number: number }[]): string {
  const told = sessions.slice(0, NAMED).map(({ title, number }) => `“${title}” ${number}`);
  const rest = sessions.length - NAMED;
  return `${[...told, ...(rest > 0 ? [`${count(rest, "other session")}`] : [])].join(", ")}.`;
}
