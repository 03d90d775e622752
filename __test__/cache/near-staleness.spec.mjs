// A few seconds of `npm run near`, on a server and in a cluster.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { root, runNode } from '../helpers.mjs'

describe('values cached near under faults', { concurrency: true }, () => {
  for (const engine of ['server', 'cluster']) {
    for (const mode of ['push', 'strict']) {
      test(`are never staler than they may be (${mode}, ${engine})`, async () => {
        const args = ['--seconds', '8', '--seed', '7', '--mode', mode, '--engine', engine]
        const { status, out, err } = await runNode([`${root}/scripts/near.mjs`, ...args], { timeout: 120_000 })
        assert.equal(status, 0, `${out}${err}`)
        const { reads, near, writes, stale } = JSON.parse(out)
        assert.equal(stale, 0)
        assert.ok(reads > 500 && near > 0 && writes > 20, out)
      })
    }
  }
})
