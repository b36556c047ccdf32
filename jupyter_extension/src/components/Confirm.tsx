/** A question before something that cannot be taken back. */
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";

interface ConfirmProps {
  title: string;
  text: string;
  yes: string;
  grave?: boolean;
  cancel(): void;
  confirm(): void;
  children?: ComponentChildren;
}

/** A question before something that cannot be taken back; Cancel has the focus. */
export function Confirm({ title, text, yes, grave, cancel, confirm, children }: ConfirmProps) {
  const id = useId();
  return (
    <div role="alertdialog" aria-labelledby={`${id}t`} aria-describedby={`${id}d`}>
      <form
        class="ask"
        onSubmit={(event) => {
          event.preventDefault();
          confirm();
        }}
      >
        <p class="ask-title" id={`${id}t`}>
          {title}
        </p>
        <p class="ask-text" id={`${id}d`}>
          {text}
        </p>
        {children}
        <Answers cancel={cancel} yes={yes} grave={grave} first />
      </form>
    </div>
  );
}

/** Cancel and the other. */
export function Answers({ cancel, yes, grave, first }: { cancel(): void; yes: string; grave?: boolean; first?: boolean }) {
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (first) button.current?.focus({ preventScroll: true });
  }, [first]);
  return (
    <div class="ask-acts">
      <button ref={button} type="button" class="outlined" onClick={cancel}>
        Cancel
      </button>
      <button type="submit" class={grave ? "outlined grave" : "filled"}>
        {yes}
      </button>
    </div>
  );
}
