// How the window and the tray app behave: look, notifications, programs, the space in use.
import { useEffect, useId, useMemo, useState } from "preact/hooks";
import type { About, NotificationKinds, Preferences, PreferencesChange } from "../backend/types";
import { size } from "../lib/format";
import { useKept } from "../lib/kept";
import { isTheme, isZoom, NORMAL, nextZoom, setTheme, THEMES, type Theme, ZOOMS, zoomBy } from "../lib/look";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Failed, Refused, Skeleton, Switch } from "./common";

const say = words.settings;

/** Whether the program starts with the user's session; also one of the first steps. */
export function Autostart({ about, changed }: { about: About; changed: () => void }) {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const turn = async (on: boolean) => {
    await act(() => backend.roam({ cmd: "switch", name: "autostart", on }));
    changed();
  };
  return (
    <li class="setting">
      <div>
        <h3>{say.autostart[0]}</h3>
        <p class="dim">{about.autostart === null ? say.noAutostart : say.autostart[1]}</p>
        <Refused refusal={refusal} clear={clear} />
      </div>
      {about.autostart !== null && (
        <Switch
          on={about.autostart}
          busy={busy}
          name={say.autostart[0]}
          words={[say.on, say.off]}
          onChange={(on) => void turn(on)}
        />
      )}
    </li>
  );
}

export function Look() {
  const [theme] = useKept<Theme>("device", "theme", "system", isTheme);
  const [zoom] = useKept("device", "zoom", NORMAL, isZoom);
  return (
    <ul class="settings-list">
      <li class="setting">
        <div>
          <h3 id="theme">{say.theme}</h3>
        </div>
        <select
          class="select"
          aria-labelledby="theme"
          value={theme}
          onChange={(event) => setTheme(event.currentTarget.value as Theme)}
        >
          {THEMES.map((one) => (
            <option key={one} value={one}>
              {say.themes[one]}
            </option>
          ))}
        </select>
      </li>
      <li class="setting">
        <div>
          <h3>{say.zoom}</h3>
        </div>
        <div class="zoom" role="group" aria-label={say.zoom}>
          <Button
            name={words.palette.actions["zoom-out"]}
            blocked={nextZoom(zoom, -1) === zoom ? say.zoomEnd(ZOOMS[0]) : undefined}
            onClick={() => zoomBy(-1)}
          >
            −
          </Button>
          <span class="number" role="status">
            {zoom}%
          </span>
          <Button
            name={words.palette.actions["zoom-in"]}
            blocked={nextZoom(zoom, 1) === zoom ? say.zoomEnd(ZOOMS.at(-1) ?? NORMAL) : undefined}
            onClick={() => zoomBy(1)}
          >
            +
          </Button>
        </div>
      </li>
    </ul>
  );
}

const KINDS = ["held", "versions", "waiting", "pairing", "arrived"] as const satisfies (keyof NotificationKinds)[];

/** What config.toml says of the tray app. Only what the user changes here is sent: the file may have been changed
 * elsewhere meanwhile. */
export function usePreferences() {
  const { backend, revision } = useShared();
  const asked = useAnswer({ cmd: "preferences" }, revision);
  const { refusal, act, clear } = useDoing();
  // A choice shows at once; the answer may take longer.
  const [wanted, setWanted] = useState<PreferencesChange | null>(null);
  const set = async (change: PreferencesChange) => {
    setWanted((before) => together(before ?? {}, change));
    await act(() => backend.roam({ cmd: "preferences_set", preferences: change }));
    asked.again();
  };
  // Whatever the file says now counts.
  useEffect(() => setWanted(null), [asked.answer]);
  const now = useMemo(() => asked.answer && (together(asked.answer, wanted ?? {}) as Preferences), [asked, wanted]);
  return { asked, now, refusal, clear, set };
}

function together(before: PreferencesChange, change: PreferencesChange): PreferencesChange {
  return { ...before, ...change, notifications: { ...before.notifications, ...change.notifications } };
}

type Kept = ReturnType<typeof usePreferences>;

export function Notifications({ kept: { asked, now, refusal, clear, set } }: { kept: Kept }) {
  if (asked.phase === "failed" && !now) return <Failed refusal={asked.refusal} again={asked.again} />;
  if (!now) return <Skeleton rows={5} label={words.loading} />;
  return (
    <>
      <ul class="settings-list">
        {KINDS.map((kind) => (
          <li class="setting tight" key={kind}>
            <h3>{say.notifications[kind]}</h3>
            <Switch
              on={now.notifications[kind]}
              name={say.notifications[kind]}
              words={[say.on, say.off]}
              onChange={(on) => void set({ notifications: { [kind]: on } })}
            />
          </li>
        ))}
      </ul>
      <Refused refusal={refusal} clear={clear} />
    </>
  );
}

/** Those that the tray app can start. On macOS and Windows it is the system's own terminal. */
const TERMINALS = [
  ...["gnome-terminal", "ptyxis", "kgx", "konsole", "kitty", "alacritty", "wezterm", "ghostty"],
  ...["foot", "xfce4-terminal", "mate-terminal", "xterm"],
];

/** Editors with a window of their own: the list of the tray app (editor.rs). */
const EDITORS = [
  ...["code", "codium", "cursor", "windsurf", "zed", "subl", "gnome-text-editor", "kate", "kwrite"],
  ...["gedit", "xed", "pluma", "mousepad", "geany", "gvim", "emacs"],
];

export function Programs({ kept: { asked, now, set } }: { kept: Kept }) {
  // Why it could not be loaded is said once, above.
  if (!now) return asked.phase === "failed" ? null : <Skeleton rows={2} label={words.loading} />;
  return (
    <ul class="settings-list">
      <Program
        name={[say.terminal, say.terminalWhy]}
        known={TERMINALS}
        chosen={now.terminal}
        choose={(terminal) => void set({ terminal })}
      />
      <Program
        name={[say.editor, say.editorWhy]}
        known={EDITORS}
        chosen={now.editor}
        choose={(editor) => void set({ editor })}
      />
    </ul>
  );
}

interface ProgramProps {
  /** Its name, and what it is for. */
  name: [string, string];
  known: string[];
  chosen: string;
  choose: (name: string) => void;
}

function Program({ name: [name, why], known, chosen, choose }: ProgramProps) {
  const id = useId();
  return (
    <li class="setting">
      <div>
        <h3 id={id}>{name}</h3>
        <p class="dim">{why}</p>
      </div>
      <select
        class="select"
        aria-labelledby={id}
        value={chosen}
        onChange={(event) => choose(event.currentTarget.value)}
      >
        <option value="">{say.systemChoice}</option>
        {[...new Set([...known, chosen])].filter(Boolean).map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </li>
  );
}

/** How much of the vault each device's journals are. */
export function SpaceUsed() {
  const { revision } = useShared();
  const asked = useAnswer({ cmd: "space" }, revision);
  const space = asked.answer;
  if (asked.phase === "failed" && !space) return <Failed refusal={asked.refusal} again={asked.again} />;
  if (!space) return <Skeleton rows={1} label={words.loading} />;
  return (
    <div class="space">
      <p>
        <strong>{size(space.total)}</strong> <span class="dim">{say.spaceWhy}</span>
      </p>
      <ul class="plain-list">
        {space.devices.map((one) => (
          <li key={one.device} class="space-row">
            <span dir="auto">{one.device}</span>
            <meter min={0} max={Math.max(1, space.total)} value={one.bytes} aria-label={one.device} />
            <span class="number">{size(one.bytes)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
