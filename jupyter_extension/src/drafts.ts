/** Drafts in chats whose kernel is gone, for the chats that take their places. Each model has a module of its own, so the page holds them. */
interface Left {
  notebook: string;
  agent: string;
  draft: () => string;
}

const KEY = Symbol.for("hector_nb.drafts");

function all(): Left[] {
  return ((globalThis as { [KEY]?: Left[] })[KEY] ??= []);
}

/** Leaves a draft, as it will be when somebody takes it. */
export function leave(left: Left): void {
  all().push(left);
}

/** The oldest draft that was left by the same agent's chat in the same notebook; empty if there is none. */
export function takeOver(notebook: string, agent: string): string {
  const place = all().findIndex((left) => left.notebook === notebook && left.agent === agent);
  return place < 0 ? "" : all().splice(place, 1)[0]!.draft();
}
