/** What jsdom lacks of a browser: sizes never change there, and all is in view. */
import { afterEach } from "vitest";
import { cleanup } from "@testing-library/preact";

class Observer {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

Object.assign(globalThis, { ResizeObserver: Observer, IntersectionObserver: Observer });
Element.prototype.scrollIntoView ??= () => undefined;
afterEach(cleanup);
