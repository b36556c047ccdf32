/** A box that floats below its button. */
import type { ComponentChildren } from "preact";

export function Popover({ children }: { children: ComponentChildren }) {
  return <div class="popover">{children}</div>;
}
