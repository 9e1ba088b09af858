import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { RoamError, RoamSessionStore, type SessionKey, type SessionStoreEntry } from '../src/index.js'
import { Engine } from './engine.js'

const engine = new Engine()
let store: RoamSessionStore
let n = 0

/** A session that no other test uses. */
const fresh = (): SessionKey => ({ projectKey: `-home-zoë-project ${n++}`, sessionId: '5f0c2f6e-0000-4000-8000-000000000001' })
const entry = (type: string, more: Record<string, unknown> = {}): SessionStoreEntry => ({ type, ...more })

async function refusal(act: Promise<unknown>): Promise<RoamError> {
  const error = await act.then(
    () => assert.fail('it was not refused'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof RoamError, String(error))
  return error
}

before(async () => {
  await engine.start()
  store = new RoamSessionStore({ app: 'typescript', home: engine.home })
  const error = await refusal(store.load(fresh()))
  assert.equal(error.code, 'app_not_allowed')
  assert.match(error.message, /roam apps allow typescript/)
  engine.roam('apps', 'allow', 'typescript')
})

after(async () => {
  store.close()
  await engine.end()
})

test('entries come back as they were, in their order', async () => {
  const key = fresh()
  const entries = [entry('user', { text: 'a\n"b" \u2028 🦊', deep: { list: [1, null, 1e21, 0.1] } }), entry('x')]
  assert.equal(await store.load(key), null)
  await store.append(key, [])
  assert.equal(await store.load(key), null)
  await store.append(key, entries)
  await Promise.all([store.append(key, [entry('b')]), store.append(key, [entry('c'), entry('d')])])
  assert.deepEqual(await store.load(key), [...entries, entry('b'), entry('c'), entry('d')])
})

test('an entry with a known uuid is taken once', async () => {
  const key = fresh()
  const one = entry('user', { uuid: '1', text: 'first' })
  await store.append(key, [one])
  await store.append(key, [one, entry('user', { uuid: '1', text: 'again' }), entry('title'), entry('title')])
  assert.deepEqual(await store.load(key), [one, entry('title'), entry('title')])
})

test('a session of many megabytes is written and read in pieces', async () => {
  const key = fresh()
  const entries = Array.from({ length: 2500 }, (_, n) => entry('user', { uuid: `${n}`, text: 'ü'.repeat(4000) }))
  entries.push(entry('image', { data: 'A'.repeat(7 * 1024 * 1024) }))
  await store.append(key, entries)
  assert.deepEqual(await store.load(key), entries)
})

test('projects and parts are apart, and a deletion takes the parts with it', async () => {
  const key = fresh()
  const other = { ...key, projectKey: key.projectKey.toUpperCase() }
  const part = (name: string) => ({ ...key, subpath: `subagents/${name}` })
  await store.append(part('a'), [entry('a')])
  assert.deepEqual(await store.listSessions(key.projectKey), [])
  await store.append(key, [entry('main')])
  await store.append(part('b'), [entry('b')])
  await store.append(other, [entry('other')])
  assert.deepEqual(await store.load(part('a')), [entry('a')])
  assert.deepEqual((await store.listSubkeys(key)).sort(), ['subagents/a', 'subagents/b'])
  const [listed] = await store.listSessions(key.projectKey)
  assert.equal(listed?.sessionId, key.sessionId)
  assert.ok(Number.isInteger(listed?.mtime) && (listed?.mtime ?? 0) > 1e12)
  await store.delete(part('a'))
  assert.deepEqual(await store.listSubkeys(key), ['subagents/b'])
  await store.delete(key)
  await store.delete(fresh())
  assert.equal(await store.load(key), null)
  assert.equal(await store.load(part('b')), null)
  assert.deepEqual(await store.listSubkeys(key), [])
  assert.deepEqual(await store.listSessions(key.projectKey), [])
  assert.deepEqual(await store.load(other), [entry('other')])
})

test('another app sees nothing of it, and neither does one that only uses its name', async () => {
  const key = fresh()
  await store.append(key, [entry('mine')])
  const impostor = new RoamSessionStore({ app: 'typescript', home: engine.home, token: '0123456789abcdef'.repeat(4) })
  assert.equal((await refusal(impostor.load(key))).code, 'app_not_allowed')
  const other = new RoamSessionStore({ app: 'other', home: engine.home })
  assert.equal((await refusal(other.load(key))).code, 'app_not_allowed')
  assert.match(engine.roam('apps'), /other +asks/)
  engine.roam('apps', 'allow', 'other')
  assert.equal(await other.load(key), null)
  assert.deepEqual(await other.listSessions(key.projectKey), [])
  engine.roam('apps', 'remove', 'other')
  engine.roam('apps', 'deny', 'other')
  assert.equal((await refusal(other.load(key))).code, 'app_denied')
  other.close()
  impostor.close()
  assert.deepEqual(await store.load(key), [entry('mine')])
})

test('names that could lead elsewhere are refused', async () => {
  for (const subpath of ['../x', '/etc/passwd', 'a//b', '.', 'a\\b']) {
    assert.equal((await refusal(store.append({ ...fresh(), subpath }, [entry('x')]))).code, 'bad_name', subpath)
  }
  assert.equal((await refusal(store.load({ projectKey: '', sessionId: 's' }))).code, 'bad_name')
  const odd = { projectKey: '../../..', sessionId: 'con' }
  await store.append(odd, [entry('x')])
  assert.deepEqual(await store.load(odd), [entry('x')])
  assert.throws(() => new RoamSessionStore({ app: '../x', home: engine.home }), TypeError)
})

test('after a batch that is refused, nothing more of its call is kept, and the next call is', async () => {
  const key = fresh()
  const large = entry('large', { text: 'x'.repeat(9 * 1024 * 1024) })
  const calls = [
    store.append(key, [entry('a')]),
    store.append(key, [entry('b'), large, entry('c')]).then(
      () => assert.fail('it was not refused'),
      (error: unknown) => assert.ok(error instanceof RoamError),
    ),
    store.append(key, [entry('d')]),
  ]
  await Promise.all(calls)
  const kept = ((await store.load(key)) ?? []).map(one => one.type)
  assert.ok(!kept.includes('c'), String(kept))
  assert.deepEqual(kept.filter(type => type !== 'b'), ['a', 'd'])
})

test('a token that a crash left empty is made anew', () => {
  const file = join(engine.home, 'app-tokens', 'crashed')
  writeFileSync(file, '')
  new RoamSessionStore({ app: 'crashed', home: engine.home }).close()
  const made = readFileSync(file, 'utf8')
  assert.match(made, /^[0-9a-f]{64}$/)
  new RoamSessionStore({ app: 'crashed', home: engine.home }).close()
  assert.equal(readFileSync(file, 'utf8'), made)
})

test('the token is for this user alone', { skip: process.platform === 'win32' }, () => {
  const file = join(engine.home, 'app-tokens', 'typescript')
  assert.match(readFileSync(file, 'utf8'), /^[0-9a-f]{64}$/)
  assert.equal(statSync(file).mode & 0o777, 0o600)
})

test('what was answered is there after the engine was killed, and each entry once', async () => {
  const key = fresh()
  const batch = (n: number) => [1, 2, 3].map(at => entry('user', { uuid: `${n}-${at}`, text: 'x'.repeat(2000) }))
  let answered = 0
  const appending = (async () => {
    for (;;) {
      await store.append(key, batch(answered))
      answered++
    }
  })().catch((error: unknown) => error)
  while (answered < 20) await new Promise(resolve => setImmediate(resolve))
  await engine.kill()
  assert.ok((await appending) instanceof RoamError)
  await engine.start()
  const there = (await store.load(key)) ?? []
  assert.equal(there.length % 3, 0, 'a batch is there whole or not at all')
  assert.ok(there.length >= answered * 3)
  await store.append(key, batch(answered))
  const all = Array.from({ length: answered + 1 }, (_, n) => batch(n)).flat()
  assert.deepEqual(await store.load(key), all)
})
