// A short run of `npm run fuzz`: no caller gets another's reply, whatever others send.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { startCluster } from '../support/cluster.mjs'
import { startRedis } from '../support/engines.mjs'
import { fuzz } from '../support/raw-fuzz.mjs'

const server = await startRedis()
const cluster = await startCluster({ primaries: 3 })
after(() => Promise.all([server.stop(), cluster.close()]))

describe('random raw commands from many callers', () => {
  for (const [name, { url }] of Object.entries({ server, cluster })) {
    test(`each gets its own reply from a ${name}`, async () => {
      for (const poolSize of [1, 10]) {
        const service = new RedisService({ url, poolSize, log: false })
        const report = await fuzz(service.getClient(), { calls: 10_000, seed: poolSize })
        assert.equal(report.wrong, 0, report.example)
        assert.ok(report.settled > 6000 && report.refused.E_UNSUPPORTED > 500, JSON.stringify(report))
        await service.disconnect()
      }
    })
  }
})
