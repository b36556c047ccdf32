/** All of one view: header, transcript, composer, and the inspector beside or over them. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { PlaceContext, useView } from "../hooks";
import { type Insert, InsertContext } from "../insert";
import { runningTurn } from "../selectors";
import type { Store } from "../store";
import { Composer } from "./Composer";
import { Grip } from "./Grip";
import { Header } from "./Header";
import { Inspector } from "./inspector/Inspector";
import { Transcript } from "./Transcript";
import { useAnnouncements } from "./useAnnouncements";

/** Up to this width the inspector lies over the transcript, in px. */
const OVERLAY = 760;

interface Props {
  store: Store;
  /** The element with the tokens, which all is in. */
  chat: HTMLElement;
  /** Height in px beyond which the transcript scrolls; null: the usual one. */
  height: number | null;
  /** Gives what puts code into a new cell, once the view is in its place. */
  inserter?: () => Insert | null;
}

export function Frame({ store, chat, height, inserter }: Props) {
  const [said, say] = useState("");
  const [insert, setInsert] = useState<{ put: Insert | null }>({ put: null });
  const place = useMemo(() => ({ frame: () => chat, say }), [chat]);
  const inspecting = useView(store, (view) => view.ui.inspector !== null);
  const dragged = useView(store, (view) => view.ui.height);
  const frame = useRef<HTMLDivElement>(null);
  useAnnouncements(store, say);
  useLayoutEffect(() => {
    if (!inserter || typeof ResizeObserver === "undefined") return;
    // Its first call comes when the view has a place in the page.
    const observer = new ResizeObserver(() => {
      setInsert({ put: inserter() });
      observer.disconnect();
    });
    observer.observe(chat);
    return () => observer.disconnect();
  }, [inserter]);
  const tall = dragged ?? height;
  return (
    <PlaceContext.Provider value={place}>
      <InsertContext.Provider value={insert.put}>
        <div
          class="frame"
          ref={frame}
          data-inspecting={inspecting ? "" : undefined}
          data-sized={dragged ? "" : undefined}
          style={tall ? { "--height": `${tall}px` } : undefined}
          onKeyDown={(event) => event.key === "Escape" && !event.isComposing && escape(store, chat, event)}
        >
          <Header store={store} />
          <div class="body">
            <div class="main">
              <Transcript store={store} />
              <Composer store={store} />
            </div>
            {inspecting && (
              <aside class="side" aria-label="Memory">
                <Inspector store={store} />
              </aside>
            )}
          </div>
          <Grip store={store} frame={frame} />
        </div>
      </InsertContext.Provider>
      <div class="hidden" role="status" aria-live="polite" aria-atomic="true">
        {said}
      </div>
    </PlaceContext.Provider>
  );
}

/** Closes the inspector where it lies over the chat, else stops the answer, else goes back to the cell. */
function escape(store: Store, chat: HTMLElement, event: KeyboardEvent): void {
  event.preventDefault();
  const { state, ui } = store.view;
  const turn = runningTurn(state);
  if (ui.inspector && chat.clientWidth <= OVERLAY) {
    store.set({ inspector: null });
    chat.querySelector<HTMLElement>("textarea.draft, .memory-toggle")?.focus();
  } else if (turn && turn.status !== "stopping") store.stop(turn.turn_id);
  else if (!turn) leave(chat);
}

function leave(chat: HTMLElement): void {
  const host = (chat.getRootNode() as ShadowRoot).host as HTMLElement | undefined;
  (chat.getRootNode() as ShadowRoot).querySelector<HTMLElement>(":focus")?.blur();
  host?.closest<HTMLElement>(".jp-Cell, .jp-Notebook")?.focus();
}
