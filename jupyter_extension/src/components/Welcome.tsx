/** The empty chat: who this is, what it can do and remembers, and something to press. */
import { count } from "../format";
import { useView } from "../hooks";
import { Icon } from "../icons";
import type { Store } from "../store";

export function Welcome({ store }: { store: Store }) {
  const agent = useView(store, (view) => view.state!.agent);
  const welcome = useView(store, (view) => view.state!.welcome);
  const problem = useView(store, (view) => view.state!.problem);
  if (problem) return null;
  const remembers = agent.longterm !== null && welcome.memories > 0;
  return (
    <div class="welcome">
      <h2>{agent.name}</h2>
      {agent.description && <p>{agent.description}</p>}
      {agent.asks.length > 0 && <p class="asks">It asks before it {listed(agent.asks)}.</p>}
      {welcome.prompts.length > 0 && (
        <ul class="prompts" aria-label="Suggestions">
          {welcome.prompts.map((prompt) => (
            <li key={prompt}>
              <button type="button" class="prompt" onClick={() => store.tell({ t: "send", text: prompt })}>
                <span>{prompt}</span>
                <Icon name="arrowUp" size={14} />
              </button>
            </li>
          ))}
        </ul>
      )}
      {remembers && (
        <p class="remembers">
          Remembers {count(welcome.memories, "thing")}
          {welcome.sessions > 0 && ` from ${count(welcome.sessions, "earlier session")}`} ·{" "}
          <button type="button" class="foot-link" onClick={() => store.inspect({ tab: "longterm" })}>
            Look at them
          </button>
        </p>
      )}
    </div>
  );
}

function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
