/** A chat drawn for a test, with a kernel that answers as it is told. */
import { render } from "@testing-library/preact";
import type { ComponentChildren } from "preact";
import { FakeWire, type Answers } from "../gallery/wire";
import { PlaceContext } from "../src/hooks";
import type { ChatState, Command } from "../src/protocol";
import { Store } from "../src/store";

export interface Drawn {
  store: Store;
  wire: FakeWire;
  chat: HTMLElement;
  /** What was said to screen readers, oldest first. */
  said: string[];
  /** Draws something else in the same box. */
  again(part: ComponentChildren): void;
  /** Commands of a kind that the kernel got. */
  sent<T extends Command["t"]>(t: T): Extract<Command, { t: T }>[];
}

/** Draws what `part` makes of a store, in a box that stands for the chat. */
export function draw(state: ChatState, part: (store: Store) => ComponentChildren, answers: Answers = {}): Drawn {
  const wire = new FakeWire(state, answers);
  const store = new Store(wire);
  const said: string[] = [];
  const chat = document.body.appendChild(document.createElement("div"));
  const place = { frame: () => chat, say: (text: string) => void said.push(text) };
  const framed = (children: ComponentChildren) => <PlaceContext.Provider value={place}>{children}</PlaceContext.Provider>;
  const { rerender } = render(framed(part(store)), { container: chat });
  const again = (children: ComponentChildren) => rerender(framed(children));
  return { store, wire, chat, said, again, sent: (t) => wire.sent.filter((each) => each.t === t) as never };
}
