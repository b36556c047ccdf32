/** Carries out what the kernel says has changed, copying only what lies on the way, so that all else keeps its identity. */
import type { Op, Path } from "./protocol";

type Node = Record<string | number, unknown>;

/** The state after the operations; the given one is left as it was. Throws where a path leads nowhere. */
export function applied<State>(state: State, ops: Op[]): State {
  // What was copied in this call is ours to change: a burst of additions copies each object once.
  const fresh = new Set<unknown>();
  const box: Node = { state };
  fresh.add(box);
  for (const op of ops) run(box, op, fresh);
  return box.state as State;
}

function run(box: Node, op: Op, fresh: Set<unknown>): void {
  const path: Path = ["state", ...op[1]];
  const last = path[path.length - 1]!;
  let at = box;
  for (const step of path.slice(0, -1)) at = opened(at, step, fresh);
  switch (op[0]) {
    case "set":
      at[last] = op[2];
      break;
    case "add":
      if (typeof at[last] !== "string") throw new Error(`no text at ${path.join(".")}`);
      at[last] = at[last] + op[2];
      break;
    case "push":
      list(opened(at, last, fresh), path).push(op[2]);
      break;
    case "cut":
      if (op[2] === undefined) {
        if (Array.isArray(at)) at.splice(last as number, 1);
        else delete at[last];
      } else {
        const items = list(opened(at, last, fresh), path);
        items.length = Math.min(items.length, op[2]);
      }
  }
}

/** The object at a step, as a copy that may be changed. */
function opened(parent: Node, step: string | number, fresh: Set<unknown>): Node {
  const child = parent[step];
  if (typeof child !== "object" || child === null) throw new Error(`nothing to change at ${step}`);
  if (fresh.has(child)) return child as Node;
  const copy = (Array.isArray(child) ? [...child] : { ...child }) as Node;
  fresh.add(copy);
  parent[step] = copy;
  return copy;
}

function list(value: unknown, path: Path): unknown[] {
  if (!Array.isArray(value)) throw new Error(`no list at ${path.join(".")}`);
  return value;
}
