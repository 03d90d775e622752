// The cache handlers beside those that Next.js itself ships: the same random steps, and what each read returned.

import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { before, it } from 'node:test'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { root } from '../../scripts/run.mjs'
import { runNode } from '../helpers.mjs'
import { installPackage } from '../runtimes/installed.mjs'
import { startRedis } from '../support/redis.mjs'

const program = fileURLToPath(new URL('cache/steps.mjs', import.meta.url))
const packages15 = fileURLToPath(new URL('.', import.meta.url))
const packages16 = join(root, 'examples/next')
const STEPS = 1500

let redis
before(async () => {
  redis = await startRedis()
  const installed = await installPackage()
  for (const packages of [packages15, packages16]) {
    cpSync(join(installed, 'node_modules'), join(packages, 'node_modules'), { recursive: true })
  }
})

for (const [version, packages] of [
  ['Next.js 15', packages15],
  ['Next.js 16', packages16],
]) {
  it(`reads of pages, fetches and 'use cache' return what those of ${version} return`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    await redis.command('FLUSHALL')
    const [own, ours] = [await take(packages, 'own', seed), await take(packages, 'ours', seed)]
    const counts = {}
    for (const [at, step] of own.entries()) {
      if (step.invalidated) continue
      const { state, value } = ours[at]
      counts[state] = (counts[state] ?? 0) + 1
      if (state === step.state && value === step.value) continue
      const message = `seed ${seed}: ${JSON.stringify(step)} but ${JSON.stringify(ours[at])}`
      // When a tag becomes stale, Next.js forgets that it had expired, and serves again what was no longer valid.
      assert.deepEqual([step.state, state], ['stale', 'miss'], message)
      assert.ok(hadExpired(own.slice(0, at), step), message)
    }
    assert.ok(counts.fresh > STEPS / 10 && counts.miss > STEPS / 10, JSON.stringify(counts))
    assert.ok(packages === packages15 || counts.stale > STEPS / 50, JSON.stringify(counts))
  })
}

/** Whether a tag of the value that a step has read was invalidated at once after that value was stored. */
function hadExpired(before, { kind, key }) {
  const stored = before.findLastIndex((step) => step.stored && step.kind === kind && step.key === key)
  return before
    .slice(stored + 1)
    .some(
      ({ invalidated, durations }) =>
        invalidated && !(durations && durations.expire !== 0) && before[stored].stored.includes(invalidated[0]),
    )
}

async function take(packages, which, seed) {
  const args = [program, packages, which, seed, STEPS].map(String)
  const { status, out, err } = await runNode(args, { env: { REDIS_URL: redis.url } })
  assert.equal(status, 0, err)
  return JSON.parse(out)
}
