import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { runScenario, scenarios } from '../tests/faults/suite.mjs'

// `npm run faults` runs all of them, with chance; here it is the same every time.
const seed = 1

describe('faults', async () => {
  for (const one of await scenarios({ short: true })) {
    test(`${one.number} ${one.name}`, { timeout: one.limitMs + 10_000 }, async () => {
      const row = await runScenario(one, { seed, short: true })
      assert.ok(row.ok, `${row.verdict}\n${row.reasons.join('\n')}\n${row.notes.join('\n')}\n${row.said}`)
    })
  }
})
