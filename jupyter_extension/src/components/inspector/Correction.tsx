/** Sets a memory right, in its place. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Memory } from "../../protocol";
import { Refused, type Store } from "../../store";

interface CorrectionProps {
  store: Store;
  memoryId: string;
  text: string;
  /** Called with what the kernel keeps now, or with null: nothing changed. */
  end(saved: Memory | null): void;
}

export function Correction({ store, memoryId, text, end }: CorrectionProps) {
  const input = useRef<HTMLTextAreaElement>(null);
  const [draft, setDraft] = useState(text);
  const [saving, setSaving] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  useLayoutEffect(() => {
    input.current?.focus({ preventScroll: true });
    input.current?.setSelectionRange(text.length, text.length);
  }, [text]);
  useLayoutEffect(() => {
    const field = input.current!;
    field.style.height = "auto";
    field.style.height = `${Math.min(160, field.scrollHeight + 2)}px`;
  }, [draft]);

  const save = () => {
    const next = draft.trim();
    if (!next || saving) return;
    if (next === text) return end(null);
    setSaving(true);
    store.ask<Memory>({ t: "correct", memory_id: memoryId, text: next }).then(end, (why: unknown) => {
      setSaving(false);
      setProblem(why instanceof Refused ? why.problem.title : "It could not be saved.");
    });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (event.key === "Escape") end(null);
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="correction" onKeyDown={onKeyDown}>
      <textarea ref={input} class="field" aria-label="Correct this memory" value={draft} onInput={(event) => setDraft(event.currentTarget.value)} />
      {draft !== text && <p class="correction-was">Was: “{text}”</p>}
      {problem && (
        <p class="ask-problem" role="alert">
          {problem}
        </p>
      )}
      <div class="ask-acts">
        <button type="button" class="outlined" title="Cancel (Esc)" onClick={() => end(null)}>
          Cancel
        </button>
        <button type="button" class="filled" title="Save (Ctrl+Enter)" disabled={saving || !draft.trim()} onClick={save}>
          Save
        </button>
      </div>
    </div>
  );
}
