// A server, or a proxy before it, that serves a call and hangs up, again and again: what the log says of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { RedisService } from 'cinnabar'

import { until } from '../helpers.mjs'
import { fakeServer } from '../support/fake-server.mjs'

test('connections that end again and again are reported once, and so is that they last', async (t) => {
  let hangsUp = true
  const server = await fakeServer((words, socket) => {
    if (words[0] !== 'GET') return undefined
    if (hangsUp) setImmediate(() => socket.destroy())
    return '$-1\r\n'
  })
  const events = []
  const log = ({ type, message }) => events.push([type, message])
  const service = new RedisService({ url: server.url, breaker: false, log })
  t.after(async () => {
    await service.disconnect({ drainMs: 0 })
    await server.close()
  })
  const call = () => service.get('key').catch(() => {})
  const connect = async (what, enough) => {
    for (let n = 0; !enough(); n++) {
      assert.ok(n < 5000, `${what}: ${server.connections} connections, ${events.map(([type]) => type).join(' ')}`)
      await call()
      await delay(2)
    }
  }
  await connect('reported', () => events.some(([, message]) => /ends its connections again and again/.test(message)))
  assert.equal(events.at(-1)[0], 'lost')
  assert.ok(events.length <= 10, `${events.length} events: ${events.map(([type]) => type).join(' ')}`)
  const connections = server.connections + 10
  const reported = events.length
  await connect('quiet', () => server.connections >= connections)
  assert.equal(events.length, reported)
  hangsUp = false
  await until('it is reported that they last', async () => (await call(), events.length > reported), 15)
  assert.equal(events[reported][0], 'connected')
  // From then on, each is reported.
  server.sockets.forEach((socket) => socket.destroy())
  await until('the next one is reported', () => events.length > reported + 1)
  assert.equal(events[reported + 1][0], 'lost')
})
