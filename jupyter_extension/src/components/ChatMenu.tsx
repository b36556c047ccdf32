/** What is done seldom, behind three dots: rename, export, fork, rewind, freeze, end, delete. What cannot be taken back asks first. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { count } from "../format";
import { usePlace, useView } from "../hooks";
import { Icon, type IconName } from "../icons";
import type { Command } from "../protocol";
import { rove } from "../roving";
import { isRunning } from "../selectors";
import { Refused, type Store } from "../store";
import { Popover } from "./Popover";
import { Answers, Confirm } from "./Confirm";

type PageName = "menu" | "rename" | "export" | "rewind" | "freeze" | "end" | "delete";
interface PageProps {
  store: Store;
  go(page: PageName): void;
  /** Closes the menu and tells the kernel. */
  act(command?: Command): void;
}

export function ChatMenu({ store }: { store: Store }) {
  const [page, go] = useState<PageName | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const Page = page && PAGES[page];
  const act = (command?: Command) => {
    go(null);
    button.current?.focus();
    if (command) store.tell(command);
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        class="icon-button"
        aria-label="More"
        title="More"
        aria-haspopup="menu"
        aria-expanded={page !== null}
        onClick={() => go(page === null ? "menu" : null)}
      >
        <Icon name="more" />
      </button>
      {Page && (
        <Popover anchor={button} label="This chat" width={page === "menu" || page === "export" ? 232 : 320} align="end" onClose={() => go(null)}>
          <Page store={store} go={go} act={act} />
        </Popover>
      )}
    </>
  );
}

function Menu({ store, go, act }: PageProps) {
  const session = useView(store, (view) => view.state?.session ?? null);
  const turns = useView(store, (view) => view.state?.turns ?? []);
  const active = session?.status === "active";
  const quiet = !turns.some(isRunning);
  return (
    <Items label="This chat">
      <Item icon="edit" text="Rename…" off={!session} act={() => go("rename")} />
      <Item icon="export" text="Export…" off={!session} act={() => go("export")} />
      <Item icon="fork" text="Fork this session" off={!session} act={() => act({ t: "fork", turn_id: null })} />
      <Item icon="rewind" text="Rewind…" off={!active || !quiet || turns.length < 2} act={() => go("rewind")} />
      <hr role="separator" />
      <Item icon="freeze" text="Freeze as text…" off={turns.length === 0} act={() => go("freeze")} />
      <Item icon="end" text="End session…" off={!active} act={() => go("end")} />
      <Item icon="trash" text="Delete session…" off={!session} act={() => go("delete")} grave />
    </Items>
  );
}

function Export({ store, act }: PageProps) {
  const { say } = usePlace();
  const [failed, fail] = useState("");
  const save = (format: "markdown" | "json" | "ipynb") => {
    store.ask<{ filename: string; mime: string; text: string }>({ t: "export", format }).then(
      (file) => {
        download(file);
        say(`Saved ${file.filename}`);
        act();
      },
      (why: unknown) => fail(why instanceof Refused ? why.problem.title : "It could not be exported."),
    );
  };
  return (
    <Items label="Export as">
      <Item text="Markdown" hint=".md" act={() => save("markdown")} />
      <Item text="Notebook" hint=".ipynb" act={() => save("ipynb")} />
      <Item text="JSON, to import again" hint=".json" act={() => save("json")} />
      {failed && (
        <p class="ask-problem" role="alert">
          {failed}
        </p>
      )}
    </Items>
  );
}

function Rename({ store, act }: PageProps) {
  const title = store.view.state?.session?.title ?? "";
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    input.current?.focus({ preventScroll: true });
    input.current?.select();
  }, []);
  return (
    <form
      class="ask"
      onSubmit={(event) => {
        event.preventDefault();
        const next = input.current!.value.trim();
        act(next && next !== title ? { t: "rename", title: next } : undefined);
      }}
    >
      <label class="ask-title">
        Title of this session
        <input ref={input} class="field" type="text" maxLength={200} defaultValue={title} />
      </label>
      <Answers cancel={() => act()} yes="Rename" />
    </form>
  );
}

/** The turns, newest first; the one that is chosen is the last to stay. */
function Rewind({ store, act }: PageProps) {
  const turns = useView(store, (view) => view.state?.turns ?? []);
  const [last, choose] = useState<string | null>(null);
  const index = turns.findIndex((turn) => turn.turn_id === last);
  if (index >= 0) {
    return (
      <Confirm
        title={`Remove the ${count(turns.length - 1 - index, "turn")} after “${short(turns[index]!.question.text)}”?`}
        text="The session goes on from there. To keep them, fork the session first."
        yes="Rewind"
        grave
        cancel={() => act()}
        confirm={() => act({ t: "rewind", turn_id: turns[index]!.turn_id })}
      />
    );
  }
  return (
    <Items label="Rewind to here" heading="Keep everything up to">
      {turns
        .slice(0, -1)
        .reverse()
        .map((turn) => (
          <Item key={turn.turn_id} text={short(turn.question.text)} act={() => choose(turn.turn_id)} />
        ))}
    </Items>
  );
}

function Freeze({ act }: PageProps) {
  return (
    <Confirm
      title="Replace this chat by plain text?"
      text="The output then holds the conversation as Markdown, as it stands now. The session is kept; run the cell again to go on."
      yes="Freeze"
      cancel={() => act()}
      confirm={() => act({ t: "freeze" })}
    />
  );
}

function End({ store, act }: PageProps) {
  const longterm = store.view.state?.agent.longterm;
  return (
    <Confirm
      title="End this session?"
      text={`It stays readable, but takes no more messages.${longterm ? " What is worth keeping goes to long-term memory." : ""}`}
      yes="End session"
      cancel={() => act()}
      confirm={() => act({ t: "end" })}
    />
  );
}

function Delete({ store, act }: PageProps) {
  const { agent, session } = store.view.state!;
  const [forget, setForget] = useState(false);
  const title = session?.title ? `“${short(session.title)}”` : "this session";
  const messages = session?.message_count ?? 0;
  return (
    <Confirm
      title={`Delete ${title}${messages ? ` and its ${count(messages, "message")}` : ""}?`}
      text="This cannot be undone."
      yes="Delete"
      grave
      cancel={() => act()}
      confirm={() => act({ t: "delete", forget })}
    >
      {agent.longterm && agent.longterm !== "session" && (
        <label class="ask-option">
          <input type="checkbox" checked={forget} onChange={(event) => setForget(event.currentTarget.checked)} />
          Also forget what {agent.name} remembers from it
        </label>
      )}
    </Confirm>
  );
}

const PAGES: Record<PageName, (props: PageProps) => ComponentChildren> = {
  menu: Menu,
  rename: Rename,
  export: Export,
  rewind: Rewind,
  freeze: Freeze,
  end: End,
  delete: Delete,
};

function Items({ label, heading, children }: { label: string; heading?: string; children: ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => box.current?.querySelector<HTMLElement>("[role=menuitem]:not(:disabled)")?.focus({ preventScroll: true }), []);
  return (
    <>
      {heading && (
        <p class="menu-heading" aria-hidden="true">
          {heading}
        </p>
      )}
      <div
        ref={box}
        class="menu"
        role="menu"
        aria-label={heading ?? label}
        onKeyDown={(event) => rove(event, box.current!, "[role=menuitem]", "vertical")}
      >
        {children}
      </div>
    </>
  );
}

interface ItemProps {
  text: string;
  icon?: IconName;
  hint?: string;
  off?: boolean;
  grave?: boolean;
  act(): void;
}

function Item({ text, icon, hint, off, grave, act }: ItemProps) {
  return (
    <button type="button" class="menu-item" role="menuitem" tabIndex={-1} disabled={off} data-grave={grave || undefined} onClick={act}>
      {icon && <Icon name={icon} size={14} />}
      <span class="menu-text">{text}</span>
      {hint && <span class="menu-hint">{hint}</span>}
    </button>
  );
}

const short = (text: string): string => {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > 60 ? `${line.slice(0, 59).trimEnd()}…` : line;
};

function download({ filename, mime, text }: { filename: string; mime: string; text: string }): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: mime }));
  link.download = filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
