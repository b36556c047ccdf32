/** What browsers have and jsdom lacks. */
import { configure } from "@testing-library/preact";

// A bound for what does not come, not a measure of speed.
configure({ asyncUtilTimeout: 25_000 });

class Watches {
  observe() {}
  unobserve() {}
  disconnect() {}
}
Object.assign(globalThis, { ResizeObserver: Watches, IntersectionObserver: Watches });
globalThis.CSS ??= {} as typeof CSS;
CSS.escape ??= (text: string) => text.replace(/[^\w-]/g, (sign) => `\\${sign}`);
Element.prototype.scrollIntoView ??= () => undefined;
