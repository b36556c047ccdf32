/** The store follows the kernel, asks again when it missed something, and keeps what is of the person. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { chat, FIRST, SECOND, SESSION } from "../gallery/fixtures";
import { FakeWire } from "../gallery/wire";
import type { Problem } from "../src/protocol";
import { Refused, Store } from "../src/store";
import { unheard } from "../src/selectors";

const PROBLEM: Problem = { code: "not_found", title: "Gone.", text: "", details: "", retryable: false, retry_at: null };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function started(state = chat([FIRST]), status: "idle" | "unknown" = "idle") {
  const wire = new FakeWire(state, {}, status);
  const store = new Store(wire);
  await vi.advanceTimersByTimeAsync(0);
  return { wire, store };
}

test("what the kernel says is followed", async () => {
  const { wire, store } = await started();
  wire.ops(["push", ["turns"], SECOND]);
  expect(store.view.state?.turns).toHaveLength(2);
  expect(store.view.state?.turns[0]).toBe(FIRST);
});

test("after a gap all is asked for once", async () => {
  const { wire, store } = await started();
  const before = wire.sent.length;
  wire.say({ t: "ops", n: 5, ops: [["set", ["more"], true]] });
  wire.say({ t: "ops", n: 6, ops: [["set", ["more"], true]] });
  expect(wire.sent.slice(before).map((one) => one.t)).toEqual(["sync"]);
  expect(store.view.state?.more).toBe(false);
  wire.say({ t: "snapshot", snapshot: { protocol: 1, n: 6, now: 0, state: chat([FIRST, SECOND], { more: true }) } });
  expect(store.view.state?.more).toBe(true);
  wire.say({ t: "ops", n: 7, ops: [["set", ["more"], false]] });
  expect(store.view.state?.more).toBe(false);
});

test("what was said before is not done twice", async () => {
  const { wire, store } = await started();
  wire.ops(["push", ["turns"], SECOND]);
  wire.say({ t: "ops", n: 1, ops: [["push", ["turns"], SECOND]] });
  expect(store.view.state?.turns).toHaveLength(2);
});

test("an operation that cannot be done asks for all", async () => {
  const { wire, store } = await started();
  wire.ops(["add", ["turns", 9, "text"], "x"]);
  expect(wire.sent.at(-1)?.t).toBe("sync");
  expect(store.view.state?.turns).toEqual([FIRST]);
});

test("without a state at first, it comes with the answer", async () => {
  const wire = new FakeWire(null);
  const store = new Store(wire);
  expect(store.view.connection).toBe("opening");
  expect(wire.sent.at(-1)?.t).toBe("sync");
  wire.say({ t: "snapshot", snapshot: { protocol: 1, n: 3, now: 0, state: chat([]) } });
  expect(store.view.connection).toBe("ok");
});

test("a kernel that speaks another version is not followed", async () => {
  const { wire, store } = await started();
  wire.say({ t: "snapshot", snapshot: { protocol: 99, n: 1, now: 0, state: chat([]) } });
  expect(store.view.connection).toBe("other-version");
});

test("questions get their answers, and refusals", async () => {
  const { wire, store } = await started();
  const answer = store.ask({ t: "output", call_id: "c" });
  wire.reply(wire.sent.at(-1)!.id, { text: "all" });
  expect(await answer).toEqual({ text: "all" });
  const refused = store.ask({ t: "end" });
  wire.say({ t: "reply", id: wire.sent.at(-1)!.id, error: PROBLEM });
  await expect(refused).rejects.toBeInstanceOf(Refused);
  store.tell({ t: "end" });
  wire.say({ t: "reply", id: wire.sent.at(-1)!.id, error: PROBLEM });
  await vi.advanceTimersByTimeAsync(0);
  expect(store.view.refusal).toEqual(PROBLEM);
});

test("a message is shown until the state shows what came of it, never twice", async () => {
  const { wire, store } = await started();
  store.tell({ t: "send", text: SECOND.question.text });
  expect(unheard(store.view)).toHaveLength(1);
  wire.reply(wire.sent.at(-1)!.id);
  expect(unheard(store.view)).toHaveLength(1);
  wire.ops(["push", ["turns"], SECOND]);
  expect(unheard(store.view)).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(600);
  expect(store.view.pending).toHaveLength(0);
});

test("a message that stands in the queue is not on its way any more", async () => {
  const { wire, store } = await started();
  store.tell({ t: "send", text: "next" });
  wire.ops(["push", ["queue"], { id: wire.sent.at(-1)!.id, text: "next" }]);
  expect(unheard(store.view)).toHaveLength(0);
});

test("a kernel that is busy for a second is held by a cell", async () => {
  const { wire, store } = await started();
  wire.become("busy");
  expect(store.view.connection).toBe("ok");
  await vi.advanceTimersByTimeAsync(1100);
  expect(store.view.connection).toBe("busy");
  wire.become("idle");
  expect(store.view.connection).toBe("ok");
});

test("where the host does not tell, a command without an answer for a second tells it", async () => {
  const { wire, store } = await started(chat([FIRST]), "unknown");
  store.tell({ t: "send", text: "hello" });
  await vi.advanceTimersByTimeAsync(1100);
  expect(store.view.connection).toBe("busy");
  wire.reply(wire.sent.at(-1)!.id);
  expect(store.view.connection).toBe("ok");
});

test("when the kernel is gone the draft is kept and nothing is sent", async () => {
  const { wire, store } = await started();
  store.set({ draft: "and then" });
  wire.become("gone");
  const before = wire.sent.length;
  await expect(store.ask({ t: "send", text: "x" })).rejects.toBeInstanceOf(Refused);
  expect(wire.sent).toHaveLength(before);
  expect(store.view.ui.draft).toBe("and then");
  wire.become("idle");
  expect(wire.sent.at(-1)?.t).toBe("sync");
  await vi.advanceTimersByTimeAsync(0);
  expect(store.view.connection).toBe("ok");
});

test("a kernel that was started anew does not know the chat, which stays gone", async () => {
  const { wire, store } = await started();
  wire.become("gone");
  wire.deaf = true;
  wire.become("busy");
  wire.become("idle");
  await vi.advanceTimersByTimeAsync(3000);
  expect(store.view.connection).toBe("gone");
});

test("in another session the draft stays and what belonged to the old one goes", async () => {
  const { wire, store } = await started();
  store.set({ draft: "kept", editing: { turn_id: FIRST.turn_id, text: "x" }, current: FIRST.turn_id });
  store.inspect({ turn_id: FIRST.turn_id });
  wire.ops(["set", ["session"], { ...SESSION, session_id: "other" }]);
  const { draft, editing, current, inspector } = store.view.ui;
  expect({ draft, editing, current }).toEqual({ draft: "kept", editing: null, current: null });
  expect(inspector?.turn_id).toBeNull();
});

test("a stop also goes to the Jupyter server where it serves the session", async () => {
  document.body.innerHTML = `<script id="jupyter-config-data" type="application/json">{"baseUrl": "/user/ada/"}</script>`;
  document.cookie = "_xsrf=2%7Cabc";
  const fetched = vi.fn(() => Promise.resolve({ ok: true }));
  vi.stubGlobal("fetch", fetched);
  const { wire, store } = await started(chat([FIRST], { agent: { ...chat([]).agent, reachable: true } }));
  store.stop(FIRST.turn_id);
  expect(wire.sent.at(-1)).toMatchObject({ t: "stop", turn_id: FIRST.turn_id });
  const [url, { method, headers, body }] = fetched.mock.calls[0] as unknown as [
    string,
    { method: string; headers: Record<string, string>; body: string },
  ];
  expect([url, method]).toEqual(["/user/ada/agents/analyst/sessions/ses_1/cancel", "POST"]);
  expect(JSON.parse(body), "a turn that came after it goes on").toEqual({ turn_id: FIRST.turn_id });
  expect(headers["X-XSRFToken"]).toBe("2|abc");
  vi.unstubAllGlobals();
  document.body.innerHTML = "";
});

test("elsewhere a stop only goes to the kernel", async () => {
  const fetched = vi.fn();
  vi.stubGlobal("fetch", fetched);
  const { store } = await started(chat([FIRST], { agent: { ...chat([]).agent, reachable: true } }));
  store.stop(FIRST.turn_id);
  expect(fetched).not.toHaveBeenCalled();
  vi.unstubAllGlobals();
});

test("what waited in a kernel that is gone goes back to the draft, and nothing goes on", async () => {
  const running = { ...SECOND, status: "writing" as const };
  const { wire, store } = await started(chat([FIRST, running], { queue: [{ id: "q", text: "Queued." }] }));
  store.tell({ t: "send", text: "On its way." });
  store.set({ draft: "Typed." });
  wire.become("gone");
  expect(store.view.ui.draft).toBe("Queued.\n\nOn its way.\n\nTyped.");
  expect(store.view.state?.queue).toEqual([]);
  expect(store.view.state?.turns.at(-1)?.status).toBe("interrupted");
  expect(unheard(store.view)).toEqual([]);
  wire.become("gone");
  expect(store.view.ui.draft).toBe("Queued.\n\nOn its way.\n\nTyped.");
});

test("the draft of a chat whose kernel is gone is there when its cell runs again, once", async () => {
  const { wire, store } = await started();
  wire.become("gone");
  store.set({ draft: "Typed later." });
  expect((await started()).store.view.ui.draft).toContain("Typed later.");
  expect((await started()).store.view.ui.draft).not.toContain("Typed later.");
});

test("a lost connection takes nothing back", async () => {
  const { wire, store } = await started(chat([FIRST], { queue: [{ id: "q", text: "Queued." }] }));
  wire.become("away");
  expect(store.view.connection).toBe("gone");
  expect(store.view.ui.draft).toBe("");
  expect(store.view.state?.queue).toHaveLength(1);
});

test("a message that was refused stands in the draft again", async () => {
  const { wire, store } = await started();
  store.tell({ t: "send", text: "Refused." });
  store.set({ draft: "Typed meanwhile." });
  wire.say({ t: "reply", id: wire.sent.at(-1)!.id, error: PROBLEM });
  await vi.advanceTimersByTimeAsync(0);
  expect(store.view.ui.draft).toBe("Refused.\n\nTyped meanwhile.");
  expect(store.view.refusal).toBe(PROBLEM);
});
