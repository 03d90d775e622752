// What `getSession` of cinnabar/next makes of the headers of a request, whose method Next.js does not say.
import assert from 'node:assert/strict'
import { createRequire, Module } from 'node:module'
import { test } from 'node:test'

import { RedisService, SessionManager } from 'cinnabar'

test('a request with the origin of another site has no session, in a route handler without withSession too', async (t) => {
  let received
  const jar = { getAll: () => [{ name: 'session', value: token }] }
  // `next/headers` works only within Next.js.
  const load = Module._load
  Module._load = (name, ...rest) =>
    name === 'next/headers'
      ? { headers: async () => new Headers(received), cookies: async () => jar }
      : load(name, ...rest)
  t.after(() => (Module._load = load))
  const { session } = createRequire(import.meta.url)('cinnabar/next')

  const service = new RedisService({ url: 'memory:' })
  t.after(() => service.disconnect())
  const trustedOrigins = ['https://app.example.com']
  const sessions = new SessionManager(service, { cookie: { name: 'session' }, trustedOrigins })
  const token = await sessions.createSession('ada')
  const { getSession } = session({ sessions })
  const host = 'shop.example'
  for (const [headers, userId] of [
    [{}, 'ada'],
    // A link on another site.
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 'ada'],
    [{ origin: 'https://shop.example' }, 'ada'],
    [{ origin: 'https://shop.example', 'sec-fetch-site': 'same-origin' }, 'ada'],
    [{ origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' }, 'ada'],
    // A form on another site.
    [{ origin: 'https://evil.example' }, null],
    [{ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, null],
    [{ origin: 'null', 'sec-fetch-site': 'cross-site' }, null],
  ]) {
    received = { host, ...headers }
    assert.equal((await getSession()).userId, userId, JSON.stringify(headers))
  }
})
