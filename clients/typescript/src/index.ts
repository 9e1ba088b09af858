/**
 * Keeps an app's sessions in session-roam. `RoamSessionStore` has the shape of the Claude Agent SDK's
 * `SessionStore`, and is of use to any other app as well. The protocol is in docs/api.md.
 */
import { Connection, RoamError } from './connection.js'
import { home, ownToken } from './home.js'

export { RoamError } from './connection.js'
export { home } from './home.js'

/** A session, or with `subpath` a part of it, such as the transcript of a subagent. */
export type SessionKey = { projectKey: string; sessionId: string; subpath?: string }

/** A JSON object. Of two with the same `uuid` in one session, the first is kept. */
export type SessionStoreEntry = { type: string; uuid?: string; timestamp?: string; [field: string]: unknown }

export type RoamOptions = {
  /** The app's name: lower-case letters, digits and dashes. The user allows it with `roam apps allow NAME`. */
  app: string
  /** session-roam's directory; found as `roam` finds it if not given. */
  home?: string
  /** The app's token, 64 random hexadecimal digits. Without it, one is made and kept in session-roam's directory. */
  token?: string
}

/** The text of one request: more entries go in several. */
const BATCH_CHARACTERS = 2 * 1024 * 1024
const BATCH_ENTRIES = 1000
/** How often a session that is written anew while it is read is read again. */
const LOADS = 5

type Page = { entries?: string[] | null; next?: string | null }

export class RoamSessionStore {
  readonly #connection: Connection
  readonly #app: string
  readonly #token: string
  /** Ends with the last append so far. */
  #appended: Promise<unknown> = Promise.resolve()

  constructor(options: RoamOptions) {
    const dir = options.home ?? home()
    this.#app = options.app
    this.#token = options.token ?? ownToken(dir, options.app)
    this.#connection = new Connection(dir)
  }

  /**
   * Adds entries, after those of earlier calls. They are on the disk when this resolves; until then they may be sent
   * again. If it fails, the first of them may be there, without a gap.
   */
  append(key: SessionKey, entries: SessionStoreEntry[]): Promise<void> {
    const turn = this.#appended.then(() => this.#appendNow(key, entries))
    this.#appended = turn.catch(() => {}) // The caller hears of it; the next append is another matter.
    return turn
  }

  /** All entries of a session in their order; `null` if it has none. */
  async load(key: SessionKey): Promise<SessionStoreEntry[] | null> {
    for (let again = 1; ; again++) {
      try {
        return await this.#loadOnce(key)
      } catch (error) {
        if (!(error instanceof RoamError && error.code === 'stale_page' && again < LOADS)) throw error
      }
    }
  }

  async listSessions(projectKey: string): Promise<Array<{ sessionId: string; mtime: number }>> {
    const rows = (await this.#ask('app_list', { project: projectKey })) as Array<{ session: string; mtime: number }>
    return rows.map(({ session, mtime }) => ({ sessionId: session, mtime }))
  }

  /** Deletes a session with its parts, or one part, from this device. Other devices keep what they have. */
  async delete(key: SessionKey): Promise<void> {
    await this.#ask('app_delete', place(key))
  }

  async listSubkeys(key: { projectKey: string; sessionId: string }): Promise<string[]> {
    const { project, session } = place(key)
    return (await this.#ask('app_subkeys', { project, session })) as string[]
  }

  /** Ends the connection, which keeps no program alive while nothing is asked. */
  close(): void {
    this.#connection.close()
  }

  /** One request after the other: after one that is refused, none may be kept. */
  async #appendNow(key: SessionKey, entries: SessionStoreEntry[]): Promise<void> {
    for (const batch of batches(entries)) await this.#ask('app_append', { ...place(key), entries: batch })
  }

  async #loadOnce(key: SessionKey): Promise<SessionStoreEntry[] | null> {
    const found: SessionStoreEntry[] = []
    let from: string | null | undefined
    do {
      const page = (await this.#ask('app_load', { ...place(key), from: from ?? undefined })) as Page
      if (!page.entries) return null
      for (const text of page.entries) found.push(JSON.parse(text) as SessionStoreEntry)
      from = page.next
    } while (from)
    return found
  }

  #ask(cmd: string, fields: Record<string, unknown>): Promise<unknown> {
    return this.#connection.ask({ cmd, app: this.#app, token: this.#token, ...fields })
  }
}

function place({ projectKey, sessionId, subpath }: SessionKey) {
  return { project: projectKey, session: sessionId, subpath }
}

function batches(entries: SessionStoreEntry[]): string[][] {
  const found: string[][] = []
  let characters = 0
  for (const entry of entries) {
    const text = JSON.stringify(entry)
    const last = found.at(-1)
    if (last && last.length < BATCH_ENTRIES && characters + text.length <= BATCH_CHARACTERS) {
      last.push(text)
      characters += text.length
    } else {
      found.push([text])
      characters = text.length
    }
  }
  return found
}
