import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { rawClient, refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const redis = engines.find((engine) => engine.kind === 'redis')

/** Keeps the server busy for a while, then cuts every other connection: what came meanwhile is lost unread. */
async function cutWhileBusy(port) {
  const words = [
    ['EVAL', 'for i = 1, 3e7 do end return 1', '0'],
    ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'],
  ]
  const wire = words.map(
    (line) => `*${line.length}\r\n${line.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`,
  )
  const socket = connect(port, '127.0.0.1')
  const killed = new Promise((resolve, reject) => {
    let text = ''
    socket.on('error', reject)
    socket.on('data', (data) => {
      text += data
      if (text.split('\r\n').length > 2) resolve(text)
    })
  })
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(wire.join(''))
  // The server must have begun before the calls under test are sent; it then works for hundreds of milliseconds.
  await sleep(30)
  return async () => {
    const text = await killed
    socket.destroy()
    return text
  }
}

describe('a connection that is lost with calls on their way', () => {
  test('reads are sent again, writes are not, and say so', async () => {
    const service = await redis.makeService()
    await service.set('key', 'value')
    await service.set('count', '0')
    const client = await rawClient(service)
    const cut = await cutWhileBusy(redis.server.port)
    const [read, write] = [service.get('key'), client.incr('count')]
    write.catch(() => {})
    assert.match(await cut(), /:1\r\n:[1-9]/)
    assert.equal(await read, 'value')
    const error = await refuses(write, 'E_MAYBE_APPLIED')
    assert.equal(error.retryable, false)
    assert.equal(await service.get('count'), '0', 'nobody sent it a second time')
    await service.disconnect()
  })

  test('with no attempts left reads fail too', async () => {
    const service = await redis.makeService({ retryAttempts: 0 })
    await service.set('key', 'value')
    const cut = await cutWhileBusy(redis.server.port)
    const read = service.get('key')
    read.catch(() => {})
    await cut()
    await refuses(read, 'E_UNAVAILABLE')
    assert.equal(await service.get('key'), 'value', 'the next connection answers')
    await service.disconnect()
  })
})
