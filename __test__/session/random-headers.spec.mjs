// A short run of `npm run fuzz headers`: whatever a stranger sends, no middleware and no store fails, and nothing of it is logged.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { startRedis } from '../support/engines.mjs'
import { fuzzHeaders } from '../support/headers/fuzz.mjs'

test('random headers are at worst no session', async () => {
  const server = await startRedis()
  const { report, failures, leaks, lines } = await fuzzHeaders(server.url, { count: 300, seed: 5 })
  assert.deepEqual({ failures, leaks }, { failures: [], leaks: [] })
  assert.ok(lines >= 300, 'Fastify logs each request')
  for (const [name, { sent, users, anonymous }] of Object.entries(report)) {
    assert.ok(sent >= 300 && anonymous > 200 && (users > 0 || name === 'express-session'), JSON.stringify(report))
  }
  await server.stop()
})
