/** The session's title, which opens the list of sessions: search, go to another one, begin one, fork this one. */
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { nearEnd, usePages } from "../asking";
import { type Day, dayOf, moment, whole } from "../days";
import { count } from "../format";
import { useView } from "../hooks";
import { Icon, type IconName } from "../icons";
import type { Command, SessionPage } from "../protocol";
import { led } from "../roving";
import type { Store } from "../store";
import { Popover } from "./Popover";

type Listed = SessionPage["sessions"][number];

export function SessionPicker({ store }: { store: Store }) {
  const session = useView(store, (view) => view.state?.session);
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const title = session ? session.title || "Untitled session" : "New session";
  return (
    <>
      <button
        ref={button}
        type="button"
        class="text-button session-button"
        aria-haspopup="listbox"
        aria-expanded={open}
        aria-label={`Session: ${title}`}
        title={title}
        onClick={() => setOpen(!open)}
      >
        <span class="session-title">{title}</span>
        <Icon name="chevronDown" size={14} />
      </button>
      {open && (
        <Popover anchor={button} label="Sessions" width={320} onClose={() => setOpen(false)}>
          <Sessions
            store={store}
            chosen={(command) => {
              setOpen(false);
              button.current?.focus();
              if (command) store.tell(command);
            }}
          />
        </Popover>
      )}
    </>
  );
}

/** A row that can be chosen; one without a command closes the list, or opens more of it. */
interface Choice {
  key: string;
  command: Command | null;
}

/** As many other agents have rows of their own; more of them stand behind one row. */
const OTHERS = 2;

const PATIENCE_MS = 150;

function Sessions({ store, chosen }: { store: Store; chosen(command: Command | null): void }) {
  const current = useView(store, (view) => view.state?.session?.session_id ?? null);
  const agent = useView(store, (view) => view.state?.agent)!;
  const [query, setQuery] = useState("");
  const [active, setActive] = useState<number | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const pages = usePages<Listed, SessionPage>(
    store,
    (cursor) => ({ t: "sessions", query, cursor }),
    (page) => page.sessions,
    query,
    PATIENCE_MS,
  );
  const [unfolded, unfold] = useState(false);
  const shut = !unfolded && agent.others.length > OTHERS;
  const others = query || shut ? [] : agent.others;
  const choices: Choice[] = [
    ...pages.items.map((each) => ({
      key: each.session_id,
      command: each.session_id === current ? null : ({ t: "open", session_id: each.session_id } as Command),
    })),
    { key: "new", command: { t: "new", agent: null } },
    ...(shut && !query ? [{ key: "others", command: null }] : []),
    ...others.map((other) => ({ key: `new:${other}`, command: { t: "new", agent: other } as Command })),
    ...(current ? [{ key: "fork", command: { t: "fork", turn_id: null } as Command }] : []),
  ];

  useLayoutEffect(() => input.current?.focus({ preventScroll: true }), []);
  useLayoutEffect(() => setActive(query && pages.items.length > 0 ? 0 : null), [pages.first, query]);
  useLayoutEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView?.({ block: "nearest" });
  }, [active]);

  const choose = ({ key, command }: Choice) => (key === "others" ? unfold(true) : chosen(command));
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      const choice = active === null ? undefined : choices[active];
      if (choice) choose(choice);
      return;
    }
    const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
    const next = sideways ? null : led(event.key, active ?? (event.key === "ArrowUp" ? 0 : -1), choices.length);
    if (next === null) return;
    event.preventDefault();
    setActive(next);
    if (next > pages.items.length - 5) pages.more();
  };
  const option = (key: string) => {
    const index = choices.findIndex((choice) => choice.key === key);
    return {
      id: `${id}-${index}`,
      role: "option",
      "aria-selected": index === active,
      onPointerMove: () => index !== active && setActive(index),
      onClick: () => choose(choices[index]!),
    } as const;
  };
  return (
    <>
      <div class="search">
        <Icon name="search" size={14} />
        <input
          ref={input}
          type="text"
          role="combobox"
          aria-label="Search sessions"
          aria-controls={id}
          aria-expanded="true"
          aria-autocomplete="list"
          aria-activedescendant={active === null ? undefined : `${id}-${active}`}
          placeholder="Search sessions"
          value={query}
          onInput={(event) => setQuery(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
      </div>
      <div ref={list} id={id} class="session-list" role="listbox" aria-label="Sessions" aria-busy={pages.waiting} onScroll={(event) => nearEnd(event, pages.more)}>
        <Found sessions={pages.items} current={current} agent={agent.name} option={option} />
        {pages.items.length === 0 && <Nothing pages={pages} query={query} />}
        <div class="session-acts" role="group" aria-label="Begin">
          <Act icon="plus" option={option("new")} text="New session" />
          {shut && !query && <Act icon="plus" option={option("others")} text="New session with another agent…" />}
          {others.map((other) => (
            <Act key={other} icon="plus" option={option(`new:${other}`)} text={`New session with ${other}`} />
          ))}
          {current && <Act icon="fork" option={option("fork")} text="Fork this session" />}
        </div>
      </div>
    </>
  );
}

type Option = (key: string) => Record<string, unknown>;

function Found({ sessions, current, agent, option }: { sessions: Listed[]; current: string | null; agent: string; option: Option }) {
  const now = new Date();
  const days = [...new Set(sessions.map((each) => dayOf(each.last_active_at, now)))];
  return (
    <>
      {days.map((day: Day) => (
        <div key={day} role="group" aria-label={day}>
          <div class="session-day" aria-hidden="true">
            {day}
          </div>
          {sessions
            .filter((each) => dayOf(each.last_active_at, now) === day)
            .map((each) => (
              <SessionRow key={each.session_id} session={each} here={each.session_id === current} agent={agent} now={now} {...{ option }} />
            ))}
        </div>
      ))}
    </>
  );
}

function SessionRow({ session, here, agent, now, option }: { session: Listed; here: boolean; agent: string; now: Date; option: Option }) {
  const state = session.running ? "running" : session.status === "active" ? "" : session.status;
  return (
    <div class="session-row" title={`${session.title || "Untitled session"} · ${whole(session.last_active_at)}`} {...option(session.session_id)}>
      <span class="session-mark">
        {session.running ? <i class="session-running" /> : here && <Icon name="check" size={14} />}
      </span>
      <span class="session-name">{session.title || "Untitled session"}</span>
      {session.agent !== agent && <span class="session-agent">{session.agent}</span>}
      <span class="session-facts">
        <span class="hidden">{[here ? "this session" : "", state, count(session.message_count, "message"), ""].filter(Boolean).join(", ")} </span>
        <span aria-hidden="true">{session.message_count} · </span>
        {moment(session.last_active_at, now)}
      </span>
    </div>
  );
}

function Act({ icon, option, text }: { icon: IconName; option: Record<string, unknown>; text: string }) {
  return (
    <div class="session-row session-act" {...option}>
      <span class="session-mark">
        <Icon name={icon} size={14} />
      </span>
      <span class="session-name">{text}</span>
    </div>
  );
}

function Nothing({ pages, query }: { pages: { waiting: boolean; problem: { title: string } | null }; query: string }) {
  const text = pages.problem?.title ?? (pages.waiting ? "Looking for sessions" : query ? `No session has “${query}”.` : "No sessions yet.");
  return (
    <div class="session-none" role="presentation">
      {text}
    </div>
  );
}
