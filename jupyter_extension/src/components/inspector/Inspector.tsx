/** What the model saw, turn by turn, and what is remembered: beside the transcript where there is room, over it where not. */
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { usePlace, useView } from "../../hooks";
import type { Ledger } from "../../protocol";
import { useAnswer } from "../../asking";
import { rove } from "../../roving";
import type { Inspect, Store } from "../../store";
import { LongTerm } from "./LongTerm";
import { Pager } from "./Pager";
import { ThisTurn } from "./ThisTurn";
import { useCovering } from "./useCovering";

/** Up to this width of the chat, in px, the inspector lies over the transcript. */
const OVERLAY = 760;
const TABS: [Inspect["tab"], string][] = [
  ["turn", "This turn"],
  ["longterm", "Long-term"],
];

export function Inspector({ store }: { store: Store }) {
  const place = useView(store, (view) => view.ui.inspector);
  const { frame } = usePlace();
  const tabs = useRef<HTMLDivElement>(null);
  const id = useId();
  const ledger = useLedger(store, place);
  const overlaid = () => (frame()?.clientWidth ?? Infinity) <= OVERLAY;
  const opened = place !== null;
  useCovering(opened);

  useLayoutEffect(() => {
    // Who opened it from within the chat goes on in it; a view made anew goes on where the person was typing.
    const before = (tabs.current?.getRootNode() as Document | ShadowRoot | undefined)?.activeElement;
    const opener = !store.typing && before && frame()?.contains(before);
    if (opened && opener && overlaid()) tabs.current?.querySelector<HTMLElement>("[aria-selected=true]")?.focus({ preventScroll: true });
  }, [opened]);
  if (!place) return null;

  const show = (tab: Inspect["tab"]) => store.set({ inspector: { ...place, tab } });
  return (
    <div class="inspector">
      <div class="inspector-head">
        <div
          ref={tabs}
          class="tabs"
          role="tablist"
          aria-label="Memory"
          onKeyDown={(event) => rove(event, tabs.current!, "[role=tab]", "horizontal")}
        >
          {TABS.map(([tab, name]) => (
            <button
              key={tab}
              type="button"
              role="tab"
              id={`${id}-${tab}`}
              class="tab"
              aria-selected={place.tab === tab}
              aria-controls={`${id}-panel`}
              tabIndex={place.tab === tab ? 0 : -1}
              onClick={() => show(tab)}
              onFocus={() => place.tab !== tab && show(tab)}
            >
              {name}
            </button>
          ))}
        </div>
        {place.tab === "turn" && <Pager store={store} place={place} turns={ledger.answer?.turns ?? []} />}
      </div>
      <div id={`${id}-panel`} class="inspector-body" role="tabpanel" aria-labelledby={`${id}-${place.tab}`} tabIndex={-1}>
        {place.tab === "turn" ? <ThisTurn store={store} asked={ledger} place={place} /> : <LongTerm store={store} place={place} />}
      </div>
    </div>
  );
}

/** The ledger that is looked at; asked again when what the model would see may have changed. */
function useLedger(store: Store, place: Inspect | null) {
  const session = useView(store, (view) => view.state?.session?.session_id ?? null);
  const now = useView(store, (view) => view.state?.meter ?? null);
  const turn = useView(store, (view) => view.state?.turns.find((each) => each.turn_id === place?.turn_id)?.status);
  const count = useRef({ meter: now, number: 0 });
  if (count.current.meter !== now) count.current = { meter: now, number: count.current.number + 1 };
  const wanted = place?.tab === "turn" && session !== null;
  const turnId = place?.turn_id ?? null;
  const key = `${session}:${turnId}:${turnId === null ? count.current.number : turn}:${wanted}`;
  return useAnswer<Ledger>(store, wanted ? { t: "context", turn_id: turnId } : null, key);
}
