// One field for everything: views, actions, sessions by title. Opened with Ctrl K.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { SearchHit, SessionRow } from "../backend/types";
import { type Command, fitting } from "../lib/commands";
import { useDeferred } from "../lib/deferred";
import { projectName } from "../lib/format";
import { go } from "../route";
import { useAnswer, useShared } from "../state";
import { words } from "../words";
import { Dialog } from "./dialog";
import { Icon } from "./icon";

/** So many sessions are offered before anything is typed, and afterwards. */
const RECENT = 5;
const MOST_SESSIONS = 8;
/** The engine finds words in messages, too; of its hits those count whose titles fit. */
const MOST_HITS = 40;
/** One letter fits everything. */
const LEAST_LETTERS = 2;
const WAIT_MS = 120;

export function Palette({ commands, close }: { commands: readonly Command[]; close: () => void }) {
  const say = words.palette;
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const { tools } = useShared();
  const sessions = useSessions(text);
  const shown = useMemo(() => {
    const found = sessions.map(
      (row): Command => ({
        id: `session-${row.session}`,
        title: row.title || words.sessions.untitled,
        about: `${tools.get(row.tool)?.name ?? row.tool} · ${projectName(row.project)}`,
        icon: "sessions",
        run: () => go("sessions", row.session),
      }),
    );
    return [...fitting(commands, text), ...found];
  }, [commands, sessions, text, tools]);
  const chosen = Math.min(at, shown.length - 1);
  useEffect(() => {
    list.current?.children[chosen]?.scrollIntoView({ block: "nearest" });
  }, [chosen, shown]);
  const run = (command: Command | undefined) => {
    if (!command) return;
    close();
    command.run();
  };
  const onKey = (event: KeyboardEvent) => {
    const last = shown.length - 1;
    const moves: Record<string, number> = {
      ArrowDown: chosen === last ? 0 : chosen + 1,
      ArrowUp: chosen <= 0 ? last : chosen - 1,
      PageDown: Math.min(last, chosen + 8),
      PageUp: Math.max(0, chosen - 8),
    };
    const to = moves[event.key];
    if (to !== undefined) {
      event.preventDefault();
      setAt(to);
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(shown[chosen]);
    }
  };
  return (
    <Dialog title={say.title} close={close} class="palette" bare>
      <label class="search-field">
        <Icon name="search" size={14} />
        <input
          data-first
          type="text"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-autocomplete="list"
          aria-activedescendant={shown[chosen] ? `palette-${chosen}` : undefined}
          aria-label={say.label}
          placeholder={say.hint}
          autocomplete="off"
          spellcheck={false}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={onKey}
        />
      </label>
      <div ref={list} id="palette-list" role="listbox" aria-label={say.label} class="palette-list">
        {shown.map((command, n) => (
          <div
            key={command.id}
            id={`palette-${n}`}
            role="option"
            aria-selected={n === chosen}
            class={n === chosen ? "palette-row chosen" : "palette-row"}
            onClick={() => run(command)}
            onPointerMove={() => n !== chosen && setAt(n)}
          >
            <Icon name={command.icon} />
            <span class="palette-title" dir="auto">
              {command.title}
            </span>
            <span class="palette-about" dir="auto">
              {command.about}
            </span>
            {command.keys && <kbd>{command.keys}</kbd>}
          </div>
        ))}
      </div>
      {shown.length === 0 && <p class="palette-none dim">{say.none}</p>}
      <p class="visually-hidden" role="status">
        {say.found(shown.length)}
      </p>
    </Dialog>
  );
}

type Offered = Pick<SessionRow, "session" | "title" | "tool" | "project">;

/** Sessions whose titles fit: the latest ones at once, those that the engine finds when it has them. */
function useSessions(text: string): Offered[] {
  const wanted = useDeferred(text.trim(), WAIT_MS);
  const asksEngine = wanted.length >= LEAST_LETTERS;
  const latest = useAnswer({ cmd: "sessions", filter: { limit: 200 } });
  const found = useAnswer({ cmd: "search", words: asksEngine ? wanted : "", limit: MOST_HITS });
  const letters = text.trim().toLowerCase();
  return useMemo(() => {
    const recent = latest.answer ?? [];
    if (letters === "") return recent.slice(0, RECENT);
    const fits = ({ title }: Offered) => letters.split(/\s+/).every((word) => title.toLowerCase().includes(word));
    const hits: SearchHit[] = asksEngine ? (found.answer?.hits ?? []) : [];
    const all = new Map(
      [...recent.filter(fits), ...hits.filter(fits)].map((row): [string, Offered] => [row.session, row]),
    );
    return [...all.values()].slice(0, MOST_SESSIONS);
  }, [latest.answer, found.answer, letters, asksEngine]);
}
