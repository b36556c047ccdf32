/** What concerns the chat and no turn: the kernel, a refused command, an approval that is out of view. */
import { useEffect, useState } from "preact/hooks";
import { usePlace, useView } from "../hooks";
import { Icon } from "../icons";
import { openApproval, unheard } from "../selectors";
import type { Store } from "../store";
import { ProblemBox } from "./ProblemBox";

export function Notices({ store }: { store: Store }) {
  const connection = useView(store, (view) => view.connection);
  const problem = useView(store, (view) => view.state?.problem ?? null);
  const refusal = useView(store, (view) => view.refusal);
  const waits = useView(store, (view) => unheard(view).length > 0);
  return (
    <>
      {connection === "opening" && <Opening />}
      {problem && <ProblemBox store={store} problem={problem} />}
      {refusal && <Refusal store={store} text={[refusal.title, refusal.text].filter(Boolean).join(" ")} />}
      <ApprovalStrip store={store} />
      {connection === "busy" && (
        <p class="notice" role="status">
          The kernel is busy with a cell.{waits && " Your message goes out when it is done."}
        </p>
      )}
      {connection === "gone" && (
        <p class="notice" data-kind="warn" role="status">
          The kernel is gone. Your draft is kept; run the cell to go on.
        </p>
      )}
      {connection === "other-version" && (
        <p class="notice" data-kind="warn" role="status">
          This page holds another version of the chat than the kernel. Reload the page.
        </p>
      )}
    </>
  );
}

/** Shown only where it takes long. */
function Opening() {
  return (
    <p class="notice opening" role="status">
      <span class="ring" aria-hidden="true" /> Waiting for the kernel
    </p>
  );
}

function Refusal({ store, text }: { store: Store; text: string }) {
  return (
    <p class="notice" data-kind="error" role="alert">
      <span>{text}</span>
      <button type="button" class="icon-button" aria-label="Dismiss" onClick={() => store.forgetRefusal()}>
        <Icon name="close" size={14} />
      </button>
    </p>
  );
}

function ApprovalStrip({ store }: { store: Store }) {
  const call = useView(store, (view) => openApproval(view.state)?.part.call_id ?? null);
  const [away, setAway] = useState(false);
  const place = usePlace();
  const card = () => place.frame()?.querySelector<HTMLElement>(".transcript .approval") ?? null;
  useEffect(() => {
    const element = card();
    if (!call || !element) return setAway(false);
    const observer = new IntersectionObserver(([entry]) => setAway(!entry!.isIntersecting), {
      root: element.closest(".transcript"),
      threshold: 0.1,
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [call]);
  if (!call || !away) return null;
  const review = () => {
    const element = card();
    element?.scrollIntoView({ block: "nearest" });
    element?.focus({ preventScroll: true });
  };
  return (
    <p class="notice strip" data-kind="warn">
      <Icon name="alert" size={14} />
      <span>Approval needed</span>
      <button type="button" class="outlined" onClick={review}>
        Review
      </button>
    </p>
  );
}
