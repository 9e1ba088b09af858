/**
 * The Claude Agent SDK's own conformance suite for session stores, as its authors publish it: the file
 * `examples/session-stores/shared/conformance.ts` of their repository, which is not ours to distribute.
 * It is for Bun, and so is this:
 *
 *   SESSION_STORE_CONFORMANCE=/path/to/conformance.ts bun test conformance/agent-sdk.test.ts
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { RoamSessionStore } from '../src/index.ts'
import { Engine } from '../test/engine.ts'

const suite = process.env.SESSION_STORE_CONFORMANCE
if (!suite) throw new Error('SESSION_STORE_CONFORMANCE names no file.')
const { runSessionStoreConformance } = await import(suite)

const engine = new Engine()
const stores: RoamSessionStore[] = []

beforeAll(async () => engine.start())
afterAll(async () => {
  for (const store of stores) store.close()
  await engine.end()
})

describe("the SDK's conformance suite", () => {
  // An app of its own for each case: none sees what another one kept.
  runSessionStoreConformance(async () => {
    const app = `case-${stores.length}`
    const store = new RoamSessionStore({ app, home: engine.home })
    stores.push(store)
    await store.listSessions('any').catch(() => engine.roam('apps', 'allow', app))
    return store
  })

  test('has its cases', () => expect(stores.length).toBe(13))
})
