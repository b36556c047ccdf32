/** The gallery: `?state=writing&theme=dark&width=480`; without a state, all of them. */
import { mount } from "../src/index";
import { Store } from "../src/store";
import { dressPage, type HostTheme } from "./hosts";
import { answersOf, STATES, type Scene } from "./states";
import { FakeWire } from "./wire";

const asked = new URLSearchParams(location.search);
const width = asked.get("width");
dressPage((asked.get("theme") as HostTheme | null) ?? "light");

async function show(name: string, scene: Scene): Promise<void> {
  const stage = document.createElement("div");
  stage.className = "stage";
  if (width) stage.style.width = `${width}px`;
  const heading = document.createElement("h2");
  heading.textContent = name;
  document.body.append(stage);
  if (!asked.get("state")) stage.append(heading);
  const store = new Store(new FakeWire(scene.state, answersOf(scene), scene.kernel));
  store.set({ ...scene.ui });
  if (scene.sending) store.tell({ t: "send", text: scene.sending });
  for (let view = 0; view < (scene.twice ? 2 : 1); view += 1) {
    const el = document.createElement("div");
    el.style.marginTop = view ? "16px" : "0";
    stage.append(el);
    mount(store, el);
    const { up } = scene;
    if (up) {
      await new Promise((done) => setTimeout(done, 120));
      const scroller = el.shadowRoot?.querySelector<HTMLElement>(".transcript");
      scroller?.scrollTo({ top: scroller.scrollHeight - scroller.clientHeight - up });
    }
    if (scene.then) {
      await new Promise((done) => setTimeout(done, 120));
      await scene.then(el.shadowRoot!);
    }
  }
}

const one = asked.get("state");
for (const [name, scene] of Object.entries(STATES)) if (!one || one === name) await show(name, scene);
document.body.dataset.ready = "";
