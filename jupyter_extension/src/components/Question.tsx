/** What was asked: whole up to eight lines, then folded; edited in its place. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { count } from "../format";
import { useView } from "../hooks";
import { Icon } from "../icons";
import type { Turn } from "../protocol";
import type { Store } from "../store";
import { EditQuestion } from "./EditQuestion";
import { canChange, startEditing } from "./transcriptKeys";

const LINES = 8;

export function Question({ store, turn }: { store: Store; turn: Turn }) {
  const editing = useView(store, (view) => view.ui.editing?.turn_id === turn.turn_id);
  const editable = useView(store, () => canChange(store));
  if (editing) return <EditQuestion store={store} turn={turn} />;
  return (
    <div class="question">
      <h3 class="hidden">You</h3>
      <FoldedText store={store} name={`${turn.turn_id}/question`} text={turn.question.text} />
      {editable && (
        <button type="button" class="icon-button edit" aria-label="Edit this question" title="Edit (E)" onClick={() => startEditing(store, turn)}>
          <Icon name="edit" size={14} />
        </button>
      )}
    </div>
  );
}

function FoldedText({ store, name, text }: { store: Store; name: string; text: string }) {
  const open = useView(store, (view) => view.ui.folds[name] ?? false);
  const box = useRef<HTMLDivElement>(null);
  const [long, setLong] = useState(false);
  const lines = text.split("\n").length;
  useLayoutEffect(() => {
    const element = box.current!;
    setLong(lines > LINES || element.scrollHeight > element.clientHeight + 1 || open);
  }, [text]);
  return (
    <>
      <div class="question-text" data-folded={open ? undefined : ""} ref={box}>
        {text}
      </div>
      {long && (
        <button type="button" class="more" aria-expanded={open} onClick={() => store.fold(name, !open)}>
          {open ? "Show less" : lines > LINES ? `Show all ${count(lines, "line")}` : "Show all"}
        </button>
      )}
    </>
  );
}
