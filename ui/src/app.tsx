// The window's frame: the sidebar with the state in words, the open view, the messages at the
// bottom.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { asRefusal, type Backend, type Drag, type Refusal } from "./backend/backend";
import type { About, Devices, Status, ToolRow } from "./backend/types";
import type { Command } from "./lib/commands";
import { keepFocus } from "./lib/focus";
import { following } from "./lib/following";
import { headline } from "./lib/headline";
import { setTheme, THEMES, zoomBy } from "./lib/look";
import { Button, IconButton } from "./parts/common";
import { Icon, type IconName } from "./parts/icon";
import { DropPlace, ImportStrip } from "./parts/importing";
import { LinkQuestion } from "./parts/link-question";
import { Palette } from "./parts/palette";
import { Shortcuts } from "./parts/shortcuts";
import { ADD, go, link, type Route, useRoute, VIEWS, type View } from "./route";
import { type Shared, SharedContext, type Undo, useGlobalKeys, useKeys } from "./state";
import { DevicesView } from "./views/devices";
import { FirstRun } from "./views/first-run";
import { Overview } from "./views/overview";
import { ProjectsView } from "./views/projects";
import { SessionsView } from "./views/sessions";
import { SettingsView } from "./views/settings";
import { SplitView } from "./views/split";
import { SplitsView } from "./views/splits";
import { ToolsView } from "./views/tools";
import { MOD, words } from "./words";

export function App({ backend }: { backend: Backend }) {
  const route = useRoute();
  const { status, lost, refused, revision, reloads, devices, tools, about, reload } = useEngine(backend);
  const [address, setAddress] = useState<string | null>(null);
  const { told, tell, untell, takeBack } = useTold();
  useEffect(() => backend.onNotice(({ title, body }) => tell(body ? `${title}. ${body}` : title)), [backend, tell]);
  const { over, picture, pictureTaken } = useDrags(backend, route, tell);
  const [sheet, setSheet] = useState<"palette" | "keys" | null>(null);
  const showKeys = useCallback(() => setSheet("keys"), []);
  const shared = useMemo<Shared>(
    () => ({
      ...{ backend, status, lost, refused, reload, revision, reloads, tools, tell, picture, pictureTaken, showKeys },
      openLink: setAddress,
    }),
    [backend, status, lost, refused, reload, revision, reloads, tools, tell, picture, pictureTaken, showKeys],
  );
  const main = useRef<HTMLElement>(null);
  const place = `${route.view}/${route.view === "splits" ? (route.session ?? "") : ""}`;
  const before = useRef(place);
  useEffect(() => {
    // A new view starts at its top, for the keyboard and for screen readers too.
    if (before.current !== place) main.current?.focus({ preventScroll: true });
    before.current = place;
    document.title = `${words.views[route.view]} · ${words.app}`;
  }, [place]);

  useEffect(() => keepFocus(() => main.current), []);
  const commands = useCommands(backend, status, tell, showKeys);
  useKeys({ "?": showKeys });
  const zoom = { "+": () => zoomBy(1), "=": () => zoomBy(1), "-": () => zoomBy(-1), "0": () => zoomBy(0) };
  const closeWindow = () => void backend.roam({ cmd: "close_window" }).catch(() => {});
  const views = VIEWS.map((view, at): [string, () => void] => [`Digit${at + 1}`, () => go(view)]);
  useGlobalKeys({
    ...zoom,
    w: closeWindow,
    ...(route.alone ? {} : { ...Object.fromEntries(views), k: () => setSheet("palette") }),
  });

  // A user who followed a pairing link wants to pair; the first steps come afterwards.
  const isPairing = route.view === "devices" && route.session !== null && route.session !== ADD;
  const firstRun = about?.first_run === true && !isPairing;
  return (
    <SharedContext.Provider value={shared}>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        {words.skip}
      </button>
      <div class={route.alone || firstRun ? "frame alone" : "frame"}>
        {!route.alone && !firstRun && (
          <Sidebar route={route} status={status} lost={lost !== null} refused={refused} devices={devices} />
        )}
        <div class="column">
          {!route.alone && status?.conversation_import && <ImportStrip shown={status.conversation_import} />}
          <main id="main" ref={main} tabIndex={-1} class={`stage view-${firstRun ? "first" : route.view}`}>
            {firstRun ? <FirstRun done={reload} /> : <Current route={route} devices={devices} />}
          </main>
        </div>
        <div class="told" role="status" aria-live="polite">
          {told && (
            <div class="told-box">
              <span dir="auto">{told.text}</span>
              {told.undo && (
                <Button kind="quiet" icon="undo" busy={told.busy} onClick={takeBack}>
                  {words.split.undo}
                </Button>
              )}
              <IconButton icon="close" name={words.failed.dismiss} onClick={untell} />
            </div>
          )}
        </div>
      </div>
      {over && <DropPlace isPicture={over.is_picture} />}
      {sheet === "palette" && <Palette commands={commands} close={() => setSheet(null)} />}
      {sheet === "keys" && <Shortcuts close={() => setSheet(null)} />}
      {address !== null && <LinkQuestion address={address} close={() => setAddress(null)} />}
    </SharedContext.Provider>
  );
}

interface Told {
  text: string;
  undo?: Undo | undefined;
  busy?: boolean;
}

const TOLD_MS = 8_000;

/** The message at the bottom. What can be taken back stays until it no longer can; what came of that is a message, too. */
function useTold() {
  const [told, setTold] = useState<Told | null>(null);
  const tell = useCallback((text: string, undo?: Undo) => setTold({ text, undo }), []);
  const untell = useCallback(() => setTold(null), []);
  useEffect(() => {
    if (!told || told.busy) return;
    const timer = setTimeout(() => setTold(null), told.undo ? told.undo.until - Date.now() : TOLD_MS);
    return () => clearTimeout(timer);
  }, [told]);
  const takeBack = async () => {
    if (!told?.undo) return;
    setTold({ ...told, busy: true });
    try {
      tell((await told.undo.act()).message);
    } catch (thrown) {
      const { message, hint } = asRefusal(thrown, words.failed.unknown);
      tell(`${message} ${hint}`.trim());
    }
  };
  return { told, tell, untell, takeBack: () => void takeBack() };
}

/** What the palette offers beside sessions. */
function useCommands(
  backend: Backend,
  status: Status | null,
  tell: (text: string) => void,
  showKeys: () => void,
): Command[] {
  const say = words.palette;
  const isPaused = status?.engine === "paused";
  return useMemo(() => {
    const ask = (request: Parameters<Backend["roam"]>[0]) =>
      void backend.roam(request).catch((thrown) => {
        const { message, hint } = asRefusal(thrown, words.failed.unknown);
        tell(`${message} ${hint}`);
      });
    const views = VIEWS.map(
      (view, at): Command => ({
        id: view,
        title: words.views[view],
        about: say.view,
        icon: ICONS[view],
        keys: `${MOD} ${at + 1}`,
        run: () => go(view),
      }),
    );
    const action = (id: string, icon: IconName, run: () => void, keys?: string): Command => ({
      ...{ id, icon, run, title: say.actions[id] ?? id, about: say.action },
      ...(keys ? { keys } : {}),
    });
    return [
      ...views,
      action("pair", "devices", () => go("devices", ADD)),
      action(isPaused ? "continue" : "pause", isPaused ? "play" : "pause", () =>
        ask({ cmd: isPaused ? "continue" : "pause" }),
      ),
      action("import", "import", () =>
        ask({ cmd: "choose_import", title: words.importing.chooseFiles, directory: false }),
      ),
      ...THEMES.map((theme) => action(`theme-${theme}`, "monitor", () => setTheme(theme))),
      action("zoom-in", "up", () => zoomBy(1), `${MOD} +`),
      action("zoom-out", "down", () => zoomBy(-1), `${MOD} −`),
      action("zoom-reset", "search", () => zoomBy(0), `${MOD} 0`),
      action("keys", "keys", showKeys, "?"),
    ];
  }, [backend, isPaused, tell, showKeys]);
}

/** What is dragged over the window and dropped on it. Files are the shell's concern; the page gets a picture only. */
function useDrags(backend: Backend, route: Route, tell: (text: string) => void) {
  const [over, setOver] = useState<Extract<Drag, { kind: "over" }> | null>(null);
  const [picture, setPicture] = useState<Blob | null>(null);
  const pictureTaken = useCallback(() => setPicture(null), []);
  const { alone } = route;
  useEffect(
    () =>
      backend.onDrag((drag) => {
        setOver(drag.kind === "over" ? drag : null);
        if (drag.kind === "refused") tell(`${drag.error.message} ${drag.error.hint}`);
        if (drag.kind === "picture" && !alone) {
          setPicture(new Blob([Uint8Array.from(atob(drag.data), (letter) => letter.charCodeAt(0))]));
          go("devices");
        }
      }),
    [backend, tell, alone],
  );
  useEffect(() => {
    // A link or a picture of the page that is dragged must never pass for a file of the user's.
    const refuse = (event: DragEvent) => event.preventDefault();
    const kinds = ["dragstart", "dragover", "drop"] as const;
    for (const kind of kinds) addEventListener(kind, refuse);
    return () => {
      for (const kind of kinds) removeEventListener(kind, refuse);
    };
  }, []);
  return { over, picture, pictureTaken };
}

function Current({ route, devices }: { route: ReturnType<typeof useRoute>; devices: Devices | null }) {
  switch (route.view) {
    case "overview":
      return <Overview devices={devices} />;
    case "sessions":
      return <SessionsView {...route} open={route.session} />;
    case "splits":
      return route.session ? (
        <SplitView key={route.session} session={route.session} alone={route.alone} />
      ) : (
        <SplitsView />
      );
    case "devices":
      return (
        <DevicesView
          code={route.session === ADD ? "" : (route.session ?? "")}
          adds={route.session === ADD}
          visit={route.visit}
        />
      );
    case "tools":
      return <ToolsView />;
    case "projects":
      return <ProjectsView />;
    case "settings":
      return <SettingsView part={route.session} visit={route.visit} />;
  }
}

const ICONS: Record<View, IconName> = {
  overview: "overview",
  sessions: "sessions",
  splits: "splits",
  devices: "devices",
  tools: "tools",
  projects: "projects",
  settings: "settings",
};

function Sidebar({
  route,
  status,
  lost,
  refused,
  devices,
}: {
  route: Route;
  status: Status | null;
  lost: boolean;
  refused: Refusal | null;
  devices: Devices | null;
}) {
  const now = headline(status, devices, lost, { refused: refused?.message ?? null });
  return (
    <nav class="sidebar" aria-label={words.navigation}>
      <p class={`state tone-${now.tone}`} title={now.what} role="status">
        <span class="state-dot" aria-hidden="true" />
        <span class="state-word">{now.short}</span>
      </p>
      <ul>
        {VIEWS.map((view) => {
          const n =
            view === "splits"
              ? (status?.splits ?? 0)
              : view === "devices"
                ? (devices?.asking.filter((one) => one.has_code).length ?? 0)
                : 0;
          return (
            <li key={view} class={view === "settings" ? "last" : undefined}>
              <a href={link(view)} aria-current={route.view === view ? "page" : undefined} title={words.views[view]}>
                <Icon name={ICONS[view]} />
                <span class="nav-word">{words.views[view]}</span>
                {n > 0 && (
                  <span
                    class="count"
                    role="img"
                    aria-label={view === "splits" ? words.splitsWaiting(n) : words.headline.attention(n)}
                  >
                    {n}
                  </span>
                )}
              </a>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

/** Follows the engine: whole statuses, and the data of the frame itself. */
function useEngine(backend: Backend) {
  const [status, setStatus] = useState<Status | null>(null);
  const [lost, setLost] = useState<Refusal | null>(null);
  const [devices, setDevices] = useState<Devices | null>(null);
  const [tools, setTools] = useState<ReadonlyMap<string, ToolRow>>(new Map());
  const [about, setAbout] = useState<About | null>(null);
  const [revision, setRevision] = useState(0);
  const latest = useRef<(next: Status) => void>(() => {});
  const ask = useCallback(() => {
    setLost(null);
    backend.roam({ cmd: "status" }).then(
      (next) => latest.current(next),
      (thrown) => setLost(asRefusal(thrown, words.failed.unknown)),
    );
    backend.roam({ cmd: "about" }).then(setAbout, () => {});
  }, [backend]);
  const [reloads, setReloads] = useState(0);
  const reload = useCallback(() => {
    ask();
    setReloads((one) => one + 1);
    setRevision((one) => one + 1);
  }, [ask]);

  useEffect(() => {
    const { hear, stop: stopRest } = following({ shown: setStatus, changed: () => setRevision((one) => one + 1) });
    const stop = backend.onStatus((next) => {
      setLost(null);
      hear(next);
    });
    latest.current = hear;
    // Only the status: each view requests its own data when it is first drawn.
    ask();
    return () => {
      stop();
      stopRest();
    };
  }, [backend, ask]);

  const [refused, setRefused] = useState<Refusal | null>(null);
  // To answer, the engine lists every store, and the tools are those that it started with: they are asked for once.
  const isStale = useRef(true);
  const isStopped = status?.engine === "stopped" || status?.engine === "stopping";
  useEffect(() => {
    const asked: Promise<unknown>[] = [backend.roam({ cmd: "devices" }).then(setDevices)];
    if (isStopped || isStale.current) {
      isStale.current = isStopped;
      const hear = (rows: ToolRow[]) => setTools(new Map(rows.map((row) => [row.tool, row])));
      const tools = backend.roam({ cmd: "tools" }).then(hear);
      tools.catch(() => {
        isStale.current = true;
      });
      asked.push(tools);
    }
    // One refusal is a matter of its view; if nothing is answered, it is the state.
    void Promise.allSettled(asked).then((ended) => {
      const refusals = ended.filter((one) => one.status === "rejected");
      setRefused(refusals.length === asked.length ? asRefusal(refusals[0]?.reason, words.failed.unknown) : null);
    });
  }, [backend, revision, isStopped]);
  return { status, lost, refused, devices, tools, about, revision, reloads, reload };
}
