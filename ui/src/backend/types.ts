// The requests and answers: those of the engine are made from its types (engine.ts), those that the window's shell
// answers itself are written here.

import type { Done, Request as EngineRequest, Kind, Replies } from "./engine";

export type * from "./engine";

export type RowKind = Kind;

/** What the window's shell reports about itself and this installation. */
export interface About {
  version: string;
  /** The data folder, the log folder and the settings file. */
  home: string;
  logs: string;
  settings: string;
  /** The Syncthing in use. */
  syncthing: string;
  /** `null` if the system has no such switch. */
  autostart: boolean | null;
  global_discovery: boolean;
  local_discovery: boolean;
  relays: boolean;
  /** Nobody has completed the first three steps yet. */
  first_run: boolean;
  /** Why there is no icon in the panel, if so. */
  no_tray: string | null;
  /** The address of the releases; `null` if this build has none. */
  releases: string | null;
}

/** The newest release. */
export interface Newest {
  version: string;
  /** Newer than this one. */
  is_newer: boolean;
}

export type SwitchName = "autostart" | "global_discovery" | "local_discovery" | "relays";

type EngineCommand = keyof Replies;
type Parameters<C extends EngineCommand> = Omit<Extract<EngineRequest, { cmd: C }>, "cmd">;

/** Every request with its answer: those of the engine, then those that the shell answers itself. */
export type Answers = { [C in EngineCommand]: [Parameters<C>, Replies[C]] } & {
  about: [Record<never, never>, About];
  switch: [{ name: SwitchName; on: boolean }, Done];
  first_run_done: [Record<never, never>, Done];
  open_link: [{ url: string }, Done];
  open_path: [{ path: string }, Done];
  /** Opens a file in the session's checkout in the user's text editor; the path as the session has it. */
  open_file: [{ session: string; path: string }, Done];
  /** Asks for the newest release; `null` if this build has no address to ask. */
  ask_newest: [Record<never, never>, Newest | null];
  /** Starts the engine and Syncthing, again if they run. */
  restart: [Record<never, never>, Done];
  choose_directory: [{ title: string }, string | null];
  /** Imports what the user chooses in the system's dialog; `null` if it is closed without a choice. */
  choose_import: [{ title: string; directory: boolean }, Done | null];
  /** Closes the window that asks; the program goes on. */
  close_window: [Record<never, never>, Done];
  /** Starts the session's tool in a terminal, like `roam resume`. */
  start_tool: [{ session: string }, Done];
  /** Starts the engine after it has ended. */
  start_engine: [Record<never, never>, Done];
  /** Makes a copied device one of its own; the engine is stopped for it, and a notice says what came of it. */
  new_identity: [Record<never, never>, Done];
  /** Uses the Syncthing that the user chooses in the system's dialog; `null` if it is closed without a choice. */
  choose_syncthing: [{ title: string }, Done | null];
};

export type Command = keyof Answers;
export type Request<C extends Command = Command> = { [K in C]: { cmd: K } & Answers[K][0] }[C];
export type Answer<C extends Command> = Answers[C][1];
