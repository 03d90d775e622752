// A write that was refused is sent again as long as its reply can be expected in time: one that is cut short would leave its
// caller in doubt about what the refusal had settled.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { refuses } from '../helpers.mjs'
import { fakeServer, ownsAllSlots } from '../support/fake-server.mjs'

/** How long the server takes to refuse. */
const TAKES_MS = 500

for (const [scheme, refusal] of [
  ['redis', 'LOADING'],
  ['redis-cluster', 'CLUSTERDOWN'],
  ['redis-cluster', 'TRYAGAIN'],
  ['redis-cluster', 'MOVED 1 127.0.0.1:port'],
]) {
  describe(`a server by ${scheme}:// that refuses slowly with ${refusal}`, () => {
    let server, service
    const sent = (name) => server.commands.filter(([command]) => command === name).length
    before(async () => {
      const result = (name) => {
        if (name === 'PING') return '+PONG\r\n'
        if (name !== 'CLUSTER') return `-${refusal.replace('port', server.port)}\r\n`
        return ownsAllSlots(server.port)
      }
      // All take as long, so that replies keep their order.
      server = await fakeServer(([name], socket) => {
        // The server's slowness is what is tested.
        setTimeout(() => socket.write(result(name)), TAKES_MS)
        return ''
      })
      service = new RedisService({
        url: server.url.replace('redis:', `${scheme}:`),
        log: false,
        // Time for a first attempt, and not for a second.
        timeoutMs: TAKES_MS * 1.9,
      })
      await service.connect()
    })
    after(async () => {
      await service.disconnect()
      await server.close()
    })

    test('does not get a write for which there is no time', async () => {
      await refuses(service.set('k', 'v'), 'E_UNAVAILABLE')
      assert.equal(sent('SET'), 1)
    })

    test('gets a read as often as before', async () => {
      await refuses(service.get('k'), 'E_TIMEOUT')
      assert.ok(sent('GET') > 1)
    })

    test('gets a write again while there is time', async () => {
      const before = sent('SET')
      await refuses(service.with({ timeoutMs: TAKES_MS * 6 }).set('k', 'v'), 'E_UNAVAILABLE')
      assert.ok(sent('SET') > before + 1)
    })
  })
}
