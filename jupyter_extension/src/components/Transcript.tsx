/** The turns, oldest first, in a box that scrolls and, while one is at its end, stays there. */
import { useEffect, useRef } from "preact/hooks";
import { useView } from "../hooks";
import { Icon } from "../icons";
import { unheard } from "../selectors";
import type { Store } from "../store";
import { Sending } from "./Sending";
import { transcriptKey } from "./transcriptKeys";
import { TurnView } from "./Turn";
import { useScroll } from "./useScroll";
import { Welcome } from "./Welcome";
import { WindowLine } from "./WindowLine";

export function Transcript({ store }: { store: Store }) {
  const turns = useView(store, (view) => view.state?.turns);
  const window = useView(store, (view) => view.state?.window ?? null);
  const more = useView(store, (view) => view.state?.more ?? false);
  const current = useView(store, (view) => view.ui.current);
  const sending = useView(store, (view) => !view.state?.queue.length && unheard(view).length > 0);
  const box = useRef<HTMLDivElement>(null);
  const column = useRef<HTMLDivElement>(null);
  const { atEnd, toEnd } = useScroll(store, box, column);
  const count = turns?.length ?? 0;
  const newest = turns?.[count - 1];
  const chosen = turns?.some((turn) => turn.turn_id === current) ? current : newest?.turn_id;
  useRovingTab(box, chosen);
  return (
    <div class="transcript-area">
      <div
        class="transcript"
        ref={box}
        role="log"
        aria-live="off"
        aria-label="Conversation"
        aria-busy={newest?.status === "writing"}
        onKeyDown={(event) => transcriptKey(store, event)}
      >
        <div class="column" ref={column}>
          {more && (
            <button type="button" class="text-button earlier" onClick={() => store.tell({ t: "earlier" })}>
              <Icon name="arrowUp" size={14} /> Show earlier turns
            </button>
          )}
          {turns && !count && !sending && <Welcome store={store} />}
          {turns?.map((turn, index) => (
            <>
              {window?.turn_id === turn.turn_id && <WindowLine key="window" store={store} line={window} above={index} />}
              <TurnView
                key={turn.turn_id}
                store={store}
                turn={turn}
                newest={index === count - 1}
                far={index < count - 6}
                chosen={turn.turn_id === chosen}
              />
            </>
          ))}
          <Sending store={store} />
        </div>
      </div>
      {!atEnd && count > 0 && (
        <button type="button" class="jump" onClick={toEnd}>
          <Icon name="arrowDown" size={14} /> Jump to latest
        </button>
      )}
    </div>
  );
}

/** One Tab stop: only the chosen turn and what is in it can be reached by Tab; approvals always can. */
function useRovingTab(box: { current: HTMLElement | null }, chosen: string | null | undefined): void {
  useEffect(() => {
    const scroller = box.current!;
    const pass = () => {
      for (const turn of scroller.querySelectorAll<HTMLElement>(".turn")) {
        const reached = turn.dataset.turn === chosen;
        const inside = turn.querySelectorAll<HTMLElement>("button, a[href], summary, pre[role], [data-tab]");
        for (const element of inside)
          if (!element.closest(".approval") && element.tabIndex !== (reached ? 0 : -1)) element.tabIndex = reached ? 0 : -1;
      }
    };
    pass();
    const observer = new MutationObserver(pass);
    observer.observe(scroller, { childList: true, subtree: true });
    return () => observer.disconnect();
  }, [chosen]);
}
