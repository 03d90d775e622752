// Replies that come while another connection is being opened, because the first one seemed to be dead.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { RedisService } from 'cinnabar'

import { rawClient } from '../helpers.mjs'
import { fakeServer } from '../support/fake-server.mjs'

test('a connection on which the server responds again is not closed, although another one was opened', async () => {
  let slow
  // What the first connection is owed, in order.
  const owed = []
  const server = await fakeServer(([name, argument], socket, connection) => {
    if (name === 'INCR') {
      slow = socket
      owed.push(`:${owed.length + 1}\r\n`)
      return ''
    }
    if (connection === 1 && argument !== undefined) {
      // A PING that checks the connection.
      const echo = `$${argument.length}\r\n${argument}\r\n`
      if (owed.length === 0) return echo
      owed.push(echo)
      return ''
    }
    if (connection === 2 && owed.length === 2) {
      // It was busy: a reply of the first connection comes before those of the second one.
      slow.write(owed.shift())
      setTimeout(() => slow.write(owed.splice(0).join('')), 500)
    }
    return undefined
  })
  const service = new RedisService({ url: server.url, timeoutMs: 4000, log: false })
  try {
    const client = await rawClient(service)
    assert.deepEqual(await Promise.all([client.incr('a'), client.incr('b')]), [1, 2])
    assert.equal(server.connections, 2)
    assert.equal(server.sockets.size, 2)
  } finally {
    await service.disconnect()
    await server.close()
  }
})
