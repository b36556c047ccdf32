/** Questions to the kernel as parts of a component ask them: the answer, page after page, and what went wrong. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Command, Problem } from "./protocol";
import { Refused, type Store } from "./store";

export interface Asked<Answer> {
  /** The last answer; still there while a new one is under way. */
  answer: Answer | null;
  problem: Problem | null;
  /** The question that is asked now has no answer yet. */
  waiting: boolean;
  again(): void;
}

/** Asks whenever `key` changes, after `patience` ms of quiet; null: asks nothing. An answer that came too late is dropped. */
export function useAnswer<Answer>(store: Store, command: Command | null, key: string, patience = 0): Asked<Answer> {
  const [got, setGot] = useState<{ key: string; answer: Answer | null; problem: Problem | null }>();
  const [round, setRound] = useState(0);
  const latest = useRef<Answer | null>(null);
  const now = `${round}:${key}`;
  useEffect(() => {
    if (!command) return;
    let wanted = true;
    const end = (answer: Answer | null, problem: Problem | null) => {
      if (!wanted) return;
      if (answer !== null) latest.current = answer;
      setGot({ key: now, answer, problem });
    };
    const ask = () =>
      void store.ask<Answer>(command).then(
        (answer) => end(answer, null),
        (why: unknown) => end(null, why instanceof Refused ? why.problem : null),
      );
    const timer = patience > 0 && got ? setTimeout(ask, patience) : (ask(), undefined);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [store, now]);
  const current = got?.key === now ? got : null;
  return {
    answer: current?.answer ?? latest.current,
    problem: current?.problem ?? null,
    waiting: command !== null && current === null,
    again: () => setRound((before) => before + 1),
  };
}

export interface Paged<Item, Page> {
  items: Item[];
  /** The first page; null until it is there. */
  first: Page | null;
  problem: Problem | null;
  waiting: boolean;
  /** Whether there are more; `more` brings them. */
  hasMore: boolean;
  more(): void;
  again(): void;
  /** Changes what is shown without asking. */
  edit(change: (items: Item[]) => Item[]): void;
}

/** A list that the kernel gives page by page; it begins anew when `key` changes. */
export function usePages<Item, Page extends { next_cursor: string | null }>(
  store: Store,
  command: (cursor: string | null) => Command,
  itemsOf: (page: Page) => Item[],
  key: string,
  patience = 0,
): Paged<Item, Page> {
  const asked = useAnswer<Page>(store, command(null), key, patience);
  const [extra, setExtra] = useState<{ of: Page | null; items: Item[]; cursor: string | null }>({ of: null, items: [], cursor: null });
  const loading = useRef(false);
  const page = asked.answer;
  const fresh = extra.of === page;
  const items = fresh ? extra.items : page ? itemsOf(page) : [];
  const cursor = fresh ? extra.cursor : (page?.next_cursor ?? null);
  return {
    items,
    first: page,
    problem: asked.problem,
    waiting: asked.waiting,
    hasMore: cursor !== null,
    more: () => {
      if (cursor === null || loading.current || asked.waiting) return;
      loading.current = true;
      void store
        .ask<Page>(command(cursor))
        .then((next) => setExtra({ of: page, items: [...items, ...itemsOf(next)], cursor: next.next_cursor }))
        .catch(() => undefined)
        .finally(() => {
          loading.current = false;
        });
    },
    again: asked.again,
    edit: (change) => setExtra({ of: page, items: change(items), cursor }),
  };
}

/** For a box that scrolls: brings more when its end comes near. */
export function nearEnd(event: Event, more: () => void): void {
  const box = event.currentTarget as HTMLElement;
  if (box.scrollHeight - box.scrollTop - box.clientHeight < 160) more();
}
