// Contenders for locks in several processes, under faults: a short part of `npm run locks`.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { root, runNode } from '../helpers.mjs'

test('one holds a lock at a time, and no write with an old token passes', { timeout: 180_000 }, async () => {
  const args = ['--acquisitions', '1500', '--failovers', '1', '--handovers', '2000', '--seed', '7']
  const { status, out, err } = await runNode([join(root, 'scripts/locks.mjs'), ...args], { timeout: 170_000 })
  assert.equal(status, 0, out + err)
})
