/** Where the person writes, and above it what stands between them and an answer. */
import { useEffect, useRef } from "preact/hooks";
import { usePlace, useView } from "../hooks";
import { Icon } from "../icons";
import { runningTurn } from "../selectors";
import type { Store } from "../store";
import { Notices } from "./Notices";
import { QueuedChips } from "./QueuedChips";
import { canChange, startEditing } from "./transcriptKeys";
import { useGrowing } from "./useGrowing";

export function Composer({ store }: { store: Store }) {
  const status = useView(store, (view) => view.state?.session?.status ?? "active");
  const opened = useView(store, (view) => view.state !== null);
  return (
    <div class="composer-area">
      <Notices store={store} />
      {opened && (status === "active" ? <Field store={store} /> : <Closed store={store} status={status} />)}
    </div>
  );
}

function Field({ store }: { store: Store }) {
  const draft = useView(store, (view) => view.ui.draft);
  const agent = useView(store, (view) => view.state!.agent);
  const turn = useView(store, (view) => runningTurn(view.state)?.turn_id ?? null);
  const stopping = useView(store, (view) => runningTurn(view.state)?.status === "stopping");
  const gone = useView(store, (view) => view.connection === "gone");
  const blocked = useView(store, (view) => view.state!.problem !== null && !view.state!.turns.length);
  const editable = useView(store, (view) => canChange(store) && view.state!.turns.length > 0) && draft === "";
  const area = useRef<HTMLTextAreaElement>(null);
  const place = usePlace();
  useGrowing(area, draft);
  useKeptFocus(store, area);
  const ready = draft.trim() !== "" && !gone && !blocked;
  const send = () => {
    if (!ready) return;
    store.tell({ t: "send", text: draft.trim() });
    store.set({ draft: "" });
    area.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && editable) {
      const last = store.view.state?.turns.at(-1);
      if (last) {
        event.preventDefault();
        startEditing(store, last);
      }
    }
  };
  return (
    <div class="composer">
      <QueuedChips store={store} />
      <div class="composer-box" onClick={(event) => event.target === event.currentTarget && area.current?.focus()}>
        <textarea
          ref={area}
          class="draft"
          rows={1}
          aria-label={`Message to ${agent.name}`}
          placeholder={turn ? "Add to the queue…" : `Ask ${agent.name}…`}
          value={draft}
          onInput={(event) => store.set({ draft: event.currentTarget.value })}
          onKeyDown={onKeyDown}
        />
        <span class="composer-buttons">
          {turn && (
            <button
              type="button"
              class="outlined stop"
              aria-label="Stop"
              title="Stop (Esc)"
              disabled={stopping || gone}
              onClick={() => {
                store.stop(turn);
                place.say("Stopping");
                area.current?.focus();
              }}
            >
              <Icon name="end" size={14} />
              <span>Stop</span>
            </button>
          )}
          {(!turn || draft.trim() !== "") && (
            <button type="button" class={`filled ${turn ? "queue" : "send"}`} aria-label={turn ? "Queue" : "Send"} title={turn ? "Queue (Enter)" : "Send (Enter)"} disabled={!ready} onClick={send}>
              {turn ? <span>Queue</span> : null}
              <Icon name="arrowUp" />
            </button>
          )}
        </span>
      </div>
      <div class="hints">
        <span class="keys">
          <Hints running={turn !== null} stops={turn !== null && !stopping && !gone} draft={ready} editable={editable} />
        </span>
        <span class="model" title={agent.host ? `${agent.model} at ${agent.host}` : agent.model}>
          {agent.model}
        </span>
      </div>
    </div>
  );
}

function Hints({ running, stops, draft, editable }: { running: boolean; stops: boolean; draft: boolean; editable: boolean }) {
  const keys: [string, string][] = [];
  if (draft) keys.push(["Enter", running ? "queue" : "send"], ["Shift+Enter", "new line"]);
  if (stops) keys.push(["Esc", "stop"]);
  else if (editable) keys.push(["↑", "edit the last question"]);
  return (
    <>
      {keys.map(([key, what]) => (
        <span key={key}>
          <kbd>{key}</kbd> {what}
        </span>
      ))}
    </>
  );
}

function Closed({ store, status }: { store: Store; status: "ended" | "expired" }) {
  return (
    <div class="composer closed">
      <span>This session has {status}.</span>
      <button type="button" class="filled" onClick={() => store.tell({ t: "fork", turn_id: null })}>
        Continue in a fork
      </button>
    </div>
  );
}

/** A view that takes the place of one in which the person was typing goes on there. */
function useKeptFocus(store: Store, area: { current: HTMLTextAreaElement | null }): void {
  useEffect(() => {
    const field = area.current!;
    if (store.typing) {
      field.focus({ preventScroll: true });
      field.setSelectionRange(...store.typing);
    }
    const remember = () => {
      store.typing = [field.selectionStart, field.selectionEnd];
    };
    const forget = () => {
      // A view that is taken away loses its focus without the person's doing.
      if (field.isConnected) store.typing = null;
    };
    for (const type of ["focus", "input", "keyup", "mouseup"]) field.addEventListener(type, remember);
    field.addEventListener("blur", forget);
    return () => {
      for (const type of ["focus", "input", "keyup", "mouseup"]) field.removeEventListener(type, remember);
      field.removeEventListener("blur", forget);
    };
  }, [store]);
}
