// What a server repeats of what it was sent: no password, no id and nothing that was stored gets into an error, a log or a report.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { inspect } from 'node:util'

import { RedisService, healthHandler } from 'cinnabar'

import { rawClient, textOf } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { fakeServer } from '../support/fake-server.mjs'
import { temporaryFolder } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'

const services = []
const servers = []
const events = []

function make(options) {
  const service = new RedisService({ timeoutMs: 2000, log: (event) => events.push(event), ...options })
  services.push(service)
  return service
}

async function failed(promise) {
  const [result] = await Promise.allSettled([promise])
  assert.equal(result.status, 'rejected')
  return result.reason
}

after(async () => {
  await Promise.all(services.map((service) => service.disconnect()))
  for (const server of servers) await (server.close?.() ?? server.kill())
})

describe('a server that repeats what it was sent', () => {
  const PASSWORD = 'hunter2secret'

  test('does not get a password into an error, the log or a report', async () => {
    const config = join(temporaryFolder('renamed'), 'redis.conf')
    writeFileSync(config, 'rename-command AUTH ""\n')
    const real = await startRedis({ args: [config] })
    const echo = await fakeServer((words) =>
      words[0] === 'PING'
        ? undefined
        : `-ERR unknown command '${words[0]}', with args beginning with: ${words.slice(1)}\r\n`,
    )
    const plain = await fakeServer((words) =>
      words[0] === 'PING' ? undefined : `-ERR who is ${words.slice(1).join(' / ')}?\r\n`,
    )
    servers.push(echo, plain, real)
    for (const { port } of servers) {
      const service = make({ url: `redis://app:${PASSWORD}@127.0.0.1:${port}` })
      const error = await failed(service.get('key'))
      assert.equal(error.code, 'E_AUTH')
      const body = await (await healthHandler({ service })()).text()
      const shown = [
        textOf(error),
        inspect(error, { depth: 9 }),
        body,
        JSON.stringify(service.describe?.() ?? {}),
      ].join('\n')
      assert.ok(!shown.includes(PASSWORD), shown)
    }
    const reported = inspect(events, { depth: 9 })
    assert.ok(events.length > 0 && !reported.includes(PASSWORD), reported)
  })

  test('does not get one into any later error', async () => {
    const server = await fakeServer((words) => ({ AUTH: '+OK\r\n', GET: `-ERR remember ${PASSWORD}?\r\n` })[words[0]])
    servers.push(server)
    const error = await failed(make({ url: `redis://:${PASSWORD}@127.0.0.1:${server.port}` }).get('key'))
    assert.equal(error.code, 'E_SERVER')
    assert.ok(!textOf(error).includes(PASSWORD) && error.message.startsWith('ERR remember ***'), error.message)
  })

  const ID = 'THE-ID-IN-THE-COOKIE-7f3a'
  const EMAIL = 'ada@example.com'
  const wordings = {
    'by a list of arguments': (words) =>
      `ERR unknown command '${words[0]}', with args beginning with: '${words.slice(1).join("' '")}'`,
    'in quotes': (words) => `NOGROUP No such key '${words.slice(1).join("' or '")}'`,
    'in backticks': (words) =>
      `ERR unknown command \`${words[0]}\`, with args beginning with: \`${words.slice(1).join('`, `')}\`, `,
    'as permissions': (words) => `NOPERM No permissions to access the '${words[words.length > 3 ? 3 : 1]}' key`,
    'without quotes': (words) => `ERR sorry: ${words.slice(1).join(' ')}`,
    'from a script': (words) => `ERR user_script:1: no ${words.slice(-3).join(', ')} script: 5e95, on @user_script:1.`,
    'as a wrong type': (words) => `WRONGTYPE ${words.slice(1).join('=')}`,
    'as a slot': (words) => `MOVED 1 ${words.slice(1).join(':')}:7000`,
  }
  for (const [name, wording] of Object.entries(wordings)) {
    test(`does not get ids or contents into an error: ${name}`, async () => {
      const say = (words) =>
        words[0] === 'PING'
          ? undefined
          : `-${wording(words)
              .replace(/[\r\n]+/g, ' ')
              .slice(0, 5000)}\r\n`
      const server = await fakeServer(say)
      servers.push(server)
      const service = make({ url: server.url, retryAttempts: 0 })
      const calls = [
        () => service.sessions.createSession(EMAIL, { email: EMAIL }, { id: ID }),
        () => service.sessions.getSession(ID),
        () => service.sessions.updateSession(ID, { email: EMAIL }),
        () => service.locks.acquireLock(EMAIL, 5),
        () => service.locks.releaseLock(EMAIL, ID),
        () => service.cache.set(ID, { email: EMAIL }),
        () => service.cache.get(ID),
        () => service.set(ID, EMAIL),
        () => service.getClient().mGet([ID, EMAIL]),
        () => service.getClient().sendCommand(['HSET', ID, 'email', EMAIL]),
      ]
      for (const call of calls) {
        const error = await failed(Promise.resolve().then(call))
        const shown = textOf(error)
        assert.ok(!shown.includes(ID) && !shown.includes(EMAIL), `${call}: ${shown}`)
      }
    })
  }
})

for (const engine of engines) {
  describe(`what the programmer's own script says (${engine.name})`, () => {
    test('is passed on, without the arguments that are in it', async () => {
      const service = await engine.makeService({ log: false })
      services.push(service)
      const client = await rawClient(service)
      const own = await failed(client.eval("return redis.error_reply('MY stock is empty')", 0))
      assert.equal(own.message, 'MY stock is empty')
      const quoting = await failed(
        client.eval("return redis.error_reply('MY stock of ' .. ARGV[1])", 0, 'ada@example.com'),
      )
      assert.equal(quoting.message, 'MY stock of …')
    })
  })
}
