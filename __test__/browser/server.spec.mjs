// The example's server without a browser: bad input, what goes wrong around it, and its end.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'

import { until } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'
import { startExample } from './support.mjs'

const JSON_TYPE = { 'Content-Type': 'application/json' }

describe('the example server', () => {
  let example
  before(async () => (example = await startExample()))
  after(async () => assert.equal(await example.stop(), 0, example.output()))

  const ask = async (method, path, options = {}) => {
    const response = await fetch(example.url + path, { method, ...options })
    return { status: response.status, headers: response.headers, body: await response.json().catch(() => null) }
  }
  const post = (path, body, headers = JSON_TYPE) => ask('POST', path, { body, headers })

  const cookieOf = ({ headers }) => headers.get('set-cookie').split(';')[0]

  test('refuses bodies that are no JSON object, in words', async () => {
    for (const body of ['{', '[]', 'null', '7', '"x"', '\u0000', '{"name":'.repeat(200)]) {
      const { status, body: reply } = await post('/api/login', body)
      assert.equal(status, 400, body)
      assert.equal(reply.error.code, 'bad_json', body)
    }
    assert.equal((await post('/api/login', '{"name":"a"}', { 'Content-Type': 'text/plain' })).status, 415)
  })

  test('refuses invalid names and messages', async () => {
    for (const name of ['', '   ', 'x'.repeat(25), '<b>', 'a\nb', '../x', 7, null, {}, ['a']]) {
      assert.equal((await post('/api/login', JSON.stringify({ name }))).status, 400, JSON.stringify(name))
    }
    assert.equal((await post('/api/login', '{}')).status, 400)
    assert.equal((await post('/api/counter', '{"hold":"yes"}')).status, 400)
    assert.equal((await post('/api/jobs', '{"failsOnce":1}')).status, 400)
  })

  test('responds 413 to a huge body and goes on', async () => {
    const { status } = await post('/api/login', JSON.stringify({ name: 'x'.repeat(5_000_000) }))
    assert.equal(status, 413)
    assert.equal((await ask('GET', '/health')).status, 200)
  })

  test('treats unknown and broken cookies as no session', async () => {
    for (const cookie of [
      'cinnabar_example=',
      'cinnabar_example=%00',
      'cinnabar_example=' + 'A'.repeat(32),
      ';;=;',
      '=x',
    ]) {
      assert.deepEqual((await ask('GET', '/api/session', { headers: { Cookie: cookie } })).body.session, null)
      assert.equal((await ask('GET', '/api/profile', { headers: { Cookie: cookie } })).status, 401)
    }
  })

  test('ends the old session at the next sign-in, and the session at sign-out', async () => {
    const first = cookieOf(await post('/api/login', '{"name":"Ada"}'))
    const second = cookieOf(await post('/api/login', '{"name":"Ada"}', { ...JSON_TYPE, Cookie: first }))
    assert.notEqual(first, second)
    assert.equal((await ask('GET', '/api/session', { headers: { Cookie: first } })).body.session, null)
    assert.equal((await ask('GET', '/api/session', { headers: { Cookie: second } })).body.session.name, 'Ada')
    const out = await ask('POST', '/api/logout', { headers: { Cookie: second } })
    assert.match(out.headers.get('set-cookie'), /Max-Age=0/)
    assert.equal((await ask('GET', '/api/session', { headers: { Cookie: second } })).body.session, null)
  })

  test('reports the limit in headers, and refuses with 429 and Retry-After', async () => {
    const results = []
    for (let i = 0; i < 6; i++) results.push(await ask('GET', '/api/limited'))
    assert.deepEqual(
      results.map(({ status, headers }) => [
        status,
        headers.get('x-ratelimit-limit'),
        headers.get('x-ratelimit-remaining'),
      ]),
      [...[4, 3, 2, 1, 0].map((left) => [200, '5', String(left)]), [429, '5', '0']],
    )
    const [first, , , , , refused] = results
    assert.equal(first.headers.get('retry-after'), null)
    const wait = Number(refused.headers.get('retry-after'))
    assert.ok(wait >= 1 && wait <= 10, `Retry-After is ${wait}`)
    assert.ok(refused.body.resetTime > Date.now())
    assert.match(refused.body.error.message, /Refused/)
  })

  test('loses no count when many add at once: each one is counted or refused', async () => {
    const { value: before } = (await ask('GET', '/api/counter')).body
    const results = await Promise.all(Array.from({ length: 20 }, () => post('/api/counter', '{}')))
    const added = results.filter(({ status }) => status === 200).length
    assert.equal(added + results.filter(({ status }) => status === 409).length, 20)
    assert.ok(added >= 1)
    assert.equal((await ask('GET', '/api/counter')).body.value, before + added)
  })

  test('has nothing at other addresses, and no way out of its folder', async () => {
    for (const path of [
      '/nothing',
      '/api',
      '/api/rooms/attic',
      '/%2e%2e/main.mjs',
      '/page.html/',
      '/api/rooms/a%2Fb',
    ]) {
      assert.equal((await ask('GET', path)).status, 404, path)
    }
    const { status, headers } = await ask('DELETE', '/api/login')
    assert.deepEqual([status, headers.get('allow')], [405, 'POST'])
    assert.match(await raw('GET /../main.mjs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 404/)
    assert.match(await raw('nonsense\r\n\r\n'), /^HTTP\/1.1 400/)
  })

  test('shows a room only to those who are in it', async () => {
    const cookie = cookieOf(await post('/api/login', '{"name":"Mute"}'))
    const headers = { ...JSON_TYPE, Cookie: cookie }
    assert.equal((await post('/api/rooms/lobby/say', '{"message":"hi"}', headers)).status, 403)
    assert.equal((await post('/api/rooms/lobby/join', '{}', headers)).status, 200)
    assert.equal((await post('/api/rooms/lobby/say', '{"message":"' + 'x'.repeat(201) + '"}', headers)).status, 400)
    const { body } = await post('/api/rooms/lobby/say', '{"message":"hi"}', headers)
    assert.deepEqual(
      body.messages.map(({ name, text }) => [name, text]),
      [['Mute', 'hi']],
    )
  })

  test('sends the page with a policy that keeps other scripts out', async () => {
    const response = await fetch(example.url)
    assert.match(response.headers.get('content-security-policy'), /default-src 'self'/)
    assert.doesNotMatch(await response.text(), /(src|href)="(https?:)?\/\//)
  })

  /** Sends bytes as they are and returns what came back. */
  async function raw(text) {
    const socket = connect(Number(new URL(example.url).port), '127.0.0.1')
    socket.end(text)
    let reply = ''
    for await (const chunk of socket.setEncoding('utf8')) reply += chunk
    return reply
  }
})

describe('the room of the example server', () => {
  const cleanUp = []
  let redis
  before(async () => {
    redis = await startRedis()
    cleanUp.push(() => redis.stop())
  })
  after(async () => {
    for (const step of cleanUp.reverse()) await step()
  })

  const usersOf = async ({ url }) => (await (await fetch(`${url}/api/rooms/lobby`)).json()).users
  const post = ({ url }, path, body, cookie = '') =>
    fetch(url + path, { method: 'POST', body: JSON.stringify(body), headers: { ...JSON_TYPE, Cookie: cookie } })

  /** Signs in and joins. Returns the cookie. */
  async function join(example, name) {
    const cookie = (await post(example, '/api/login', { name })).headers.get('set-cookie').split(';')[0]
    const { users } = await (await post(example, '/api/rooms/lobby/join', {}, cookie)).json()
    assert.ok(users.includes(name), `${name} is not among ${users}`)
    return cookie
  }

  /** Opens the live stream of a page and waits until it is live. Returns a function that closes it. */
  async function open({ url }, cookie) {
    const closing = new AbortController()
    const { body } = await fetch(`${url}/api/rooms/lobby/live`, { headers: { Cookie: cookie }, signal: closing.signal })
    await body.getReader().read()
    return () => closing.abort()
  }

  for (const engine of ['embedded', 'redis']) {
    test(`keeps the users whose page is open, and no others, on the ${engine} engine`, async () => {
      const example = await startExample(engine === 'redis' ? { REDIS_URL: redis.url } : {})
      const ada = await join(example, 'Ada')
      const close = await open(example, ada)
      await join(example, 'Ghost')
      assert.deepEqual(await usersOf(example), ['Ada', 'Ghost'])
      // Ghost never opens the page. By then Ada would be gone too, if the stream did not keep her.
      await until('the ghost has left', async () => !(await usersOf(example)).includes('Ghost'))
      assert.deepEqual(await usersOf(example), ['Ada'])
      close()
      await until('Ada has left', async () => (await usersOf(example)).length === 0)
      assert.equal(await example.stop(), 0, example.output())
    })
  }

  test('shows no user whose server was killed', async () => {
    const [first, second] = [await startExample({ REDIS_URL: redis.url }), await startExample({ REDIS_URL: redis.url })]
    const close = await open(second, '')
    await open(first, await join(first, 'Ada'))
    assert.deepEqual(await usersOf(second), ['Ada'])
    await first.kill()
    await until('Ada has left', async () => (await usersOf(second)).length === 0, 15)
    close()
    assert.equal(await second.stop(), 0, second.output())
  })
})

describe('the limit of the example server', () => {
  for (const [proxies, forwarded] of [
    [undefined, (i) => `10.0.0.${i}`],
    ['0', (i) => `10.0.0.${i}, 203.0.113.7`],
    ['1', (i) => `10.0.0.${i}, 203.0.113.7`],
    ['2', (i) => `10.0.0.${i}, 203.0.113.7, 192.0.2.1`],
  ]) {
    test(`counts a client once with ${proxies ?? 'no'} trusted proxies, whatever it writes into X-Forwarded-For`, async () => {
      const example = await startExample(proxies && { TRUSTED_PROXIES: proxies })
      const ask = (address) => fetch(`${example.url}/api/limited`, { headers: { 'X-Forwarded-For': address } })
      const statuses = []
      for (let i = 0; i < 6; i++) statuses.push((await ask(forwarded(i))).status)
      assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429])
      const other = await ask(forwarded(9).replace('203.0.113.7', '203.0.113.8'))
      assert.equal(other.status, Number(proxies ?? 0) ? 200 : 429)
      assert.equal(await example.stop(), 0, example.output())
    })
  }
})

describe('the example around its server', () => {
  test('says in words that a port is taken, and takes the next one when none was asked for', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await once(blocker, 'listening')
    const { port } = blocker.address()
    await assert.rejects(startExample({ PORT: String(port) }), new RegExp(`Port ${port} is taken`))
    await assert.rejects(startExample({ PORT: 'abc' }), /PORT must be a number/)
    await assert.rejects(startExample({ TRUSTED_PROXIES: 'two' }), /TRUSTED_PROXIES must be a number/)
    blocker.close()
    // Whether 3000 is free or not, an unset PORT finds one from there on, and two examples find two.
    const [first, second] = [await startExample({ PORT: '' }), await startExample({ PORT: '' })]
    assert.ok(Number(new URL(second.url).port) > Number(new URL(first.url).port))
    assert.deepEqual([await first.stop(), await second.stop()], [0, 0])
  })

  test('never shows the password of its server', async () => {
    const example = await startExample({ REDIS_URL: 'redis://a-user:not-to-be-seen@127.0.0.1:1/0' })
    const { engine } = await (await fetch(`${example.url}/api/session`)).json()
    assert.deepEqual(engine, { embedded: false, host: '127.0.0.1:1', label: 'Redis server at 127.0.0.1:1' })
    assert.equal(await example.stop(), 0)
    assert.doesNotMatch(example.output(), /a-user|not-to-be-seen/)
  })

  test('says 503 in words when its server is gone, and stops all the same', async () => {
    const redis = await startRedis()
    const example = await startExample({ REDIS_URL: redis.url })
    const login = await fetch(`${example.url}/api/login`, {
      method: 'POST',
      body: '{"name":"Ada"}',
      headers: JSON_TYPE,
    })
    assert.equal(login.status, 200)
    await redis.stop()
    const refused = await fetch(`${example.url}/api/login`, {
      method: 'POST',
      body: '{"name":"Ada"}',
      headers: JSON_TYPE,
    })
    assert.equal(refused.status, 503)
    assert.match((await refused.json()).error.message, /^Redis is unreachable: .*Start it|connection was lost/)
    for (const path of ['/health', '/api/health/redis']) {
      const health = await fetch(example.url + path)
      assert.equal(health.status, 503)
      assert.equal((await health.json()).status, 'down')
      assert.equal((await fetch(example.url + path, { method: 'HEAD' })).status, 503)
    }
    assert.equal(await example.stop(), 0, example.output())
  })

  test('gives a job back that is not done when it is stopped, and the next server does it', async () => {
    const redis = await startRedis()
    const first = await startExample({ REDIS_URL: redis.url })
    const { id } = await (
      await fetch(`${first.url}/api/jobs`, { method: 'POST', body: '{}', headers: JSON_TYPE })
    ).json()
    const jobOf = async (example) => {
      const { jobs } = await (await fetch(`${example.url}/api/jobs`)).json()
      return jobs.find((job) => job.id === id)
    }
    await until('it runs', async () => (await jobOf(first)).progress > 0)
    assert.equal(await first.stop(), 0, first.output())
    const second = await startExample({ REDIS_URL: redis.url })
    await until('it is done', async () => (await jobOf(second)).state === 'done')
    const { attempt, result } = await jobOf(second)
    assert.deepEqual([attempt, result], [1, { pages: 12 }])
    assert.equal(await second.stop(), 0, second.output())
    await redis.stop()
  })

  test('lets go of a held lock and of its live pages when it is stopped', async () => {
    const example = await startExample()
    const live = await fetch(`${example.url}/api/rooms/lobby/live`)
    const reader = live.body.getReader()
    await reader.read()
    const held = fetch(`${example.url}/api/counter`, { method: 'POST', body: '{"hold":true}', headers: JSON_TYPE })
    const { value } = await reader.read()
    assert.match(Buffer.from(value).toString(), /"holder":\{"name":"a guest"/)
    const begin = performance.now()
    assert.equal(await example.stop(), 0, example.output())
    assert.ok(performance.now() - begin < 2500, 'it waited for the lock to run out')
    assert.equal((await held).status, 503)
  })

  test('lets go of the lock even when the one who held it has left', async () => {
    const redis = await startRedis()
    const example = await startExample({ REDIS_URL: redis.url })
    const leaving = new AbortController()
    const held = fetch(`${example.url}/api/counter`, {
      method: 'POST',
      body: '{"hold":true}',
      headers: JSON_TYPE,
      signal: leaving.signal,
    })
    const locked = () => redis.command('EXISTS', 'lock:example:counter')
    while ((await locked()) === 0);
    leaving.abort()
    await assert.rejects(held)
    assert.equal(await locked(), 1)
    assert.equal(await example.stop(), 0, example.output())
    assert.equal(await locked(), 0)
    await redis.stop()
  })
})
