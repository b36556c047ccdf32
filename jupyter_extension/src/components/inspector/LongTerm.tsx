/** What outlives the window: all memories, newest first, or those that match a search. */
import { useRef, useState } from "preact/hooks";
import { nearEnd, usePages } from "../../asking";
import { count, whole } from "../../format";
import { useView } from "../../hooks";
import { Icon } from "../../icons";
import type { Memory, MemoryPage } from "../../protocol";
import type { Inspect, Store } from "../../store";
import { CopyButton } from "../CopyButton";
import { ForgetAll } from "./ForgetAll";
import { MemoryRow } from "./MemoryRow";
import { keeps, scopeName, turnsOn } from "./scope";
import { Failed, Waiting } from "./ThisTurn";

const PATIENCE_MS = 200;

export function LongTerm({ store, place }: { store: Store; place: Inspect }) {
  const agent = useView(store, (view) => view.state?.agent)!;
  return agent.longterm === null ? <Off agent={agent.name} /> : <Kept store={store} place={place} agent={agent.name} scope={agent.longterm} />;
}

function Off({ agent }: { agent: string }) {
  const yaml = turnsOn(agent);
  return (
    <div class="inspector-none">
      <p>Long-term memory is off for {agent}. This turns it on:</p>
      <div class="exact">
        <pre role="group" tabIndex={0} aria-label="Configuration">
          {yaml}
        </pre>
        <CopyButton text={() => yaml} what="Copy configuration" bare />
      </div>
    </div>
  );
}

function Kept({ store, place, agent, scope }: { store: Store; place: Inspect; agent: string; scope: string }) {
  const { query } = place;
  const session = useView(store, (view) => view.state?.session?.session_id ?? null);
  const total = useRef<number | null>(null);
  const [asking, setAsking] = useState(false);
  const pages = usePages<Memory, MemoryPage>(
    store,
    (cursor) => ({ t: "memories", query, cursor }),
    (page) => page.memories,
    `${session}:${query}`,
    PATIENCE_MS,
  );
  if (!query && !pages.waiting && !pages.hasMore && pages.first) total.current = pages.items.length;
  const empty = pages.items.length === 0;
  const replace = (memory: Memory) =>
    pages.edit((all) => all.map((each) => (each.memory_id === memory.memory_id ? { ...each, ...memory } : each)));
  return (
    <div class="longterm">
      <div class="search">
        <Icon name="search" size={14} />
        <input
          type="search"
          aria-label="Search memories"
          placeholder="Search memories"
          value={query}
          onInput={(event) => store.set({ inspector: { ...place, query: event.currentTarget.value } })}
          onKeyDown={(event) => {
            if (event.key !== "Escape" || !query) return;
            event.preventDefault();
            event.stopPropagation();
            store.set({ inspector: { ...place, query: "" } });
          }}
        />
      </div>
      {!empty && (
        <p class="longterm-count" role="status">
          <span>{counted(pages.items.length, total.current, query, pages.hasMore)}</span>
          {!query && !asking && pages.items.some((each) => each.own) && (
            <button type="button" class="link-button" onClick={() => setAsking(true)}>
              Forget everything…
            </button>
          )}
        </p>
      )}
      {asking && (
        <ForgetAll
          store={store}
          end={(done) => {
            setAsking(false);
            if (done) pages.again();
          }}
        />
      )}
      <div class="longterm-list" aria-busy={pages.waiting} onScroll={(event) => nearEnd(event, pages.more)}>
        {pages.problem && <Failed title={pages.problem.title} again={pages.again} />}
        {!pages.problem && !pages.first && <Waiting />}
        {pages.first && empty && !pages.problem && !pages.waiting && <None agent={agent} scope={scope} query={query} />}
        {pages.items.map((memory) => (
          <MemoryRow
            key={memory.memory_id}
            store={store}
            memory={shown(memory)}
            query={query}
            own={memory.own}
            corrected={replace}
            gone={() => pages.edit((all) => all.filter((each) => each.memory_id !== memory.memory_id))}
          />
        ))}
        {pages.hasMore && (
          <button type="button" class="text-button longterm-more" onClick={pages.more}>
            More
          </button>
        )}
        {!query && pages.first && pages.first.pending > 0 && (
          <p class="inspector-note">{count(pages.first.pending, "message")} not taken in yet.</p>
        )}
      </div>
    </div>
  );
}

function None({ agent, scope, query }: { agent: string; scope: string; query: string }) {
  return (
    <p class="inspector-none">
      {query ? `No memory matches “${query}”.` : `Nothing kept yet. ${agent} keeps ${keeps(scope)} when a session goes on.`}
    </p>
  );
}

function counted(shown: number, total: number | null, query: string, more: boolean): string {
  const number = query && total !== null && shown < total ? `${whole(shown)} of ${count(total, "memory", "memories")}` : count(shown, "memory", "memories");
  return `${more ? number.replace(/^[\d,]+/, "$&+") : number} · ${query ? "best match first" : "newest first"}`;
}

function shown(memory: Memory) {
  return {
    memory_id: memory.memory_id,
    text: memory.text,
    session_id: memory.session_id,
    session_title: memory.session_title,
    created_at: memory.created_at,
    corrected_at: memory.corrected_at,
    score: memory.score ?? null,
    keyword: memory.keyword_score ?? null,
    vector: memory.vector_score ?? null,
    about: `${scopeName(memory.scope)} · ${memory.kind}`,
  };
}
