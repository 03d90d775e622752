// Replies that come while another connection is being opened, because the first one seemed to be dead.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { RedisService } from 'cinnabar'

import { deferred, rawClient, until } from '../helpers.mjs'
import { fakeServer } from '../support/fake-server.mjs'

test('a connection on which the server responds again is not closed, although another one was opened', async () => {
  let slow
  // What the first connection is owed, in order: once something is, all that comes later is too.
  const owed = []
  const dialled = deferred()
  let isUsed = false
  let counter = 0
  const server = await fakeServer(([name, argument], socket, connection) => {
    const reply = { INCR: () => `:${++counter}\r\n`, GET: () => '$-1\r\n' }[name]?.()
    if (connection === 2) {
      if (name === 'GET') isUsed = true
      if (reply !== undefined || slow === undefined) return reply
      // It was busy: a reply of the first connection comes before those of the second one.
      slow.write(owed.shift())
      slow = undefined
      dialled.resolve()
      return undefined
    }
    // A PING with an argument checks the connection.
    const own = reply ?? (argument === undefined ? undefined : `$${argument.length}\r\n${argument}\r\n`)
    if (own === undefined || (name !== 'INCR' && owed.length === 0)) return own
    slow ??= name === 'INCR' ? socket : undefined
    owed.push(own)
    return ''
  })
  const service = new RedisService({ url: server.url, timeoutMs: 4000, log: false })
  try {
    const client = await rawClient(service)
    const [first] = server.sockets
    // Not of one turn, whose replies may come to callers together.
    const one = client.incr('a')
    await until('it is sent', () => owed.length === 1)
    const two = client.incr('b')
    await dialled.promise
    assert.equal(await one, 1)
    // Once the second connection is used, it has been added.
    const others = []
    await until('the second connection is used', () => {
      others.push(client.get(`key${others.length}`))
      return isUsed
    })
    first.write(owed.splice(0).join(''))
    assert.equal(await two, 2)
    assert.deepEqual(new Set(await Promise.all(others)), new Set([null]))
    assert.equal(server.sockets.size, 2)
  } finally {
    await service.disconnect()
    await server.close()
  }
})
