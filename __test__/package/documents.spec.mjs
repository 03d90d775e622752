import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ApiCache, DistributedLock, RateLimiter, RealtimeDataManager, SessionManager, healthCheck } from 'cinnabar'

import { runModule } from '../helpers.mjs'
import { runDocuments } from '../samples/documents.mjs'
import { engines } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`what the documents show, on ${engine.name}`, () => {
    test('through objects of a service', async () => {
      const service = await engine.makeService()
      await runDocuments({
        redisService: service,
        SessionManager: new SessionManager(service),
        ApiCache: new ApiCache(service),
        RateLimiter: new RateLimiter(service),
        DistributedLock: new DistributedLock(service),
        RealtimeDataManager: new RealtimeDataManager(service),
        publish: (...args) => service.publish(...args),
        subscribe: (...args) => service.subscribe(...args),
        healthCheck: () => healthCheck(service),
      })
    })

    test('through the parts of a service', async () => {
      const service = await engine.makeService()
      await runDocuments({
        redisService: service,
        SessionManager: service.sessions,
        ApiCache: service.cache,
        RateLimiter: service.limiter,
        DistributedLock: service.locks,
        RealtimeDataManager: service.rooms,
        publish: (...args) => service.publish(...args),
        subscribe: (...args) => service.subscribe(...args),
        healthCheck: () => healthCheck(service),
      })
    })

    for (const [what, source] of [
      ['import', `import * as cinnabar from 'cinnabar'`],
      [
        'require',
        `import { createRequire } from 'node:module'; const cinnabar = createRequire(process.cwd() + '/')('cinnabar')`,
      ],
    ]) {
      test(`through the static forms, by ${what}`, async () => {
        const service = await engine.makeService()
        await service.disconnect()
        const run = `${source}
          import { runDocuments } from './__test__/samples/documents.mjs'
          await runDocuments(cinnabar)
          console.log('done')`
        const { status, out, err } = await runModule(run, { env: engine.env() })
        assert.deepEqual([status, out], [0, 'done\n'], err)
      })
    }
  })
}
