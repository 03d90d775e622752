import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { rawClient, refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { openWire } from '../support/wire.mjs'

const redis = engines.find((engine) => engine.kind === 'redis')

const BUSY_FOR_A_SECOND = `
  -- Within a script, the time of Valkey stands still; Redis 6.2 has no os.
  local os = rawget(_G, 'os')
  local function seconds()
    if os then return os.clock() end
    local now = redis.call('TIME')
    return now[1] + now[2] / 1000000
  end
  local from = seconds()
  repeat until seconds() - from > 1
  return 1`

/**
 * Keeps the server busy for a second, then cuts every other connection: what came meanwhile is lost unread. Returns a function
 * that resolves to the number of connections cut.
 */
async function cutWhileBusy(port) {
  const words = [
    ['EVAL', BUSY_FOR_A_SECOND, '0'],
    ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'],
  ]
  const wire = await openWire({ port, timeoutMs: Infinity })
  const replies = Promise.all(wire.together(words))
  // The server must have begun before the calls under test are sent; it then works for a second.
  await sleep(30)
  return async () => {
    const [, killed] = await replies
    wire.close()
    return killed
  }
}

describe('a connection that is lost with calls in flight', () => {
  test('sends reads again, and rejects writes with E_MAYBE_APPLIED', async () => {
    const service = await redis.makeService()
    await service.set('key', 'value')
    await service.set('count', '0')
    const client = await rawClient(service)
    const cut = await cutWhileBusy(redis.server.port)
    const [read, write] = [service.get('key'), client.incr('count')]
    write.catch(() => {})
    assert.ok((await cut()) >= 1)
    assert.equal(await read, 'value')
    const error = await refuses(write, 'E_MAYBE_APPLIED')
    assert.equal(error.retryable, false)
    assert.equal(await service.get('count'), '0', 'it was not sent again')
    await service.disconnect()
  })

  test('rejects reads too when no attempts are left', async () => {
    const service = await redis.makeService({ retryAttempts: 0 })
    await service.set('key', 'value')
    const cut = await cutWhileBusy(redis.server.port)
    const read = service.get('key')
    read.catch(() => {})
    await cut()
    await refuses(read, 'E_UNAVAILABLE')
    assert.equal(await service.get('key'), 'value', 'the next connection works')
    await service.disconnect()
  })
})
