// Replies that come while another connection is being opened, because the first one seemed to be dead.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { RedisService } from 'cinnabar'

import { rawClient } from '../helpers.mjs'
import { fakeServer } from '../support/fake-server.mjs'

test('a connection on which the server responds again is not closed, although another one was opened', async () => {
  let slow
  const server = await fakeServer(([name, key], socket, connection) => {
    if (connection === 1 && name === 'INCR') {
      if (key === 'a') slow = socket
      return ''
    }
    if (connection !== 2 || slow === undefined) return undefined
    // It was busy: the replies of the first connection come before those of the second one.
    slow.write(':1\r\n')
    setTimeout(() => slow.write(':2\r\n'), 500)
    slow = undefined
    return undefined
  })
  const service = new RedisService({ url: server.url, timeoutMs: 4000, log: false })
  const client = await rawClient(service)
  assert.deepEqual(await Promise.all([client.incr('a'), client.incr('b')]), [1, 2])
  assert.equal(server.connections, 2)
  assert.equal(server.sockets.size, 2)
  await service.disconnect()
  await server.close()
})
