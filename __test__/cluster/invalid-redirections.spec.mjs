// Redirections that no cluster sends: how their calls are rejected.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { refuses, textOf } from '../helpers.mjs'
import { fakeServer, ownsAllSlots } from '../support/fake-server.mjs'

const WORD = 'zq7k-what-a-user-stored'

describe('a cluster node that redirects to nowhere', () => {
  let server, service, said
  before(async () => {
    server = await fakeServer(([name]) => {
      if (name === 'PING') return '+PONG\r\n'
      if (name === 'MULTI') return '+OK\r\n'
      if (name === 'EXEC') return '-EXECABORT Transaction discarded because of previous errors.\r\n'
      if (name !== 'CLUSTER') return `-${said}\r\n`
      return ownsAllSlots(server.port)
    })
    const url = server.url.replace('redis:', 'redis-cluster:')
    service = new RedisService({ url, log: false, timeoutMs: 2000 })
    await service.connect()
  })
  after(async () => {
    await service.disconnect()
    await server.close()
  })

  const calls = {
    'a read': () => service.get('k'),
    'a write': () => service.set('k', 'v'),
    'a script': () => service.getClient().eval('return 1', 1, 'k'),
    'a transaction': () => service.getClient().multi().set('k', 'v').exec(),
    'a command over several slots': () => service.getClient().mGet('a', 'b'),
  }
  const nowhere = (word) => [
    word,
    `${word} 1`,
    `${word} 1 127.0.0.1`,
    `${word} 1 127.0.0.1:`,
    `${word} 1 127.0.0.1:0`,
    `${word} 1 127.0.0.1:70000`,
    `${word} 99999 127.0.0.1:7000`,
    `${word} ${WORD} ${WORD}`,
    `${word} 1 ${WORD} of it:7000`,
  ]
  const reported = /^the cluster node redirected the request in words that were not understood/
  for (const [what, call] of Object.entries(calls)) {
    test(`${what} is rejected: its reply was not understood`, async () => {
      for (said of [...nowhere('MOVED'), ...nowhere('ASK')]) {
        const sent = server.commands.length
        const started = performance.now()
        const error = await refuses(call(), 'E_UNAVAILABLE', reported)
        assert.ok(error.retryable && performance.now() - started < 1000, said)
        assert.ok(!textOf(error).includes(WORD), error.message)
        assert.ok(server.commands.length - sent < 20, said)
      }
    })
  }

  test('a subscription to a sharded channel is rejected likewise where no slot is named', async () => {
    for (said of ['MOVED', 'ASK', `MOVED ${WORD} ${WORD}`]) {
      const error = await refuses(
        service.subscribe('k', () => {}, { sharded: true }),
        'E_UNAVAILABLE',
        reported,
      )
      assert.ok(!textOf(error).includes(WORD), error.message)
    }
  })
})
