/** The ledger as rows, one for each kind of part, in the order in which the model sees them; each opens to the exact text. */
import { useId, useRef } from "preact/hooks";
import { count, whole } from "../../format";
import { useView } from "../../hooks";
import { Icon } from "../../icons";
import type { Ledger, LedgerPart, PartName } from "../../protocol";
import { rove } from "../../roving";
import type { Store } from "../../store";
import { CopyButton } from "../CopyButton";
import { type Group, LABELS, share } from "./budget";
import { useShowTurn } from "./showTurn";

interface Lit {
  lit: PartName | null;
  light(part: PartName | null): void;
}

export const FORGOTTEN = "(forgotten since)";

export function LedgerRows({ store, ledger, groups, lit, light }: Lit & { store: Store; ledger: Ledger; groups: Group[] }) {
  const list = useRef<HTMLDivElement>(null);
  return (
    <section class="ledger" aria-label="What the model saw">
      <h3 class="section-head">
        {ledger.turn_id ? "What the model saw" : "What the model would see now"}
        <span>in this order</span>
      </h3>
      <div ref={list} onKeyDown={(event) => rove(event, list.current!, ".ledger-row", "vertical")} onPointerLeave={() => light(null)}>
        {groups.map((group) => (
          <Row key={group.part} store={store} ledger={ledger} group={group} lit={lit} light={light} />
        ))}
        {ledger.left_out > 0 && (
          <div class="ledger-left-out">
            <span>Not sent</span>
            <span>{count(ledger.left_out, "message")}</span>
          </div>
        )}
      </div>
    </section>
  );
}

function Row({ store, ledger, group, lit, light }: Lit & { store: Store; ledger: Ledger; group: Group }) {
  const { part, items, tokens } = group;
  const key = `ledger:${part}`;
  const open = useView(store, (view) => view.ui.folds[key] ?? false);
  const body = useId();
  const counted = part !== "tools";
  return (
    <div class="ledger-part" data-lit={lit === part || undefined}>
      <button
        type="button"
        class="ledger-row"
        aria-expanded={open}
        aria-controls={open ? body : undefined}
        onPointerEnter={() => light(part)}
        onFocus={() => light(part)}
        onBlur={() => light(null)}
        onClick={() => store.fold(key, !open)}
      >
        <i class="chip" data-part={part} />
        <span class="ledger-name">{LABELS[part]}</span>
        <span class="ledger-items">{items.length > 1 && items.length}</span>
        <span class="ledger-tokens">
          {whole(tokens)}
          <span class="hidden"> tokens</span>
        </span>
        <span class="ledger-share" title={counted ? undefined : "Not counted against the budget"}>
          {counted ? share(tokens, ledger.budget) : "–"}
        </span>
        <span class="ledger-chevron">
          <Icon name={open ? "chevronDown" : "chevronRight"} size={14} />
        </span>
      </button>
      {open && (
        <div id={body} class="ledger-body">
          {part === "message" ? (
            items.map((item, index) => <MessageLine key={item.message_id ?? index} store={store} item={item} index={index} />)
          ) : (
            <Exact items={items} what={LABELS[part]} />
          )}
        </div>
      )}
    </div>
  );
}

/** The text as the model had it. */
function Exact({ items, what }: { items: LedgerPart[]; what: string }) {
  const text = items.map((item) => item.text ?? FORGOTTEN).join("\n\n");
  return (
    <div class="exact">
      <pre role="group" tabIndex={0} aria-label={what}>
        {text || "(empty)"}
      </pre>
      <CopyButton text={() => text} what={`Copy ${what.toLowerCase()}`} bare />
    </div>
  );
}

/** A message on one line, which leads to its turn; its text opens beside it. */
function MessageLine({ store, item, index }: { store: Store; item: LedgerPart; index: number }) {
  const key = `ledger:message:${item.message_id ?? index}`;
  const open = useView(store, (view) => view.ui.folds[key] ?? false);
  const showTurn = useShowTurn(store);
  const text = item.text ?? FORGOTTEN;
  const line = text.replace(/\s+/g, " ").trim() || (item.role === "assistant" ? "(calls of tools)" : "(empty)");
  return (
    <>
      <div class="message-line">
        <button
          type="button"
          class="message-to-turn"
          title={item.drops_next ? "Leaves the window next. Show its turn" : "Show its turn"}
          disabled={!item.turn_id}
          onClick={() => showTurn(item.turn_id!)}
        >
          <span class="message-role">{item.role}</span>
          <span class="message-text">{line}</span>
          {item.drops_next && <span class="message-leaves">leaves next</span>}
          <span class="message-tokens">{whole(item.tokens)}</span>
        </button>
        <button type="button" class="message-open" aria-expanded={open} aria-label="Whole text" title="Whole text" onClick={() => store.fold(key, !open)}>
          <Icon name={open ? "chevronDown" : "chevronRight"} size={14} />
        </button>
      </div>
      {open && <Exact items={[item]} what="Message" />}
    </>
  );
}
