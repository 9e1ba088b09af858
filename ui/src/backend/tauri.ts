// The real backend: the shell's one command and its three events. The only file that knows Tauri.
import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import { words } from "../words";
import { asRefusal, type Backend, type Drag, type Notice } from "./backend";
import type { Answer, Command, Request, Status } from "./types";

export const tauri: Backend = {
  async roam<C extends Command>(request: Request<C>): Promise<Answer<C>> {
    try {
      return await invoke<Answer<C>>("roam", { request });
    } catch (thrown) {
      throw asRefusal(thrown, words.failed.unknown);
    }
  },
  onStatus: (hear) => hearing<Status>("status", hear),
  onNotice: (hear) => hearing<Notice>("notice", hear),
  onDrag: (hear) => hearing<Drag>("drag", hear),
};

function hearing<T>(event: string, hear: (payload: T) => void): () => void {
  const listening = listen<T>(event, ({ payload }) => hear(payload));
  return () => void listening.then((stop) => stop());
}
