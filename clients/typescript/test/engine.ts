/** A real engine on a home of its own, for tests: `ROAM` names the program, else the workspace's. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const ROAM = process.env.ROAM ?? fileURLToPath(new URL('../../../../target/debug/roam', import.meta.url))

export class Engine {
  readonly root = mkdtempSync(join(tmpdir(), 'roam-client-'))
  readonly home = join(this.root, 'roam')
  #child: ChildProcess | undefined

  async start(): Promise<void> {
    // Its Syncthing stays on this machine and looks for nobody.
    mkdirSync(this.home, { recursive: true })
    const network = '[network]\nlocal_discovery = false\nlisten = ["tcp://127.0.0.1:0"]\n'
    writeFileSync(join(this.home, 'config.toml'), network)
    this.#child = spawn(ROAM, ['run'], { env: this.#env(), stdio: 'ignore' })
    for (let tries = 0; ; tries++) {
      try {
        this.roam('status')
        const status = JSON.parse(this.roam('status', '--json')) as { engine: string }
        if (status.engine !== 'stopped') return
      } catch (error) {
        if (tries > 600) throw error
      }
      await setTimeout(50)
    }
  }

  /** Ends the engine without a warning. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async end(): Promise<void> {
    const child = this.#child
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 })
  }

  roam(...words: string[]): string {
    return execFileSync(ROAM, words, { env: this.#env(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }

  #env(): NodeJS.ProcessEnv {
    const { PATH } = process.env
    return { PATH, HOME: this.root, TMPDIR: this.root, LANG: 'C.UTF-8', SESSION_ROAM_HOME: this.home }
  }
}
