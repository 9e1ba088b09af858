/** One connection to the engine: a line of JSON for each request, and a line for each answer, in order. */
import { lstatSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'

/** A request that failed. `code` is stable; `hint` says what to do next. */
export class RoamError extends Error {
  readonly code: string
  readonly hint: string

  constructor(code: string, message: string, hint = '') {
    super(hint ? `${message} ${hint}` : message)
    this.name = 'RoamError'
    this.code = code
    this.hint = hint
  }
}

type Waiting = { resolve(value: unknown): void; reject(error: Error): void }
type Answer = { ok?: unknown; err?: { code: string; message: string; hint?: string } }

export class Connection {
  readonly #home: string
  #socket: Socket | undefined
  #waiting: Waiting[] = []
  #received: Buffer[] = []

  constructor(home: string) {
    this.#home = home
  }

  ask(request: Record<string, unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      try {
        const socket = this.#open()
        this.#waiting.push({ resolve, reject })
        socket.ref()
        socket.write(`${JSON.stringify(request)}\n`)
      } catch (error) {
        reject(notRunning(error))
      }
    })
  }

  close(): void {
    this.#socket?.destroy()
    this.#ended(undefined, new RoamError('closed', 'The connection was closed.'))
  }

  #open(): Socket {
    if (this.#socket) return this.#socket
    const socket = connect(address(this.#home))
    this.#socket = socket
    this.#received = []
    socket.on('data', bytes => this.#take(bytes))
    socket.on('error', error => this.#ended(socket, notRunning(error)))
    socket.on('close', () => this.#ended(socket, new RoamError('engine_gone', 'The engine ended before it answered.')))
    return socket
  }

  /** Collects the pieces of a line: an answer may have megabytes. */
  #take(bytes: Buffer): void {
    let rest = bytes
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = Buffer.concat([...this.#received, rest.subarray(0, end)])
      this.#received = []
      rest = rest.subarray(end + 1)
      this.#answered(line.toString('utf8'))
    }
    if (rest.length > 0) this.#received.push(rest)
  }

  #answered(line: string): void {
    const waiting = this.#waiting.shift()
    // An app that waits for nothing may end.
    if (this.#waiting.length === 0) this.#socket?.unref()
    if (!waiting) return
    try {
      const answer = JSON.parse(line) as Answer
      if (answer.err) {
        const { code, message, hint } = answer.err
        waiting.reject(new RoamError(code, message, hint))
      } else {
        waiting.resolve(answer.ok)
      }
    } catch {
      waiting.reject(new RoamError('bad_answer', 'The engine answered with something else than JSON.'))
    }
  }

  /** Rejects the requests that wait for an answer; the next request connects again. */
  #ended(socket: Socket | undefined, error: Error): void {
    if (socket && socket !== this.#socket) return
    this.#socket = undefined
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(error)
  }
}

/** `roam.sock` is the socket, or a link to it if its path is too long for one. On Windows it names the engine's pipe. */
function address(home: string): string {
  const entry = join(home, 'roam.sock')
  if (process.platform === 'win32') return readFileSync(entry, 'utf8').trim()
  return lstatSync(entry).isSymbolicLink() ? readlinkSync(entry) : entry
}

function notRunning(error: unknown): RoamError {
  const why = error instanceof Error ? error.message : String(error)
  const hint = 'Start it with `roam run`, or open the tray app.'
  return new RoamError('engine_not_running', `session-roam does not answer: ${why}.`, hint)
}
