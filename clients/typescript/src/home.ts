/** Where session-roam's directory is, and the token of an app in it. */
import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** session-roam's directory, as `roam` finds it: `SESSION_ROAM_HOME`, else the system's place for data. */
export function home(): string {
  const { SESSION_ROAM_HOME, XDG_DATA_HOME, LOCALAPPDATA } = process.env
  if (SESSION_ROAM_HOME) return SESSION_ROAM_HOME
  if (process.platform === 'win32') return join(LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'session-roam')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'session-roam')
  const data = XDG_DATA_HOME && isAbsolute(XDG_DATA_HOME) ? XDG_DATA_HOME : join(homedir(), '.local', 'share')
  return join(data, 'session-roam')
}

/** The token of this app, made at its first start, for this user alone. */
export function ownToken(dir: string, app: string): string {
  if (!/^[a-z][a-z0-9-]*$/.test(app)) throw new TypeError('An app is named with lower-case letters, digits and dashes.')
  const tokens = join(dir, 'app-tokens')
  mkdirSync(tokens, { recursive: true, mode: 0o700 })
  const file = join(tokens, app)
  return readToken(file) ?? makeToken(file)
}

/** `undefined` for a file that is not there, or that a crash left without a token. */
function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim() || undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The file appears with its token in it, so that another process of the app finds all of it or nothing. */
function makeToken(file: string): string {
  const whole = `${file}.${randomBytes(8).toString('hex')}.new`
  const token = randomBytes(32).toString('hex')
  writeFileSync(whole, token, { flag: 'wx', mode: 0o600 })
  try {
    try {
      linkSync(whole, file)
    } catch (error) {
      const made = readToken(file)
      if (made) return made
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        // A file system without links.
        writeFileSync(file, token, { flag: 'wx', mode: 0o600 })
        return token
      }
      rmSync(file)
      linkSync(whole, file)
    }
    return token
  } finally {
    rmSync(whole, { force: true })
  }
}
