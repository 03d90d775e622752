// The Next.js app of examples/next: built with no server around, started, and asked over HTTP, in both kinds of output.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { createServer } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { RedisService, SessionManager } from '../../index.js'
import { root } from '../../scripts/run.mjs'
import { until } from '../helpers.mjs'
import { linesOf } from '../support/lines.mjs'
import { background, end, freePort, ready, temporaryFolder } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'

const app = join(root, 'examples/next')
const next = join(app, 'node_modules/next/dist/bin/next')
const { PATH, HOME, TMPDIR } = process.env
const environment = { PATH, HOME, TMPDIR, NEXT_TELEMETRY_DISABLED: '1' }

let redis

before(async () => {
  redis = await startRedis()
  // Anew each time: what is installed there is a copy of the package, which an older run may have left.
  await command('npm', ['ci', '--no-audit', '--no-fund'], process.env)
})

it('needs forty lines of code for sessions', () => {
  const lines = ['app/session.ts', 'app/actions.ts', 'proxy.ts'].flatMap((file) => linesOf(join(app, file)))
  assert.ok(lines.length <= 40, String(lines.length))
})

for (const output of ['normal', 'standalone']) {
  describe(`next build, ${output} output`, () => {
    let start

    before(async () => {
      const { connections, port, close } = await trap()
      const env = { REDIS_URL: `redis://127.0.0.1:${port}`, ...(output === 'standalone' && { NEXT_OUTPUT: output }) }
      await command(process.execPath, [next, 'build'], env)
      close()
      assert.equal(connections(), 0, 'the build connected')
      start = output === 'standalone' ? standalone() : () => [next, 'start', '--hostname', '127.0.0.1']
    })

    for (const [engine, proxies] of [
      ['memory', 0],
      ['redis', 1],
    ]) {
      describe(`on ${engine}`, () => {
        let server
        let url

        before(async () => {
          await redis.command('FLUSHALL')
          const port = await freePort()
          const REDIS_URL = engine === 'redis' ? redis.url : 'memory:'
          const settings = { REDIS_URL, ...(proxies && { TRUSTED_PROXIES: String(proxies) }) }
          const env = { ...environment, NODE_ENV: 'production', HOSTNAME: '127.0.0.1', PORT: String(port), ...settings }
          const log = join(temporaryFolder('next'), 'log')
          server = background(process.execPath, start(), { cwd: app, env, log })
          url = `http://127.0.0.1:${port}`
          await ready(server, 'next', async () => (await fetch(url)).ok)
        })
        after(() => end(server))

        it('signs in by a server action, shows a protected page, and signs out', async () => {
          assert.equal(await redirected(ask('/devices', { redirect: 'manual' })), '/')
          assert.equal((await ask('/api/session')).status, 401)
          const ada = browser(url)
          assert.equal(await ada.submit('/', 'Sign in', { name: 'Ada', password: 'wrong' }), '/?problem=password')
          assert.equal(ada.cookie(), undefined)
          assert.equal(await ada.submit('/', 'Sign in', { name: 'Ada', password: 'cinnabar' }), '/devices')
          assert.match(
            ada.header,
            /^__Host-session=cst_.*; Path=\/; .*Max-Age=28800; .*Secure; HttpOnly; SameSite=lax$/,
          )
          assert.match(await ada.page('/devices'), /Devices of.*Ada.*this one/)
          const { session } = await json(ask('/api/session', { headers: { cookie: ada.cookie() } }))
          assert.deepEqual([session.userId, session.name, session.device], ['ada', 'Ada', 'window of Ada'])
          assert.equal(await ada.submit('/', 'Sign out'), '/')
          assert.match(ada.header, /^__Host-session=; .*Max-Age=0/)
          assert.equal(await redirected(ask('/devices', { redirect: 'manual', headers: { cookie: ada.last } })), '/')
        })

        it('takes whatever a stranger puts into a cookie for no session', async () => {
          for (const value of [
            '',
            '"',
            '%',
            '%00',
            '%ff%fe',
            '%ED%A0%80',
            '\u00e9',
            'a; __Host-session=b',
            'x'.repeat(8000),
          ]) {
            const headers = { cookie: `__Host-session=${value}; __proto__=1; =; ;` }
            const statuses = await Promise.all(
              ['/', '/devices', '/api/session'].map(
                async (path) => (await ask(path, { redirect: 'manual', headers })).status,
              ),
            )
            assert.deepEqual(statuses, [200, 307, 401], value.slice(0, 40))
          }
          const stranger = browser(url)
          stranger.last = '__Host-session=%00'
          assert.equal(await stranger.submit('/', 'Sign in', { name: 'Flo', password: 'cinnabar' }), '/devices')
        })

        it('lists the devices of a user, and ends one of them or all', async () => {
          const [one, other, third] = [browser(url), browser(url), browser(url)]
          for (const each of [one, other, third]) {
            await each.submit('/', 'Sign in', { name: 'Bob', password: 'cinnabar' })
          }
          const listed = await one.page('/devices')
          assert.equal(listed.match(/name="device"/g).length, 3)
          const foreign = listed.split('<section>').find((each) => /name="device"/.test(each) && !/this one/.test(each))
          await one.submit('/devices', 'End', { device: /name="device" value="(\w+)"/.exec(foreign)[1] })
          assert.equal((await one.page('/devices')).match(/name="device"/g).length, 2)
          const status = async (each) => (await ask('/api/session', { headers: { cookie: each.last } })).status
          const statuses = await Promise.all([one, other, third].map(status))
          assert.deepEqual([statuses[0], ...statuses.slice(1).sort()], [200, 200, 401])
          const events = await ask('/api/events', { headers: { cookie: one.cookie() } })
          const remaining = statuses[1] === 200 ? other : third
          const others = await ask('/api/events', { headers: { cookie: remaining.cookie() } })
          assert.equal(await one.submit('/devices', 'Sign out everywhere'), '/')
          // Each stream has the event, and ends with its session.
          for (const stream of [events, others]) assert.match(await stream.text(), /data: changed\n\n$/)
          assert.equal((await ask('/api/events', { headers: { cookie: remaining.last } })).status, 401)
          assert.deepEqual(await Promise.all([one, other, third].map(status)), [401, 401, 401])
        })

        it('ends a device by a route handler, and no request of another site does', async () => {
          const [one, other] = [browser(url), browser(url)]
          for (const each of [one, other]) await each.submit('/', 'Sign in', { name: 'Cy', password: 'cinnabar' })
          const ids = [...(await one.page('/devices')).matchAll(/name="device" value="(\w+)"/g)].map(([, id]) => id)
          const end = (id, headers) =>
            ask(`/api/devices/${id}`, { method: 'DELETE', headers: { cookie: one.cookie(), ...headers } })
          assert.equal((await end(ids[0], { 'sec-fetch-site': 'cross-site' })).status, 403)
          assert.equal((await fetch(`${url}/api/devices/${ids[0]}`, { method: 'DELETE' })).status, 401)
          const ended = []
          for (const id of ids) ended.push(await end(id).then((response) => response.json()))
          assert.deepEqual(ended[0], { ended: 1 })
        })

        it('refuses the sixth attempt to sign in', async () => {
          const mallory = browser(url)
          const attempt = (password) => mallory.submit('/', 'Sign in', { name: 'Dee', password })
          for (let i = 0; i < 5; i++) assert.equal(await attempt(`guess ${i}`), '/?problem=password')
          assert.equal(await attempt('cinnabar'), '/?problem=limit')
          assert.equal(mallory.cookie(), undefined)
        })

        if (engine === 'redis') {
          it('sets the cookie of a visitor who only reads pages, if the token was rotated', async () => {
            const service = new RedisService({ url: redis.url })
            const sessions = new SessionManager(service, { ...SessionManager.presets.OWASP, cookie: { secure: true } })
            const session = await sessions.fromRequest({ headers: {} })
            await session.signIn('eve', { name: 'Eve', device: 'another' })
            const [before] = session.setCookie.split(';')
            await session.rotate()
            await service.disconnect()
            const cookiesSet = async (cookie) => (await ask('/', { headers: { cookie } })).headers.getSetCookie()
            const [header, ...more] = await cookiesSet(before)
            assert.match(header, /^__Host-session=cst_.*Max-Age=28800/)
            const [after] = session.setCookie.split(';')
            assert.deepEqual([header.split(';')[0], more, await cookiesSet(after)], [after, [], []])
          })
        }

        it('caches until it is invalidated', async () => {
          const results = []
          for (const method of ['GET', 'GET', 'DELETE', 'GET']) {
            results.push((await json(ask('/api/cached', { method }))).result)
          }
          assert.deepEqual(results, ['miss', 'hit', undefined, 'miss'])
        })

        it('renders a page once, until it is invalidated', async () => {
          const counted = async () => /<time>(.*)<\/time>/.exec(await (await ask('/stock')).text())[1]
          const first = await counted()
          assert.equal(await counted(), first)
          assert.equal((await post('/api/stock')).status, 200)
          await until('it is new', async () => (await counted()) !== first)
          const keys = engine === 'redis' ? await redis.command('KEYS', 'next:page:*') : undefined
          assert.ok(keys === undefined || keys.length >= 1)
        })

        it('refuses the sixth request, whatever the client writes into X-Forwarded-For, and says when to come back', async () => {
          const replies = []
          for (let i = 0; i < 6; i++) {
            const forwarded = proxies ? `10.0.0.${i}, 203.0.113.7` : `10.0.0.${i}`
            replies.push(await ask('/api/limited', { headers: { 'x-forwarded-for': forwarded } }))
          }
          // Behind a proxy, its entry distinguishs clients.
          const other = await ask('/api/limited', { headers: { 'x-forwarded-for': '10.0.0.1, 203.0.113.8' } })
          assert.equal(other.status, proxies ? 200 : 429)
          assert.deepEqual(
            replies.map((reply) => reply.status),
            [200, 200, 200, 200, 200, 429],
          )
          assert.ok(Number(replies[5].headers.get('retry-after')) >= 1)
          assert.equal(replies[0].headers.get('x-ratelimit-remaining'), '4')
        })

        it('lets one of two hold the lock', async () => {
          const replies = await Promise.all([post('/api/lock'), post('/api/lock')])
          assert.deepEqual(replies.map((reply) => reply.status).sort(), [200, 409])
        })

        it('is healthy', async () => {
          assert.deepEqual(await json(ask('/api/health')), { status: 'healthy' })
          const { status, redis } = await json(ask('/api/health/redis'))
          assert.deepEqual([status, redis.engine], ['healthy', engine])
          assert.equal((await ask('/api/health', { method: 'HEAD' })).status, 200)
        })

        const ask = (path, options) => fetch(url + path, options)
        const post = (path, body = {}) => ask(path, { method: 'POST', body: JSON.stringify(body) })
      })
    }
  })
}

/** A browser without scripts: forms are sent as their page has them, and the cookie is kept. */
function browser(url) {
  const state = { cookie: () => (state.last?.endsWith('=') ? undefined : state.last), page, submit }
  return state

  async function page(path) {
    const response = await fetch(url + path, { headers: state.cookie() ? { cookie: state.cookie() } : {} })
    assert.equal(response.status, 200)
    return response.text()
  }

  /** Sends the form with this button; returns where the response leads to. */
  async function submit(path, button, values = {}) {
    const forms = (await page(path)).match(/<form[^]*?<\/form>/g)
    const form = forms.find((each) => each.includes(`>${button}</button>`))
    const body = new FormData()
    for (const [, name, value = ''] of form.matchAll(/<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?/g)) {
      body.set(name, value.replaceAll('&quot;', '"'))
    }
    for (const [name, value] of Object.entries(values)) body.set(name, value)
    const headers = { origin: url, 'user-agent': `window of ${values.name}`, cookie: state.cookie() ?? '' }
    const response = await fetch(url + path, { method: 'POST', body, headers, redirect: 'manual' })
    const [header] = response.headers.getSetCookie()
    if (header) Object.assign(state, { header, last: header.split(';')[0] })
    return redirected(response)
  }
}

async function redirected(reply) {
  const response = await reply
  assert.ok([303, 307].includes(response.status), `${response.status} ${await response.text()}`)
  const { pathname, search } = new URL(response.headers.get('location'), 'http://localhost')
  return pathname + search
}

async function json(reply) {
  const { status, body } = await reply.then(async (response) => ({
    status: response.status,
    body: await response.text(),
  }))
  assert.equal(status, 200, body)
  return JSON.parse(body)
}

/** What the build wrote, moved to where none of the app's own packages can be found by accident. */
function standalone() {
  const moved = temporaryFolder('standalone')
  cpSync(join(app, '.next-standalone/standalone'), moved, { recursive: true })
  return () => [join(moved, 'server.js')]
}

/** A server that closes every connection and counts them. */
async function trap() {
  let count = 0
  const server = createServer((socket) => {
    count++
    socket.destroy()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { connections: () => count, port: server.address().port, close: () => server.close() }
}

async function command(program, args, env = {}) {
  const options = { cwd: app, env: { ...environment, ...env }, timeout: 300_000, maxBuffer: 64 << 20 }
  await promisify(execFile)(program, args, options).catch((error) => {
    throw new Error(`${args.join(' ')} failed\n${error.stdout}\n${error.stderr}`)
  })
}
