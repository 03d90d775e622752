// A short run of `npm run fuzz:lua`: the embedded engine's Lua replies as a server's does, and no other call waits.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { engines } from '../support/engines.mjs'
import { fuzz, wrongs } from '../support/lua-fuzz.mjs'

const { server } = engines.find(({ kind }) => kind === 'redis')

test('random Lua programs return the same on both engines, and no deadline of other calls is missed', async () => {
  for (const seed of [1, 2]) {
    const result = await fuzz(server, { count: 40_000, seed })
    assert.deepEqual(wrongs(result), [], JSON.stringify({ seed, ...result }))
    assert.ok(result.steps >= 40_000 && result.errors > 0 && result.neighbours.calls > 100, JSON.stringify(result))
  }
})
