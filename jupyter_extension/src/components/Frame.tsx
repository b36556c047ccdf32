/** All of one view: header, transcript, composer, and the inspector beside or over them. */
import { useMemo, useRef, useState } from "preact/hooks";
import { PlaceContext, useView } from "../hooks";
import type { Store } from "../store";
import { Composer } from "./Composer";
import { Header } from "./Header";
import { Inspector } from "./inspector/Inspector";
import { Transcript } from "./Transcript";

export function Frame({ store, chat, height }: { store: Store; chat: HTMLElement; height: number | null }) {
  const [said, say] = useState("");
  const place = useMemo(() => ({ frame: () => chat, say }), [chat]);
  const inspecting = useView(store, (view) => view.ui.inspector !== null);
  const dragged = useView(store, (view) => view.ui.height);
  const frame = useRef<HTMLDivElement>(null);
  const tall = dragged ?? height;
  return (
    <PlaceContext.Provider value={place}>
      <div
        class="frame"
        ref={frame}
        data-inspecting={inspecting ? "" : undefined}
        data-sized={dragged ? "" : undefined}
        style={tall ? { "--height": `${tall}px` } : undefined}
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
      </div>
      <div class="hidden" role="status" aria-live="polite">
        {said}
      </div>
    </PlaceContext.Provider>
  );
}
