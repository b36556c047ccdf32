/** Where the inspector covers the transcript, what is under it takes no focus. */
import { useLayoutEffect } from "preact/hooks";
import { usePlace } from "../../hooks";

/** Up to this width of the chat, in px, the inspector covers the transcript. */
const COVERS = 560;

export function useCovering(open: boolean): void {
  const { frame } = usePlace();
  useLayoutEffect(() => {
    const chat = frame();
    const under = chat?.querySelector<HTMLElement>(".main");
    if (!open || !chat || !under) return;
    // A chat that is not laid out has no width.
    const look = () => under.toggleAttribute("inert", chat.clientWidth > 0 && chat.clientWidth <= COVERS);
    const size = new ResizeObserver(look);
    size.observe(chat);
    look();
    return () => {
      size.disconnect();
      under.removeAttribute("inert");
    };
  }, [open, frame]);
}
