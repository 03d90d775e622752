// `{ signal, timeoutMs }` among the options of what opens a subscription limit its opening, and nothing of it stays open.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const OPENS = {
  'subscribe with a handler': (s, options) => s.subscribe('channel', () => {}, options),
  'subscribe without one': (s, options) => s.subscribe('channel', options),
  'listen with a handler': (s, options) => s.rooms.listen('room', () => {}, options),
  'listen without one': (s, options) => s.rooms.listen('room', options),
  'watch with a handler': (s, options) => s.rooms.watch('room', () => {}, options),
  'watch without one': (s, options) => s.rooms.watch('room', options),
}

for (const engine of engines) {
  describe(`the limits of one opening on ${engine.name}`, () => {
    for (const [name, open] of Object.entries(OPENS)) {
      test(name, async () => {
        const service = await engine.makeService()
        const reason = new Error('enough')
        const before = await refuses(open(service, { signal: AbortSignal.abort(reason) }), 'E_ABORTED')
        assert.equal(before.cause, reason)
        const controller = new AbortController()
        const during = open(service, { signal: controller.signal })
        controller.abort(reason)
        assert.equal((await refuses(during, 'E_ABORTED')).cause, reason)
        const later = new AbortController()
        const opened = await open(service, { signal: later.signal, timeoutMs: 5000 })
        later.abort()
        await opened.close()
        await refuses(open(service, { timeoutMs: 0 }), 'E_INVALID_ARGUMENT', /timeoutMs must be/)
        await refuses(open(service, { signal: 1 }), 'E_INVALID_ARGUMENT', /signal must be an AbortSignal/)
        if (engine.kind === 'redis') {
          engine.server.pause()
          try {
            const late = await open(service, { timeoutMs: 100 }).then(assert.fail, (error) => error)
            assert.ok(['E_TIMEOUT', 'E_NOT_SENT', 'E_UNAVAILABLE'].includes(late.code), late.code)
          } finally {
            engine.server.resume()
          }
        }
        await service.disconnect()
      })
    }
  })
}
