// Buttons for what can be done about a message, where the message is shown. What the window cannot do itself leads to the
// view where it is done.
import { useState } from "preact/hooks";
import type { Remedy } from "../backend/types";
import { projectName } from "../lib/format";
import { ADD, go, type SettingsPart } from "../route";
import { useDoing, useShared } from "../state";
import { words } from "../words";
import { IdentityQuestion } from "./identity-question";

type Do = Remedy["do"];
/** Does one kind of remedy. */
type Deeds = { [D in Do]: (remedy: Extract<Remedy, { do: D }>) => void };

interface Props {
  remedies: Remedy[] | undefined;
  /** What they are about, for those who hear the buttons only. */
  about: string;
  /** Asks again for what failed; without it there is no button for that. */
  again?: (() => void) | undefined;
  /** The first one is what to do now. */
  main?: boolean;
}

export function Remedies({ remedies = [], about, again, main = false }: Props) {
  const { backend, reload, tell } = useShared();
  const { busy, refusal, act } = useDoing();
  const [asksIdentity, setIdentity] = useState(false);
  const done = async (asking: Promise<{ message: string }>) => {
    const answer = await act(() => asking);
    if (!answer) return;
    tell(answer.message);
    reload();
  };
  const openFile = async (which: "logs" | "settings") => {
    const about = await act(() => backend.roam({ cmd: "about" }));
    if (about) await act(() => backend.roam({ cmd: "open_path", path: about[which] }));
  };
  const release = ({ what }: { what: string }) => void done(backend.roam({ cmd: "release", what }));
  const to = (part: SettingsPart) => go("settings", part);
  const open = ({ session }: { session: string }) => go("sessions", session);
  const deeds: Deeds = {
    start_engine: () => void done(backend.roam({ cmd: "start_engine" })),
    stop_engine: () => void done(backend.roam({ cmd: "stop" })),
    retry: () => (again ?? reload)(),
    continue_syncing: () => void done(backend.roam({ cmd: "continue" })),
    locate_syncthing: async () => {
      const chosen = await act(() => backend.roam({ cmd: "choose_syncthing", title: words.remedies.locate_syncthing }));
      if (!chosen) return;
      tell(chosen.message);
      reload();
    },
    open_logs: () => void openFile("logs"),
    open_settings: () => void openFile("settings"),
    open_status: () => go("overview"),
    open_sessions: () => go("sessions"),
    open_splits: () => go("splits"),
    open_devices: () => go("devices"),
    open_projects: () => go("projects"),
    open_tools: () => go("tools"),
    open_diagnostics: () => to("diagnostics"),
    open_forgotten: () => to("forgotten"),
    open_session: open,
    open_history: open,
    open_journal: open,
    choose_folder: async ({ project }) => {
      const title = words.overview.folderTitle(projectName(project));
      const dir = await act(() => backend.roam({ cmd: "choose_directory", title }));
      if (dir) await done(backend.roam({ cmd: "project_map", key: project, dir }));
    },
    include_project: ({ project }) =>
      void done(backend.roam({ cmd: "project_exclude", key: project, excluded: false })),
    switch_tool_on: ({ tool }) => void done(backend.roam({ cmd: "tool_switch", tool, on: true })),
    switch_store_on: ({ tool, dir }) => void done(backend.roam({ cmd: "store_switch", tool, dir, on: true })),
    switch_store_off: ({ tool, dir }) => void done(backend.roam({ cmd: "store_switch", tool, dir, on: false })),
    compare: ({ session }) => go("splits", session),
    undo: ({ session }) => void done(backend.roam({ cmd: "undo", session })),
    undo_setting_aside: ({ session }) => void done(backend.roam({ cmd: "undo_setting_aside", session })),
    restore_session: ({ session }) => void done(backend.roam({ cmd: "restore", session })),
    restore_sessions: ({ tool }) => void done(backend.roam({ cmd: "restore", session: `tool:${tool}` })),
    resume_session: open,
    export_session: open,
    accept_deletion: release,
    accept_rewrite: release,
    accept_lines: release,
    accept_forget: release,
    read_journal: release,
    forget: open,
    show_code: () => go("devices", ADD),
    pair: () => go("devices", ADD),
    compare_digits: () => go("devices"),
    approve: ({ id }) => void done(backend.roam({ cmd: "approve", id })),
    revoke_device: () => go("devices"),
    cancel_pairing: () => go("devices"),
    new_identity: () => setIdentity(true),
    allow_app: ({ app }) => void done(backend.roam({ cmd: "app_allow", app })),
    deny_app: ({ app }) => void done(backend.roam({ cmd: "app_deny", app })),
    remove_app: ({ app }) => void done(backend.roam({ cmd: "app_remove", app })),
    open_apps: () => go("tools"),
    import_copies: () => to("diagnostics"),
  };
  const shown = remedies.filter((one) => one.do !== "retry" || again);
  if (shown.length === 0) return null;
  return (
    <div class="row-of-buttons">
      {shown.map((one, at) => (
        <button
          key={at}
          type="button"
          class={main && at === 0 ? "button main" : "button plain"}
          aria-disabled={busy ? "true" : undefined}
          aria-label={`${words.remedies[one.do]}: ${about}`}
          onClick={() => !busy && (deeds[one.do] as (remedy: Remedy) => void)(one)}
        >
          {words.remedies[one.do]}
        </button>
      ))}
      {asksIdentity && <IdentityQuestion close={() => setIdentity(false)} />}
      {refusal && <span role="alert">{`${refusal.message} ${refusal.hint}`}</span>}
    </div>
  );
}
