// A few of the races of `npm run races`, on both engines and in a cluster.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { root, runNode } from '../helpers.mjs'

describe('races of sessions', { concurrency: true }, () => {
  for (const [engine, races, kinds] of [
    ['memory', 64, 4],
    ['server', 64, 5],
    ['cluster', 32, 4],
  ]) {
    test(`on ${engine} have no wrong outcome`, async () => {
      const args = ['--races', String(races), '--seed', '3', '--engine', engine]
      const { status, out, err } = await runNode([`${root}/scripts/races.mjs`, ...args], { timeout: 170_000 })
      assert.equal(status, 0, out + err)
      const counts = out.trim().split('\n').map(JSON.parse)
      assert.deepEqual(
        counts.map((each) => each.races),
        Array.from({ length: kinds }, () => races),
      )
    })
  }
})
